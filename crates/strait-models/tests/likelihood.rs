//! Estimates of likelihoods against sums over all states of machines small enough to sum.

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device};
use strait_data::Rows;
use strait_models::{Annealing, Rbm, Units};

const VISIBLE: usize = 7;
const HIDDEN: usize = 5;

fn device() -> Device {
    Device::new(Cpu::with_threads(2).expect("threads start"))
}

fn machine(visible: Units, hidden: Units, scale: f32) -> Rbm {
    let mut stream = Stream::new(4, 0);
    let mut rbm = Rbm::new((VISIBLE, visible), (HIDDEN, hidden), &mut stream).expect("good sizes");
    rbm.weight.iter_mut().for_each(|w| *w = scale * stream.next_normal());
    rbm.visible_bias.iter_mut().for_each(|a| *a = stream.next_normal());
    rbm.hidden_bias.iter_mut().for_each(|b| *b = stream.next_normal());
    rbm
}

fn bits(state: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| (state >> i & 1) as f32).collect()
}

/// −E(v, h) of binary units.
fn negative_energy(rbm: &Rbm, v: &[f32], h: &[f32]) -> f64 {
    let dot = |xs: &[f32], ys: &[f32]| xs.iter().zip(ys).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let rows = rbm.weight.chunks_exact(HIDDEN).zip(v).map(|(w, &v)| f64::from(v) * dot(w, h));
    dot(&rbm.visible_bias, v) + dot(&rbm.hidden_bias, h) + rows.sum::<f64>()
}

/// ln Σₕ e^−E(v, h), state by state.
fn log_sum_over_hidden(rbm: &Rbm, v: &[f32]) -> f64 {
    let sum: f64 = (0..1 << HIDDEN).map(|h| negative_energy(rbm, v, &bits(h, HIDDEN)).exp()).sum();
    sum.ln()
}

fn log_partition(rbm: &Rbm) -> f64 {
    let sum: f64 = (0..1 << VISIBLE).map(|v| log_sum_over_hidden(rbm, &bits(v, VISIBLE)).exp()).sum();
    sum.ln()
}

#[test]
fn free_energies_are_sums_over_the_hidden_units() {
    let values: Vec<f32> = (0..1 << VISIBLE).flat_map(|state| bits(state, VISIBLE)).collect();
    let rows = Rows::numbers(&values, VISIBLE).expect("whole rows");
    let rbm = machine(Units::Bernoulli, Units::Bernoulli, 1.0);
    let found = rbm.free_energies(&device(), rows).expect("they are computed");
    for (row, found) in values.chunks_exact(VISIBLE).zip(found) {
        let expected = -log_sum_over_hidden(&rbm, row);
        assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
    }
    for (visible, hidden) in [(Units::Gaussian, Units::Bernoulli), (Units::Bernoulli, Units::Gaussian)] {
        let rbm = machine(visible, hidden, 0.3);
        let found = rbm.free_energies(&device(), rows).expect("they are computed");
        for (row, found) in values.chunks_exact(VISIBLE).zip(found) {
            let expected = rbm.free_energy(row).expect("it fits");
            assert!((found - expected).abs() < 1e-4, "{visible:?}, {hidden:?}: {found}, not {expected}");
        }
    }
}

#[test]
fn partition_functions_are_summed_and_estimated() {
    let values: Vec<f32> = (0..20).flat_map(|state| bits(5 * state, VISIBLE)).collect();
    let rows = Rows::numbers(&values, VISIBLE).expect("whole rows");
    for scale in [0.2, 1.0] {
        let rbm = machine(Units::Bernoulli, Units::Bernoulli, scale);
        let expected = log_partition(&rbm);
        let summed = rbm.log_partition(&device()).expect("it is summed");
        assert!((summed - expected).abs() < 1e-4, "{summed}, not {expected}");
        let annealing = Annealing { temperatures: 1000, ..Annealing::default() };
        let found = rbm.annealed_partition(&device(), rows, &annealing).expect("it is estimated");
        assert!((found.log - expected).abs() < 0.05, "{found:?}, not {expected}");
        assert!(found.low < expected && expected < found.high && found.high - found.low < 0.3, "{found:?}");
    }
    let rbm = machine(Units::Bernoulli, Units::Bernoulli, 0.2);
    let one = Annealing { chains: 1, ..Annealing::default() };
    assert!(rbm.annealed_partition(&device(), rows, &one).is_err(), "one chain has no error");
    let large: Vec<f32> = values.iter().map(|x| 3.0 * x).collect();
    let large = Rows::numbers(&large, VISIBLE).expect("whole rows");
    assert!(rbm.annealed_partition(&device(), large, &Annealing::default()).is_err(), "these are not binary");
    let real = machine(Units::Gaussian, Units::Bernoulli, 0.2);
    assert!(real.annealed_partition(&device(), rows, &Annealing::default()).is_err());
    assert!(real.log_partition(&device()).is_err());
}

#[test]
fn pseudo_likelihoods_are_estimated_without_bias() {
    let values: Vec<f32> = (0..30).flat_map(|state| bits(4 * state, VISIBLE)).collect();
    let rows = Rows::numbers(&values, VISIBLE).expect("whole rows");
    let rbm = machine(Units::Bernoulli, Units::Bernoulli, 1.0);
    let mut expected = 0.0;
    for row in values.chunks_exact(VISIBLE) {
        for unit in 0..VISIBLE {
            let mut other = row.to_vec();
            other[unit] = 1.0 - other[unit];
            let [this, that] = [row, &other].map(|row| log_sum_over_hidden(&rbm, row));
            expected -= (1.0 + (that - this).exp()).ln() / rows.count as f64;
        }
    }
    let estimates = (0..200).map(|seed| rbm.pseudo_log_likelihood(&device(), rows, seed).expect("it is estimated"));
    let found = estimates.sum::<f64>() / 200.0;
    assert!((found - expected).abs() < 0.1, "{found}, not {expected}");
}
