//! Every trainer on several ranks: the same as on one, and with shards to the bit.

#[path = "ranks/mod.rs"]
mod ranks;
mod trainers;

use ranks::Thread;
use strait_compute::{Cpu, Device};

/// What each of so many ranks has learned.
fn on_ranks(train: &(dyn Fn(&Device) -> Vec<f32> + Sync), count: usize) -> Vec<Vec<f32>> {
    std::thread::scope(|scope| {
        let start = |rank: Thread| {
            let device = Device::new(Cpu::with_threads(1).expect("threads start")).with_reducer(rank);
            scope.spawn(move || train(&device))
        };
        let running: Vec<_> = Thread::group(count).into_iter().map(start).collect();
        running.into_iter().map(|rank| rank.join().expect("it trains")).collect()
    })
}

/// How far two are apart, beside the largest number.
fn apart(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len());
    let largest = x.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    x.iter().zip(y).fold(0.0, |most: f32, (x, y)| most.max((x - y).abs())) / largest
}

#[test]
fn ranks_train_as_one_does() {
    let mut wrong = Vec::new();
    for (name, train) in trainers::all() {
        let alone = train(&Device::new(Cpu::with_threads(1).expect("threads start")), None);
        for count in [2, 3] {
            let learned = on_ranks(&|device| train(device, None), count);
            if learned[1..].iter().any(|other| *other != learned[0]) {
                wrong.push(format!("{name}: {count} ranks do not agree"));
            }
            let difference = apart(&alone, &learned[0]);
            if difference.is_nan() || difference > 2e-4 {
                wrong.push(format!("{name}: {count} ranks are {difference} from one"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn shards_give_the_same_bits_on_any_number_of_ranks() {
    let mut wrong = Vec::new();
    for (name, train) in trainers::all() {
        let alone = train(&Device::new(Cpu::with_threads(2).expect("threads start")), Some(8));
        for count in [2, 4, 8] {
            let learned = on_ranks(&|device| train(device, Some(8)), count);
            if learned.iter().any(|one| *one != alone) {
                wrong.push(format!("{name}: {count} ranks differ from one by {}", apart(&alone, &learned[0])));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
