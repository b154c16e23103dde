//! What codes are used for, against the plainest way to compute it.

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device};
use strait_data::Rows;
use strait_models::{BinaryCodes, area_under_roc, medians, nearest, threshold};

const WIDTH: usize = 70;

fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut stream = Stream::new(seed, 0);
    (0..count * WIDTH).map(|_| stream.next_normal()).collect()
}

/// The numbers of the rows with the smallest distances; of equal ones the first.
fn by_sorting(distances: &[f64], k: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..distances.len() as u32).collect();
    order.sort_by(|&i, &j| distances[i as usize].total_cmp(&distances[j as usize]).then(i.cmp(&j)));
    order.truncate(k);
    order
}

#[test]
fn neighbours_are_those_of_a_plain_search() {
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    fn rows(values: &[f32]) -> Rows<'_> {
        Rows::numbers(values, WIDTH).expect("whole rows")
    }
    let plainly = |references: &[f32], queries: &[f32]| {
        let of = |query: &[f32]| {
            let distance = |row: &[f32]| row.iter().zip(query).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
            by_sorting(&references.chunks_exact(WIDTH).map(distance).collect::<Vec<f64>>(), 7)
        };
        queries.chunks_exact(WIDTH).map(of).collect::<Vec<_>>()
    };
    let around = |offset: f32, count, seed| values(count, seed).iter().map(|x| x + offset).collect::<Vec<f32>>();
    for offset in [0.0, 10_000.0] {
        let (references, queries) = (around(offset, 300, 1), around(offset, 40, 2));
        let found = nearest(&device, rows(&references), rows(&queries), 7).expect("it searches");
        assert_eq!(found, plainly(&references, &queries));
    }
    // Of whole numbers many are equally near, and an outlier must not drag all others away from zero.
    let bits = |count, seed| values(count, seed).iter().map(|x| f32::from(*x > 0.5)).collect::<Vec<f32>>();
    let mut with_outlier = values(300, 1);
    with_outlier[299 * WIDTH..].fill(1e6);
    for (references, queries) in [(bits(300, 1), bits(40, 2)), (with_outlier, values(40, 2))] {
        let found = nearest(&device, rows(&references), rows(&queries), 7).expect("it searches");
        assert_eq!(found, plainly(&references, &queries));
    }
    let (references, queries) = (values(300, 1), values(40, 2));
    let error = nearest(&device, rows(&references), rows(&queries), 301).expect_err("there are 300").to_string();
    assert!(error.contains("301 neighbours"), "{error}");
}

#[test]
fn bits_are_searched_as_by_a_plain_search() {
    let (references, queries) = (values(500, 3), values(20, 4));
    let thresholds = medians(&references, WIDTH).expect("codes of that width");
    for place in 0..WIDTH {
        let above = references.iter().skip(place).step_by(WIDTH).filter(|&&x| x > thresholds[place]).count();
        assert!((249..=250).contains(&above), "half of the codes exceed a median, not {above}");
    }
    let codes = |values: &[f32]| BinaryCodes::new(values, &thresholds).expect("codes of that width");
    let found = codes(&references).nearest(&codes(&queries), 25).expect("it searches");
    let bit = |values: &[f32], i: usize| values[i] > thresholds[i];
    for (query, found) in queries.chunks_exact(WIDTH).zip(&found) {
        let differing = |row: &[f32]| (0..WIDTH).filter(|&i| bit(row, i) != bit(query, i)).count() as f64;
        let distances: Vec<f64> = references.chunks_exact(WIDTH).map(differing).collect();
        assert_eq!(*found, by_sorting(&distances, 25));
    }
    let narrow = BinaryCodes::new(&queries, &thresholds[..35]).expect("codes of half the width");
    let error = codes(&references).nearest(&narrow, 1).expect_err("the widths differ").to_string();
    assert!(error.contains("70") && error.contains("35"), "{error}");
}

#[test]
fn anomalies_are_ranked_and_told_as_promised() {
    let mut stream = Stream::new(5, 0);
    // Whole numbers, so that some are equal.
    let mut scores = |count: usize, shift: f32| -> Vec<f32> {
        (0..count).map(|_| (4.0 * stream.next_normal() + shift).round()).collect()
    };
    let (normal, anomalous) = (scores(200, 0.0), scores(150, 5.0));
    let half = |normal: f32, anomaly: f32| if anomaly > normal { 2 } else { i32::from(anomaly == normal) };
    let pairs = normal.iter().flat_map(|&n| anomalous.iter().map(move |&a| half(n, a)));
    let expected = f64::from(pairs.sum::<i32>()) / (2.0 * 200.0 * 150.0);
    assert!((area_under_roc(&normal, &anomalous) - expected).abs() < 1e-12);
    for share in [0.0, 0.01, 0.1, 0.5] {
        let limit = threshold(&normal, share).expect("a share");
        let above = |limit: f32| normal.iter().filter(|&&score| score > limit).count();
        assert!(above(limit) as f64 <= share * 200.0, "no more false alarms than allowed");
        assert!(above(limit - 1.0) as f64 > share * 200.0, "and no fewer than could be");
    }
    assert!(threshold(&[], 0.1).is_err() && threshold(&normal, 1.0).is_err());
}
