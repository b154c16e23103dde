//! Contrastive divergence learns what it should.

use std::ops::ControlFlow;

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device};
use strait_data::Rows;
use strait_models::{Rbm, Stack, Units};
use strait_train::{Chain, Event, Pretrain, SparsityTarget};

/// Nets so small leave several workers nothing to do but to wait for each other.
fn one_thread() -> Device {
    Device::new(Cpu::with_threads(1).expect("threads start"))
}

/// Bars and stripes: 4 x 4 images whose rows, or columns, are all on or all off.
fn bars_and_stripes() -> Vec<f32> {
    let mut pixels = Vec::new();
    for pattern in 0..16u32 {
        let line = |i: usize| (pattern >> i & 1) as f32;
        pixels.extend((0..16).map(|i| line(i / 4)));
        pixels.extend((0..16).map(|i| line(i % 4)));
    }
    pixels
}

/// The mean exact log-likelihood of the rows.
fn log_likelihood(rbm: &Rbm, rows: &[f32]) -> f64 {
    let energies = rows.chunks_exact(16).map(|row| rbm.free_energy(row).expect("16 values"));
    let device = one_thread();
    -energies.sum::<f64>() / (rows.len() / 16) as f64 - rbm.log_partition(&device, None).expect("few hidden units")
}

fn trained(epochs: usize, cd_steps: usize) -> Rbm {
    let device = one_thread();
    let pixels = bars_and_stripes();
    let recipe = Pretrain {
        epochs,
        cd_steps,
        batch: 8,
        rate: 0.05,
        weight_cost: 0.0,
        code: Units::Bernoulli,
        seed: 5,
        ..Pretrain::default()
    };
    let rows = Rows::numbers(&pixels, 16).expect("whole rows");
    let trained = recipe.fit(&device, &[16, 12], rows).expect("it learns");
    trained.stack.rbms.into_iter().next().expect("one machine")
}

#[test]
fn exact_log_likelihood_rises_and_further_with_more_gibbs_steps() {
    let pixels = bars_and_stripes();
    let untrained =
        Rbm::new((16, Units::Bernoulli), (12, Units::Bernoulli), &mut Stream::new(5, 2)).expect("good sizes");
    let before = log_likelihood(&untrained, &pixels);
    let [one, ten] = [1, 10].map(|k| log_likelihood(&trained(100, k), &pixels));
    println!("log-likelihood: untrained {before:.3}, CD-1 {one:.3}, CD-10 {ten:.3}");
    // 30 different patterns, two of which come twice: no model is above −3.38.
    assert!(before + 2.0 < one && one + 0.5 < ten && ten < -3.38, "{before}, {one}, {ten}");
}

#[test]
fn gaussian_visible_units_find_the_mean() {
    let device = one_thread();
    let mut stream = Stream::new(11, 0);
    let mean = [3.0, -1.5, 0.25];
    let values: Vec<f32> = (0..3000).map(|i| mean[i % 3] + stream.next_normal()).collect();
    let rows = Rows::numbers(&values, 3).expect("whole rows");
    let recipe = Pretrain {
        epochs: 40,
        visible: Units::Gaussian,
        code: Units::Bernoulli,
        gaussian_rate: 0.01,
        weight_cost: 0.01,
        ..Pretrain::default()
    };
    let trained = recipe.fit(&device, &[3, 2], rows).expect("it learns");
    // The model's mean is that of reconstructions: a + E[h] Wᵀ.
    let net = trained.stack.unroll();
    let reconstructions = net.reconstruct(&device, rows).expect("it runs");
    for (unit, expected) in mean.iter().enumerate() {
        let sum: f64 = reconstructions.iter().skip(unit).step_by(3).map(|&x| f64::from(x)).sum();
        let found = sum / 1000.0;
        assert!((found - f64::from(*expected)).abs() < 0.1, "unit {unit}: {found} for {expected}");
    }
}

/// The same seed gives the same bits, for any number of threads; another seed gives others.
#[test]
fn the_seed_decides_every_bit() {
    let pixels: Vec<u8> = (0..50 * 60u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let rows = Rows::bytes(&pixels, 60).expect("whole rows");
    let weights = |threads: usize, seed: u64| {
        let device = Device::new(Cpu::with_threads(threads).expect("threads start"));
        let recipe = Pretrain { epochs: 3, batch: 7, seed, ..Pretrain::default() };
        let trained = recipe.fit(&device, &[60, 33, 5], rows).expect("it learns");
        let bits = |rbm: &Rbm| rbm.weight.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
        trained.stack.rbms.iter().flat_map(bits).collect::<Vec<_>>()
    };
    let reference = weights(1, 1);
    for threads in [1, 2, 4] {
        assert_eq!(weights(threads, 1), reference, "{threads} threads");
    }
    assert_ne!(weights(1, 2), reference, "another seed");
}

#[test]
fn wrong_settings_and_divergence_are_errors() {
    let device = one_thread();
    let values = vec![1e18; 40];
    let rows = Rows::numbers(&values, 4).expect("whole rows");
    let fit =
        |recipe: Pretrain, sizes: &[usize]| recipe.fit(&device, sizes, rows).expect_err("this cannot work").to_string();
    let base = Pretrain { visible: Units::Gaussian, ..Pretrain::default() };
    assert!(fit(Pretrain { batch: 0, ..base.clone() }, &[4, 2]).contains("batch is 0"));
    assert!(fit(Pretrain { rate: f32::NAN, ..base.clone() }, &[4, 2]).contains("rate is NaN"));
    assert!(fit(base.clone(), &[5, 2]).contains("4 values in a row, but the model takes 5"));
    assert!(fit(base.clone(), &[4, 0]).contains("none of them 0"));
    assert!(fit(Pretrain::default(), &[4, 2]).contains("values from 0 to 1"));
    assert!(fit(base, &[4, 2]).contains("diverged in epoch"));
}

/// Who stops the run gets the machines so far.
#[test]
fn a_stopped_run_leaves_the_machines_so_far() {
    let device = one_thread();
    let pixels: Vec<u8> = (0..200 * 12u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let rows = Rows::bytes(&pixels, 12).expect("whole rows");
    let recipe = Pretrain { epochs: 3, batch: 20, ..Pretrain::default() };
    let whole = recipe.fit(&device, &[12, 8, 4], rows).expect("it learns");
    let mut in_second = |event: &Event| match event {
        Event::Rows { stage, epoch: 2, .. } if stage == "RBM 8-4" => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let stopped =
        recipe.run(&device, &[12, 8, 4], rows).and_then(|run| run.observe(&mut in_second).train()).expect("it learns");
    assert!(stopped.stopped && !whole.stopped);
    assert_eq!(stopped.layers.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(stopped.stack.rbms[0], whole.stack.rbms[0], "the first machine was complete");
    let mut in_first = |event: &Event| match event {
        Event::Epoch { epoch: 1, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let early =
        recipe.run(&device, &[12, 8, 4], rows).and_then(|run| run.observe(&mut in_first).train()).expect("it learns");
    assert!(early.stopped);
    assert_eq!(early.stack.unroll().sizes(), [12, 8, 12]);
}

#[test]
fn persistent_chains_learn_what_contrastive_divergence_learns_and_more() {
    let pixels = bars_and_stripes();
    let device = one_thread();
    let rows = Rows::numbers(&pixels, 16).expect("whole rows");
    let likelihood = |chain: Chain| {
        let recipe = Pretrain {
            epochs: 5000,
            batch: 32,
            rate: 0.02,
            final_momentum: 0.5,
            weight_cost: 0.0,
            code: Units::Bernoulli,
            chain,
            seed: 5,
            ..Pretrain::default()
        };
        let trained = recipe.fit(&device, &[16, 12], rows).expect("it learns");
        log_likelihood(&trained.stack.rbms[0], &pixels)
    };
    let fast = Chain::FastPersistent { rate: 0.02 };
    let [data, persistent, fast] = [Chain::Data, Chain::Persistent, fast].map(likelihood);
    println!("log-likelihood: CD-1 {data:.3}, PCD-1 {persistent:.3}, FPCD-1 {fast:.3}");
    assert!(data < persistent && persistent < -3.38, "CD-1 {data}, PCD-1 {persistent}");
    assert!(data < fast && fast < -3.38, "CD-1 {data}, FPCD-1 {fast}");
}

#[test]
fn weights_stay_below_the_norm() {
    let pixels = bars_and_stripes();
    let device = one_thread();
    let rows = Rows::numbers(&pixels, 16).expect("whole rows");
    let longest = |max_norm: Option<f32>| {
        let recipe = Pretrain { epochs: 50, batch: 8, max_norm, code: Units::Bernoulli, ..Pretrain::default() };
        let trained = recipe.fit(&device, &[16, 12], rows).expect("it learns");
        let weight = &trained.stack.rbms[0].weight;
        let square = |j: usize| weight.iter().skip(j).step_by(12).map(|w| w * w).sum::<f32>();
        (0..12).map(square).fold(0.0, f32::max).sqrt()
    };
    assert!(longest(None) > 2.0);
    assert!(longest(Some(1.5)) < 1.5001);
}

#[test]
fn hidden_units_are_on_as_often_as_they_shall_be() {
    let mut stream = Stream::new(7, 0);
    let values: Vec<f32> = (0..400 * 20).map(|_| if stream.next_normal() > 0.3 { 1.0 } else { 0.0 }).collect();
    let device = one_thread();
    let rows = Rows::numbers(&values, 20).expect("whole rows");
    let mean = |sparsity: Option<SparsityTarget>| {
        let recipe = Pretrain { epochs: 60, batch: 20, sparsity, code: Units::Bernoulli, ..Pretrain::default() };
        let net = recipe.fit(&device, &[20, 10], rows).expect("it learns").stack.unroll();
        let codes = net.encode(&device, rows).expect("codes");
        codes.iter().sum::<f32>() / codes.len() as f32
    };
    let (free, held) = (mean(None), mean(Some(SparsityTarget { weight: 5.0, target: 0.1 })));
    assert!(free > 0.25 && (held - 0.1).abs() < 0.03, "{free} without a target, {held} with one");
    let wrong = Pretrain { sparsity: Some(SparsityTarget { weight: 1.0, target: 1.0 }), ..Pretrain::default() };
    assert!(wrong.check().is_err());
}

/// The features come from a pass over the finished machine, not from its last epoch, while it still changed.
#[test]
fn a_machine_learns_from_the_features_of_the_finished_one_below() {
    let rows = bars_and_stripes();
    let rows = Rows::numbers(&rows, 16).expect("whole rows");
    let units = Units::Bernoulli;
    let mut stream = Stream::new(4, 0);
    let below = Rbm::new((16, units), (6, units), &mut stream).expect("the sizes make sense");
    // Its hidden units are off, so that it reconstructs ½ everywhere: its error tells what it was given.
    let mut above = Rbm::new((6, units), (3, units), &mut stream).expect("the sizes make sense");
    above.weight.fill(0.0);
    above.hidden_bias.fill(-100.0);
    let recipe = Pretrain { epochs: 1, batch: rows.count, code: units, rate: 0.5, ..Pretrain::default() };
    let start = Stack { rbms: vec![below, above] };
    let run = recipe.run(&one_thread(), &[16, 6, 3], rows).and_then(|run| run.from(start));
    let trained = run.and_then(|run| run.train()).expect("it trains");
    let Rbm { weight, hidden_bias, .. } = &trained.stack.rbms[0];
    let mut expected = 0.0;
    for r in 0..rows.count {
        for (j, bias) in hidden_bias.iter().enumerate() {
            let terms = (0..16).map(|i| f64::from(rows.at(r, i)) * f64::from(weight[6 * i + j]));
            let feature = 1.0 / (1.0 + (-f64::from(*bias) - terms.sum::<f64>()).exp());
            expected += (feature - 0.5).powi(2) / rows.count as f64;
        }
    }
    let found = trained.layers[1][0].error;
    assert!((found / expected - 1.0).abs() < 1e-5, "{found}, not {expected}");
}
