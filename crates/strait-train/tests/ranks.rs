//! Every trainer on several ranks: the same as on one, and with shards to the bit.

#[cfg(feature = "gpu")]
#[path = "../../../tests/common/adapter.rs"]
mod adapter;
#[path = "ranks/mod.rs"]
mod ranks;
mod trainers;

use ranks::Thread;
use strait_compute::{Cpu, Device};

/// The parameters that each of `count` ranks of one thread has learned.
fn on_ranks(train: &(dyn Fn(&Device) -> Vec<f32> + Sync), count: usize) -> Vec<Vec<f32>> {
    on_ranks_of(&|| Device::new(Cpu::with_threads(1).expect("threads start")), train, count)
}

/// The same of ranks that each have such a device.
fn on_ranks_of(
    device: &dyn Fn() -> Device,
    train: &(dyn Fn(&Device) -> Vec<f32> + Sync),
    count: usize,
) -> Vec<Vec<f32>> {
    std::thread::scope(|scope| {
        let start = |rank: Thread| {
            let device = device().with_reducer(rank);
            scope.spawn(move || train(&device))
        };
        let running: Vec<_> = Thread::group(count).into_iter().map(start).collect();
        running.into_iter().map(|rank| rank.join().expect("it trains")).collect()
    })
}

/// The largest difference of two parameter vectors, relative to the largest parameter.
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

/// What asks something of a GPU that others do not: draws, chains, statistics in the middle of a step, entries of all ranks.
#[cfg(feature = "gpu")]
const ON_GPU: [&str; 8] =
    ["cd1", "pcd1", "adam", "lbfgs", "contractive", "up-down-persistent", "k-sparse-batch", "k-sparse-aux"];

#[cfg(feature = "gpu")]
#[test]
fn ranks_of_gpus_train_as_one_does() {
    let Some(gpu) = adapter::open(strait_device::Options::default()) else {
        return;
    };
    let device = || Device::new(strait_compute::Gpu::from_device(gpu.clone()));
    let mut wrong = Vec::new();
    for (name, train) in trainers::all().into_iter().filter(|(name, _)| ON_GPU.contains(name)) {
        let [alone, cut] = [None, Some(4)].map(|shards| train(&device(), shards));
        let learned = on_ranks_of(&device, &|device| train(device, Some(4)), 2);
        if learned.iter().any(|one| *one != cut) {
            wrong.push(format!("{name}: 2 ranks differ from one by {}", apart(&cut, &learned[0])));
        }
        let difference = apart(&alone, &cut);
        if difference.is_nan() || difference > 2e-4 {
            wrong.push(format!("{name}: shards are {difference} from whole batches"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
