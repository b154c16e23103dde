//! Training through wgpu: the CPU's results, the same bits twice, and typed errors for a GPU's faults.

#[path = "../../../tests/common/adapter.rs"]
mod adapter;

use std::ops::ControlFlow;
use std::time::Duration;

use adapter::open;

use strait_compute::philox::Stream;
use strait_compute::{Activation, Cell, Cpu, Device, Gpu, Groups, Missing, Noise};
use strait_data::{Labelled, Rows};
use strait_device::{Error as GpuError, Options, Selector};
use strait_models::{
    Annealing, Autoencoder, AuxK, Classifier, Dbn, Feeding, Rbm, SequenceAutoencoder, SequenceShape, Thresholds, Units,
    Vae,
};
use strait_train::{
    Chain, CheckpointOptions, Checkpoints, Error, Event, FineTune, Inference, Member, Objective, Optimizer, Penalty,
    PredictiveSparse, Pretrain, SparsityTarget, UpDown,
};

fn device(gpu: &strait_device::Gpu) -> Device {
    Device::new(Gpu::from_device(gpu.clone()))
}

const WIDTH: usize = 40;

/// Rows of smooth random curves as bytes.
fn pixels() -> Vec<u8> {
    let mut stream = strait_compute::philox::Stream::new(3, 0);
    let mut row = || {
        let (phase, speed) = (stream.next_normal(), 0.2 + 0.1 * stream.next_normal());
        (0..WIDTH).map(|c| (127.0 + 127.0 * (phase + speed * c as f32).sin()) as u8).collect::<Vec<_>>()
    };
    (0..300).flat_map(|_| row()).collect()
}

/// Pretrains and fine-tunes; gives the net and its error.
fn train(device: &Device, rows: Rows<'_>) -> Result<(Autoencoder, f64), Error> {
    // The last minibatch is smaller.
    let recipe = Pretrain { epochs: 3, batch: 16, ..Pretrain::default() };
    let mut net = recipe.fit(device, &[WIDTH, 24, 6], rows)?.stack.unroll();
    FineTune { epochs: 5, batch: 16, ..FineTune::default() }.run(device, &mut net, rows)?.test(rows)?.train()?;
    let error = net.error(device, rows)?;
    Ok((net, error))
}

fn bits(net: &Autoencoder) -> Vec<u32> {
    net.layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias)).map(|x| x.to_bits()).collect()
}

#[test]
fn a_gpu_learns_what_the_cpu_learns_and_the_same_bits_twice() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let (_, on_cpu) = train(&Device::new(Cpu::with_threads(2).expect("threads start")), rows).expect("the CPU learns");
    let (net, on_gpu) = train(&device(&gpu), rows).expect("the GPU learns");
    assert!((on_gpu / on_cpu - 1.0).abs() < 0.02, "error {on_gpu} on the GPU, {on_cpu} on the CPU");
    let (again, _) = train(&device(&gpu), rows).expect("the GPU learns");
    assert_eq!(bits(&net), bits(&again));
}

#[test]
fn kernels_of_all_machines_are_compiled_before_the_first_is_trained() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let (device, pixels) = (device(&gpu), pixels());
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let recipe = Pretrain { epochs: 1, batch: 20, ..Pretrain::default() };
    let mut counts = Vec::new();
    let mut count = |_: &Event| {
        counts.push(device.kernels().len());
        ControlFlow::Continue(())
    };
    recipe.run(&device, &[WIDTH, 24, 6], rows).and_then(|run| run.observe(&mut count).train()).expect("the GPU learns");
    assert!(counts[0] > 0 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn what_was_prepared_is_not_compiled_again() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let (device, pixels) = (device(&gpu), pixels());
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let mut net = Autoencoder::glorot(&[WIDTH, 24, 6], 3).expect("the sizes make sense");
    let recipe = FineTune { epochs: 1, batch: 20, ..FineTune::default() };
    // The weights of this net are to be tied, and are not equal yet.
    net.tied = true;
    recipe.prepare(&device, &net, rows, Some(rows)).expect("it compiles");
    let prepared = device.kernels().len();
    net.tie().expect("it has as many layers either way");
    recipe.run(&device, &mut net, rows).and_then(|run| run.test(rows)?.train()).expect("the GPU learns");
    assert!(prepared > 0 && device.kernels().len() == prepared);
}

/// Whether both devices compute the same loss and gradient.
fn same_gradient(what: &str, gpu: &strait_device::Gpu, recipe: &FineTune, net: &impl Member) {
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows").first(50);
    let cpu = Device::new(Cpu::with_threads(2).expect("threads start"));
    let [(loss, expected), (found_loss, found)] =
        [&cpu, &device(gpu)].map(|device| recipe.gradient(device, net, rows).expect("it has a gradient"));
    assert!((found_loss / loss - 1.0).abs() < 1e-4, "{what}: a loss of {found_loss}, not {loss}");
    for (found, expected) in found.iter().zip(&expected) {
        let pairs = found.weight.iter().chain(&found.bias).zip(expected.weight.iter().chain(&expected.bias));
        let (error, size) = pairs
            .fold((0.0, 0.0), |(error, size), (x, y)| (error + f64::from(x - y).powi(2), size + f64::from(*y).powi(2)));
        assert!(error < 1e-8 * size, "{what}: a normalised error of {}", error / size);
    }
}

#[test]
fn a_gpu_trains_every_member_of_the_family() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let net = |units: Activation| {
        let mut net = Autoencoder::glorot(&[WIDTH, 24], 3).expect("the sizes make sense");
        net.layers[0].activation = units;
        net
    };
    let plain = FineTune::default();
    let missing = Noise::Missing(Missing { first: 15, share: 0.4 });
    for noise in [Noise::Masking(0.3), Noise::SaltAndPepper(0.3), Noise::Gaussian(0.3), missing] {
        let noisy = Autoencoder { corruption: Some(noise), ..net(Activation::Logistic) };
        same_gradient(&format!("{noise:?}"), &gpu, &plain, &noisy);
    }
    let sparsity = Penalty::Sparsity { weight: 0.5, target: 0.1 };
    for penalty in [Penalty::L1 { weight: 0.5 }, sparsity, Penalty::Contractive { weight: 0.5 }] {
        let sparse = Autoencoder { penalty: Some(penalty), ..net(Activation::Logistic) };
        same_gradient(&format!("{penalty:?}"), &gpu, &plain, &sparse);
    }
    same_gradient("k-sparse", &gpu, &plain, &Autoencoder { top_k: Some(5), ..net(Activation::Relu) });
    let listed = Autoencoder { top_k: Some(2), unit_rows: true, ..net(Activation::Relu) };
    same_gradient("k-sparse, listed, rows of length 1", &gpu, &plain, &listed);
    for thresholds in [Thresholds::BatchTopK { k: 2 }, Thresholds::JumpRelu { k: 2, bandwidth: 0.3, weight: 0.5 }] {
        let mut above = Autoencoder { thresholds: Some(thresholds), ..net(Activation::Relu) };
        above.layers[0].threshold = Some(vec![0.2; 24]);
        same_gradient(&format!("{thresholds:?}"), &gpu, &plain, &above);
    }
    let aux_k = Some(AuxK { k: 3, weight: 0.5, after: 1 });
    let squared = FineTune { objective: Objective::SquaredError, ..plain.clone() };
    let mut dead = Autoencoder { top_k: Some(2), aux_k, ..net(Activation::Relu) };
    dead.layers[1].activation = Activation::Linear;
    same_gradient("AuxK", &gpu, &squared, &dead);
    let inference = Inference { rate: 0.02, ..Inference::default() };
    let sparse = PredictiveSparse::new(WIDTH, 30, inference, 3).expect("the settings make sense");
    let squared = FineTune { objective: Objective::SquaredError, ..plain.clone() };
    same_gradient("predictive sparse", &gpu, &squared, &sparse);
    let mut tied = net(Activation::Logistic);
    tied.tie().expect("the sizes are mirrored");
    same_gradient("tied", &gpu, &plain, &tied);
    let convolutional = Autoencoder::convolutional([5, 8, 1], &[6, 4], 3, 3).expect("the windows fit");
    same_gradient("convolutional", &gpu, &plain, &convolutional);
    for (cell, feeding) in [(Cell::Lstm, Feeding::Code), (Cell::Gru, Feeding::Code), (Cell::Lstm, Feeding::Previous)] {
        let shape = SequenceShape {
            cell,
            feeding,
            units: 12,
            depth: 2,
            bidirectional: true,
            outputs: Activation::Logistic,
            ..SequenceShape::of(8, WIDTH / 8)
        };
        let net = SequenceAutoencoder::new(shape, 3).expect("the shape makes sense");
        same_gradient(&format!("{} fed with {feeding:?}", cell.name()), &gpu, &plain, &net);
    }
    let vae = Vae::glorot(&[WIDTH, 20, 6], Activation::Tanh, 3).expect("the sizes make sense");
    same_gradient("variational", &gpu, &plain, &Vae { kl_weight: 0.7, ..vae });
}

#[test]
fn a_gpu_trains_and_measures_machines_with_persistent_chains() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let pixels: Vec<u8> = pixels().iter().map(|&x| if x > 127 { 255 } else { 0 }).collect();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let cpu = Device::new(Cpu::with_threads(2).expect("threads start"));
    let machine = |device: &Device, chain: Chain| -> Rbm {
        let recipe = Pretrain {
            epochs: 3,
            // The last minibatch is not full.
            batch: 21,
            chain,
            max_norm: Some(2.0),
            sparsity: Some(SparsityTarget { weight: 0.5, target: 0.3 }),
            code: Units::Bernoulli,
            ..Pretrain::default()
        };
        let trained = recipe.fit(device, &[WIDTH, 10], rows).expect("it learns");
        trained.stack.rbms.into_iter().next().expect("one machine")
    };
    let annealing = Annealing { temperatures: 60, chains: 40, ..Annealing::default() };
    let measure = |device: &Device, rbm: &Rbm| {
        let energies = rbm.free_energies(device, rows).expect("they are computed");
        let mean = energies.iter().sum::<f64>() / energies.len() as f64;
        let estimate = rbm.annealed_partition(device, rows, None, &annealing).expect("it is estimated");
        [mean, rbm.log_partition(device, None).expect("it is summed"), estimate.log]
    };
    let likelihood = |device: &Device, rbm: &Rbm| {
        let [energy, log_z, _] = measure(device, rbm);
        -energy - log_z
    };
    for chain in [Chain::Persistent, Chain::FastPersistent { rate: 0.05 }] {
        let [on_cpu, on_gpu] = [&cpu, &device(&gpu)].map(|device| machine(device, chain));
        // The same machine on both, then each one's own.
        for (x, y) in measure(&cpu, &on_cpu).into_iter().zip(measure(&device(&gpu), &on_cpu)) {
            assert!((x - y).abs() < 0.05, "{x} on the CPU, {y} on the GPU");
        }
        let [one, other] = [likelihood(&cpu, &on_cpu), likelihood(&device(&gpu), &on_gpu)];
        assert!((one - other).abs() < 0.5, "{chain:?}: log-likelihoods of {one} on the CPU, {other} on the GPU");
    }
}

#[test]
fn a_gpu_trains_machines_of_every_kind_and_belief_nets() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let pixels: Vec<u8> = pixels().iter().map(|&x| if x > 127 { 255 } else { 0 }).collect();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let labels: Vec<u32> = (0..rows.count).map(|row| (row % 3) as u32).collect();
    let labelled = Labelled::new(rows, &labels, 3).expect("a label for each");
    let cpu = Device::new(Cpu::with_threads(2).expect("threads start"));
    let visible = Units::Softmax(Groups { first: WIDTH, classes: 3 });
    // The last minibatch is not full.
    let base = Pretrain { epochs: 3, batch: 21, code: Units::Bernoulli, ..Pretrain::default() };
    let tempered = Chain::Tempered { chains: 3, hottest: 0.5 };
    for recipe in [
        Pretrain { visible, chain: tempered, ..base.clone() },
        Pretrain { visible, centred: true, absolute_cost: 0.001, ..base.clone() },
        Pretrain { visible: Units::Gaussian, deviation_rate: Some(0.01), ..base.clone() },
        Pretrain { visible, code: Units::Rectified, gaussian_rate: 0.01, ..base.clone() },
    ] {
        let rows = if recipe.visible == Units::Gaussian { rows } else { labelled.rows() };
        let train = |device: &Device| {
            let trained =
                recipe.run(device, &[rows.width, 10], rows).and_then(|run| run.held_out(rows.first(20))?.train());
            let trained = trained.expect("it learns");
            let epoch = trained.layers[0][2];
            (epoch.error, epoch.free_energy_gap, trained.stack.rbms[0].weight.clone())
        };
        let [(error, gap, weight), (other, other_gap, other_weight)] = [&cpu, &device(&gpu)].map(train);
        assert!((error - other).abs() < 0.02 * error, "{recipe:?}: errors of {error} and {other}");
        // The same bits are drawn, of which few fall on the other side of a probability.
        let far = weight.iter().zip(&other_weight).filter(|(x, y)| (*x - *y).abs() > 0.05).count();
        assert!(far < weight.len() / 20, "{recipe:?}: {far} of {} weights differ", weight.len());
        assert_eq!(gap.is_some() && other_gap.is_some(), recipe.code == Units::Bernoulli);
        if let (Some(gap), Some(other)) = (gap, other_gap) {
            assert!((gap - other).abs() < 0.1 * (1.0 + gap.abs()), "{recipe:?}: gaps of {gap} and {other}");
        }
    }
    let below = base.fit(&cpu, &[WIDTH, 12], rows).expect("it learns").stack;
    let net = Dbn::on(&below, 3, 16, &mut Stream::new(1, 0)).expect("it is made");
    for persistent in [false, true] {
        let recipe = UpDown { epochs: 3, batch: 21, persistent, discriminative: 0.5, ..UpDown::default() };
        let train = |device: &Device| {
            let mut net = net.clone();
            let trained = recipe.fit(device, &mut net, labelled.rows()).expect("it learns");
            let read = net.predict(device, rows).expect("it reads");
            let drawn = net.generate(device, 1, rows.first(10), 20, 3).expect("it draws");
            (trained.epochs[2].error, read, drawn.iter().sum::<f32>())
        };
        let [(error, read, drawn), (other, other_read, other_drawn)] = [&cpu, &device(&gpu)].map(train);
        assert!((error - other).abs() < 0.02 * error, "errors of {error} and {other}");
        let same = read.iter().zip(&other_read).filter(|(x, y)| x == y).count();
        assert!(same * 10 > read.len() * 9, "{same} of {} rows are read alike", read.len());
        assert!((drawn - other_drawn).abs() < 0.2 * drawn, "{drawn} and {other_drawn} of all pixels drawn are on");
    }
}

fn gpu_error(error: Error) -> GpuError {
    match error {
        Error::Compute(strait_compute::Error::Gpu(error)) => error,
        Error::BrokeOff { cause, epochs: 1.., rows: 1.., .. } => match *cause {
            strait_compute::Error::Gpu(error) => error,
            other => panic!("not an error of the GPU: {other}"),
        },
        Error::Model(strait_models::Error::Compute(strait_compute::Error::Gpu(error))) => error,
        other => panic!("not an error of the GPU: {other}"),
    }
}

#[test]
fn a_device_destroyed_in_the_middle_of_an_epoch_is_an_error_and_a_fresh_one_gives_the_same_bits() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let (expected, _) = train(&device(&gpu), rows).expect("the GPU learns");
    // Destroyed at each of the first moments that an observer sees, in pretraining and in fine-tuning.
    for moment in [0, 1, 4, 11] {
        let doomed = open(Options::default()).expect("it opened before");
        let mut seen = 0;
        let mut destroy = |_: &Event| {
            if seen == moment {
                doomed.destroy();
            }
            seen += 1;
            ControlFlow::Continue(())
        };
        let recipe = Pretrain { epochs: 3, batch: 20, ..Pretrain::default() };
        let error = recipe
            .run(&device(&doomed), &[WIDTH, 24, 6], rows)
            .and_then(|run| run.observe(&mut destroy).train())
            .expect_err("the device is gone");
        assert!(matches!(gpu_error(error), GpuError::Lost { .. }), "moment {moment}");
        let mut net = expected.clone();
        let error = FineTune::default().fit(&device(&doomed), &mut net, rows).expect_err("it stays gone");
        assert!(matches!(gpu_error(error), GpuError::Lost { .. }), "moment {moment}");
        assert_eq!(bits(&net), bits(&expected), "a failed run leaves the net alone");
    }
    let fresh = open(Options::default()).expect("it opened before");
    let (again, _) = train(&device(&fresh), rows).expect("the fresh device learns");
    assert_eq!(bits(&again), bits(&expected));
}

#[test]
fn a_run_whose_device_is_lost_goes_on_from_its_checkpoint_on_a_fresh_one() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let (pretrain, tune) =
        (Pretrain { epochs: 3, batch: 20, ..Pretrain::default() }, FineTune { epochs: 4, ..FineTune::default() });
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Trains with a checkpoint after each epoch; the device may be destroyed at a moment.
    let train = |gpu: &strait_device::Gpu, resume: bool, doomed: Option<usize>| -> Result<Autoencoder, Error> {
        let options =
            CheckpointOptions { every: Duration::MAX, epochs: Some(1), resume, ..CheckpointOptions::default() };
        let kept = Checkpoints::open(folder.path(), options)?;
        let seen = std::cell::Cell::new(0);
        let destroy = |event: &Event| {
            if Some(seen.get()) == doomed {
                gpu.destroy();
            }
            seen.set(seen.get() + usize::from(matches!(event, Event::Rows { .. } | Event::Epoch { .. })));
            ControlFlow::Continue(())
        };
        let run = pretrain.run(&device(gpu), &[WIDTH, 24, 6], rows)?.observe(destroy);
        let mut net = run.checkpoints(&kept, "pretraining").train()?.stack.unroll();
        let run = tune.run(&device(gpu), &mut net, rows)?.test(rows)?.observe(destroy);
        run.checkpoints(&kept, "fine-tuning").train()?;
        Ok(net)
    };
    let expected = train(&gpu, false, None).expect("the GPU learns");
    // At each fifth of the first 20 moments, or at all of them.
    let every = if std::env::var_os("STRAIT_KILLS").is_some() { 1 } else { 5 };
    let (mut lost, mut runs) = (0, 0);
    for moment in (0..20).step_by(every) {
        runs += 1;
        let doomed = open(Options::default()).expect("it opened before");
        if let Err(error) = train(&doomed, false, Some(moment)) {
            assert!(matches!(gpu_error(error), GpuError::Lost { .. }), "moment {moment}");
            lost += 1;
        }
        let fresh = open(Options::default()).expect("it opened before");
        let net = train(&fresh, true, None).expect("a fresh device goes on");
        assert_eq!(bits(&net), bits(&expected), "lost at moment {moment}");
    }
    println!("the device was lost in {lost} of {runs} runs, all of which went on to the same bits");
    assert!(4 * lost >= 3 * runs, "the device was lost in {lost} of {runs} runs");
}

#[test]
fn a_device_lost_before_its_first_submission_is_an_error() {
    let Some(gpu) = open(Options::default()) else {
        return;
    };
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let mut destroy = |_: &Event| {
        gpu.destroy();
        ControlFlow::Continue(())
    };
    let recipe = Pretrain { epochs: 1, ..Pretrain::default() };
    let error = recipe
        .run(&device(&gpu), &[WIDTH, 3], rows)
        .and_then(|run| run.observe(&mut destroy).train())
        .expect_err("the device is gone");
    assert!(matches!(gpu_error(error), GpuError::Lost { .. }));
}

/// Where the driver tells how much memory is in use, a device can be made to give itself up at its first submission.
#[test]
fn a_device_that_gives_itself_up_is_an_error() {
    let Some(gpu) = open(Options { loss_percent: Some(0), ..Options::default() }) else {
        return;
    };
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    match train(&device(&gpu), rows) {
        Err(error) => assert!(matches!(gpu_error(error), GpuError::Lost { .. })),
        Ok(_) => eprintln!("SKIPPED: `{}` does not tell how much memory is in use", gpu.describe()),
    }
}

/// Layers and minibatches that are larger than the device's largest buffer lie in several, with the bits of a device
/// that holds them whole.
#[test]
fn layers_larger_than_a_buffer_change_no_bit() {
    let (Some(whole), Some(small)) =
        (open(Options::default()), open(Options { buffer_limit: Some(8192), ..Options::default() }))
    else {
        return;
    };
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let (batch, widths) = (100, [WIDTH, 100, 30]);
    assert!(4 * WIDTH * widths[1] > 8192 && 4 * batch * widths[1] > 8192, "weights and activities exceed the limit");
    let [expected, found] = [&whole, &small].map(|gpu| {
        let recipe = Pretrain { epochs: 1, batch, ..Pretrain::default() };
        let stack = recipe.fit(&device(gpu), &widths, rows).expect("the GPU pretrains").stack;
        let mut net = stack.unroll();
        let recipe = FineTune { epochs: 1, batch, ..FineTune::default() };
        recipe.fit(&device(gpu), &mut net, rows).expect("the GPU fine-tunes");
        bits(&net)
    });
    assert_eq!(found, expected);
}

#[test]
fn tensors_that_no_device_can_hold_are_named() {
    let Some(gpu) = open(Options { buffer_limit: Some(8192), most_buffers: Some(8), ..Options::default() }) else {
        return;
    };
    let error = gpu.buffer("weights", 20 << 30).expect_err("kernels number 2^32 words");
    let message = error.to_string();
    assert!(matches!(error, GpuError::TooLarge { .. }), "{message}");
    assert!(message.contains("`weights`") && message.contains("21474836480"), "{message}");
    let pixels = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let recipe = Pretrain { batch: 20, ..Pretrain::default() };
    let error = recipe.fit(&device(&gpu), &[WIDTH, 1000], rows).expect_err("20 pieces are too many");
    let message = error.to_string();
    assert!(message.contains("`linear") && message.contains("allows 8"), "{message}");
}

/// Data, activities and results that are larger than the device's largest buffer go through it in parts, with the bits
/// of a device that holds them whole.
#[test]
fn data_larger_than_the_device_change_no_bit() {
    let (Some(whole), Some(small)) =
        (open(Options::default()), open(Options { buffer_limit: Some(8192), ..Options::default() }))
    else {
        return;
    };
    let pixels = pixels();
    let numbers: Vec<f32> = pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let bytes = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    assert!(bytes.count * WIDTH > 8192, "the data are larger than the limit");
    for rows in [bytes, Rows::numbers(&numbers, WIDTH).expect("whole rows")] {
        let (expected, expected_error) = train(&device(&whole), rows).expect("the GPU learns");
        let (net, error) = train(&device(&small), rows).expect("it learns in parts");
        assert_eq!(bits(&net), bits(&expected));
        assert_eq!(error, expected_error);
        let codes = |gpu| net.encode(&device(gpu), rows).expect("it encodes");
        assert_eq!(codes(&small), codes(&whole));
        let recipe = FineTune {
            epochs: 1,
            batch: 20,
            optimizer: Optimizer::ConjugateGradients { searches: 2 },
            ..FineTune::default()
        };
        let [one, other] = [&whole, &small].map(|gpu| {
            let mut net = net.clone();
            recipe.fit(&device(gpu), &mut net, rows).expect("it learns");
            bits(&net)
        });
        assert_eq!(one, other, "conjugate gradients");
    }
    // Rows with their classes behind them.
    let labels: Vec<u32> = (0..bytes.count).map(|i| (i % 3) as u32).collect();
    let labelled = Labelled::new(bytes, &labels, 3).expect("as many labels as rows");
    let [one, other] = [&whole, &small].map(|gpu| {
        let mut net = Classifier::glorot(&[WIDTH, 24, 3], Activation::Tanh, 3).expect("the sizes make sense");
        let recipe = FineTune { epochs: 2, batch: 20, ..FineTune::default() };
        let tuned =
            recipe.run(&device(gpu), &mut net, labelled.rows()).and_then(|run| run.test(labelled.rows())?.train());
        let errors: Vec<_> = tuned.expect("it learns").epochs.iter().map(|epoch| epoch.test_error).collect();
        (net, errors)
    });
    assert_eq!(one, other, "classifier");
    // An observer stops a run in the middle of a part.
    let mut stop = |event: &Event| match event {
        Event::Rows { done: 100.., .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let recipe = Pretrain { epochs: 1, batch: 20, ..Pretrain::default() };
    let run = recipe.run(&device(&small), &[WIDTH, 24], bytes).expect("the settings make sense");
    assert!(run.observe(&mut stop).train().expect("it stops").stopped);
}

/// Where the driver tells how much memory is in use, allocations can be made to fail.
#[test]
fn memory_that_runs_out_is_an_error_and_the_device_lives_on() {
    // The lowest threshold at which the device opens: what it then has left is little.
    let Some(full) = open(Options::default()) else {
        return;
    };
    let name = full.name().to_owned();
    let with = |percent| {
        let options = Options { memory_percent: Some(percent), ..Options::default() };
        strait_device::Gpu::open_with(&Selector::Name(name.clone()), options).ok()
    };
    let gpu = (0..=100).find_map(with).expect("at 100 per cent it opens as it did before");
    let mut kept = Vec::new();
    let refusal =
        (0..16).find_map(|_| gpu.buffer("ballast", gpu.largest_tensor()).map(|buffer| kept.push(buffer)).err());
    match refusal {
        Some(error) => assert!(matches!(error, GpuError::OutOfMemory { .. }), "{error}"),
        None => eprintln!("SKIPPED: `{}` does not tell how much memory is in use", gpu.describe()),
    }
    drop(kept);
    gpu.check().expect("the device lives on");
    gpu.buffer("small", 16).expect("there is room for a small buffer");
}
