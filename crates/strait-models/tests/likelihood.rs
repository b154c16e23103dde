//! Estimates of likelihoods against sums over all states of machines small enough to sum.

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device, Groups};
use strait_data::Rows;
use strait_models::{Annealing, Rbm, Units};

const VISIBLE: usize = 7;
const HIDDEN: usize = 5;

fn device() -> Device {
    Device::new(Cpu::with_threads(1).expect("threads start"))
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
        let summed = rbm.log_partition(&device(), None).expect("it is summed");
        assert!((summed - expected).abs() < 1e-4, "{summed}, not {expected}");
        let annealing = Annealing { temperatures: 1000, ..Annealing::default() };
        let found = rbm.annealed_partition(&device(), rows, None, &annealing).expect("it is estimated");
        assert!((found.log - expected).abs() < 0.05, "{found:?}, not {expected}");
        assert!(found.low < expected && expected < found.high && found.high - found.low < 0.3, "{found:?}");
    }
    let rbm = machine(Units::Bernoulli, Units::Bernoulli, 0.2);
    let one = Annealing { chains: 1, ..Annealing::default() };
    assert!(rbm.annealed_partition(&device(), rows, None, &one).is_err(), "one chain has no error");
    let large: Vec<f32> = values.iter().map(|x| 3.0 * x).collect();
    let large = Rows::numbers(&large, VISIBLE).expect("whole rows");
    assert!(rbm.annealed_partition(&device(), large, None, &Annealing::default()).is_err(), "these are not binary");
    let real = machine(Units::Bernoulli, Units::Gaussian, 0.2);
    assert!(real.annealed_partition(&device(), rows, None, &Annealing::default()).is_err());
    let real = machine(Units::Gaussian, Units::Gaussian, 0.2);
    assert!(real.log_partition(&device(), None).is_err(), "neither layer has finitely many states");
    let rectified = machine(Units::Rectified, Units::Bernoulli, 0.2);
    assert!(rectified.log_partition(&device(), None).is_err() && rectified.free_energies(&device(), rows).is_err());
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

/// A machine of other sizes, with random parameters.
fn sized(visible: (usize, Units), hidden: (usize, Units), scale: f32) -> Rbm {
    let mut stream = Stream::new(9, 0);
    let mut rbm = Rbm::new(visible, hidden, &mut stream).expect("good sizes");
    rbm.weight.iter_mut().for_each(|w| *w = scale * stream.next_normal());
    rbm.visible_bias.iter_mut().chain(&mut rbm.hidden_bias).for_each(|bias| *bias = 0.5 * stream.next_normal());
    rbm
}

fn log_sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().map(f64::exp).sum::<f64>().ln()
}

/// aᵀv + bᵀh + vᵀW h
fn product(rbm: &Rbm, v: &[f32], h: &[f64]) -> f64 {
    let dot = |x: &[f32], y: &[f64]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * y).sum::<f64>();
    let v: Vec<f64> = v.iter().map(|&v| f64::from(v)).collect();
    let rows = rbm.weight.chunks_exact(h.len()).zip(&v).map(|(row, v)| v * dot(row, h));
    dot(&rbm.visible_bias, &v) + dot(&rbm.hidden_bias, h) + rows.sum::<f64>()
}

/// The states of two binary units and two groups of three.
fn grouped_states() -> Vec<Vec<f32>> {
    let state = |i: usize| {
        let mut v = vec![(i & 1) as f32, (i >> 1 & 1) as f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        v[2 + i / 4 % 3] = 1.0;
        v[5 + i / 12] = 1.0;
        v
    };
    (0..36).map(state).collect()
}

const GROUPED: Units = Units::Softmax(Groups { first: 2, classes: 3 });

#[test]
fn groups_of_visible_units_are_summed_and_estimated() {
    let rbm = sized((8, GROUPED), (4, Units::Bernoulli), 0.8);
    let states = grouped_states();
    let hidden: Vec<Vec<f64>> = (0..16).map(|h| bits(h, 4).into_iter().map(f64::from).collect()).collect();
    let free = |v: &[f32]| -log_sum(hidden.iter().map(|h| product(&rbm, v, h)));
    let expected = log_sum(states.iter().map(|v| -free(v)));
    let found = rbm.log_partition(&device(), None).expect("it is summed");
    assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    let rows = states.concat();
    let rows = Rows::numbers(&rows, 8).expect("whole rows");
    for (v, found) in states.iter().zip(rbm.free_energies(&device(), rows).expect("they are computed")) {
        assert!((found - free(v)).abs() < 1e-4);
    }
    let annealing = Annealing { temperatures: 1000, chains: 200, ..Annealing::default() };
    let estimate = rbm.annealed_partition(&device(), rows, None, &annealing).expect("it is estimated");
    assert!((estimate.log - expected).abs() < 0.05, "{estimate:?}, not {expected}");

    let mut conditional = 0.0;
    for v in &states {
        let log = |other: &[f32]| -free(other);
        for unit in 0..2 {
            let mut other = v.clone();
            other[unit] = 1.0 - other[unit];
            conditional += log(v) - log_sum([log(v), log(&other)]);
        }
        for start in [2, 5] {
            let logs = (0..3).map(|class| {
                let mut other = v.clone();
                other[start..start + 3].fill(0.0);
                other[start + class] = 1.0;
                log(&other)
            });
            conditional += log(v) - log_sum(logs);
        }
    }
    let expected = conditional / states.len() as f64;
    let estimates = (0..200).map(|seed| rbm.pseudo_log_likelihood(&device(), rows, seed).expect("it is estimated"));
    let found = estimates.sum::<f64>() / 200.0;
    assert!((found - expected).abs() < 0.1, "{found}, not {expected}");
}

/// Documents of three words: all sequences of them.
#[test]
fn documents_are_summed_and_estimated_by_their_length() {
    let rbm = sized((4, Units::Softmax(Groups::one(4))), (3, Units::Bernoulli), 0.5);
    let mut documents = Vec::new();
    for sequence in 0..64 {
        let mut counts = vec![0.0; 4];
        [sequence % 4, sequence / 4 % 4, sequence / 16].into_iter().for_each(|word| counts[word] += 1.0f32);
        documents.push(counts);
    }
    let expected = log_sum(documents.iter().map(|counts| -rbm.free_energy(counts).expect("it fits")));
    let given = [0.0, 2.0, 0.0, 1.0];
    let found = rbm.log_partition(&device(), Some(&given)).expect("it is summed");
    assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    let rows = documents.concat();
    let rows = Rows::numbers(&rows, 4).expect("whole rows");
    let annealing = Annealing { temperatures: 1000, chains: 200, ..Annealing::default() };
    let estimate = rbm.annealed_partition(&device(), rows, Some(&given), &annealing).expect("it is estimated");
    assert!((estimate.log - expected).abs() < 0.05, "{estimate:?}, not {expected}");
    assert!(rbm.pseudo_log_likelihood(&device(), rows, 1).is_err(), "groups with several units have none");
}

/// Real-valued visible units with deviations of their own, integrated over a grid.
#[test]
fn gaussian_visible_units_are_integrated_and_estimated() {
    let mut rbm = sized((2, Units::Gaussian), (3, Units::Bernoulli), 0.7);
    rbm.deviation = Some(vec![0.5, 2.0]);
    let grid: Vec<Vec<f32>> =
        (0..201 * 201).map(|i| [i % 201, i / 201].map(|x| (x as f32 - 100.0) * 0.12).to_vec()).collect();
    let energies: Vec<f64> = grid.iter().map(|v| rbm.free_energy(v).expect("it fits")).collect();
    let expected = log_sum(energies.iter().map(|energy| -energy)) + 2.0 * 0.12f64.ln();
    let found = rbm.log_partition(&device(), None).expect("it is summed");
    assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
    let rows = grid[..1000].concat();
    let rows = Rows::numbers(&rows, 2).expect("whole rows");
    for (energy, found) in energies.iter().zip(rbm.free_energies(&device(), rows).expect("they are computed")) {
        assert!((found - energy).abs() < 1e-4 * energy.abs().max(1.0), "{found}, not {energy}");
    }
    let rows = Rows::numbers(&[0.3, -0.5, 0.1, 0.7], 2).expect("whole rows");
    let annealing = Annealing { temperatures: 1000, chains: 200, ..Annealing::default() };
    let estimate = rbm.annealed_partition(&device(), rows, None, &annealing).expect("it is estimated");
    assert!((estimate.log - expected).abs() < 0.05, "{estimate:?}, not {expected}");
    // The layers of the unrolled machine are those of v / σ.
    let net = strait_models::Stack { rbms: vec![rbm.clone()] }.unroll();
    let code = net.encode(&device(), rows).expect("codes");
    let input =
        f64::from(rbm.hidden_bias[0]) + f64::from(0.3 / 0.5 * rbm.weight[0]) + f64::from(-0.5 / 2.0 * rbm.weight[3]);
    assert!((f64::from(code[0]) - 1.0 / (1.0 + (-input).exp())).abs() < 1e-6);
}

/// Hidden units of every kind, against their states one by one: binary copies for rectified units, a grid for Gaussian ones.
#[test]
fn hidden_units_of_every_kind_are_summed() {
    let visible: Vec<Vec<f32>> = (0..8).map(|v| bits(v, 3)).collect();
    let compare = |rbm: &Rbm, left: &dyn Fn(&[f32]) -> f64, tolerance: f64| {
        for v in &visible {
            let (found, expected) = (rbm.free_energy(v).expect("it fits"), -left(v));
            assert!((found - expected).abs() < tolerance, "{:?}: {found}, not {expected}", rbm.hidden);
        }
        let expected = log_sum(visible.iter().map(|v| left(v)));
        let found = rbm.log_partition(&device(), None).expect("it is summed");
        assert!((found - expected).abs() < tolerance, "{:?}: {found}, not {expected}", rbm.hidden);
    };
    let rbm = sized((3, Units::Bernoulli), (1, Units::Gaussian), 0.8);
    let b = f64::from(rbm.hidden_bias[0]);
    let integral = |v: &[f32]| {
        let points = (-2000..2000).map(|i| f64::from(i) / 100.0);
        log_sum(points.map(|h| product(&rbm, v, &[h]) - b * h - 0.5 * (h - b).powi(2))) - 100f64.ln()
    };
    compare(&rbm, &integral, 1e-6);
    let rbm = sized((3, Units::Bernoulli), (4, Units::Softmax(Groups { first: 1, classes: 3 })), 0.8);
    let states = (0..6).map(|i| {
        let mut h = vec![f64::from(i % 2), 0.0, 0.0, 0.0];
        h[1 + i as usize / 2] = 1.0;
        h
    });
    let states: Vec<Vec<f64>> = states.collect();
    compare(&rbm, &|v| log_sum(states.iter().map(|h| product(&rbm, v, h))), 1e-6);
    // Twelve copies, whose biases fall, of a unit that is mostly off.
    let mut rbm = sized((3, Units::Bernoulli), (1, Units::Rectified), 0.8);
    rbm.hidden_bias[0] = -2.0;
    let copies = |v: &[f32]| {
        let states = (0..1 << 12).map(|state: u32| {
            let offsets: f64 = (0..12).filter(|i| state >> i & 1 == 1).map(|i| f64::from(i) + 0.5).sum();
            product(&rbm, v, &[f64::from(state.count_ones())]) - offsets
        });
        log_sum(states)
    };
    compare(&rbm, &copies, 1e-4);
}
