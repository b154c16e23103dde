//! Early stopping, best parameters and the reduction of the rate on a plateau, in runs that are interrupted, too.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device};
use strait_data::{Centre, Labelled, Rows, Standard};
use strait_models::{Affine, Autoencoder, Dbn, Units};
use strait_train::{
    CheckpointOptions, Checkpoints, EarlyStopping, Event, FineTune, KSparse, Objective, OnDivergence, Optimizer,
    Pretrain, ReduceOnPlateau, Schedule, Stacked, UpDown,
};

const WIDTH: usize = 8;
const SELDOM: CheckpointOptions = CheckpointOptions {
    every: Duration::MAX,
    epochs: None,
    resume: false,
    allow_changes: false,
    on_divergence: OnDivergence::Stop,
};

fn device() -> Device {
    Device::new(Cpu::with_threads(1).expect("threads start"))
}

/// Rows for training, and others, on which a net overfits.
fn pixels() -> (Vec<u8>, Vec<u8>) {
    let mut stream = Stream::new(3, 0);
    let mut draw = || (0..20 * WIDTH).map(|_| (stream.next_word() >> 24) as u8).collect();
    (draw(), draw())
}

/// Overfits soon.
fn recipe(early_stopping: Option<EarlyStopping>) -> FineTune {
    let optimizer = Optimizer::adam(0.05);
    FineTune { epochs: 40, batch: 5, optimizer, schedule: Schedule::Constant, early_stopping, ..FineTune::default() }
}

fn net() -> Autoencoder {
    Autoencoder::glorot(&[WIDTH, 20, 6], 1).expect("sizes make sense")
}

/// The validation errors and the layers of all epochs of a run that is not ended early.
fn whole() -> Vec<(f64, Vec<Affine>)> {
    let (train, held_out) = pixels();
    let [train, held_out] = [&train, &held_out].map(|pixels| Rows::bytes(pixels, WIDTH).expect("whole rows"));
    let mut net = net();
    let run = recipe(None).run(&device(), &mut net, train).and_then(|run| run.validation(held_out));
    let mut run = run.expect("the settings make sense");
    let mut epochs = Vec::new();
    while let Some(epoch) = run.epoch().expect("it trains") {
        let layers = run.layers().expect("they are read").to_vec();
        epochs.push((epoch.validation_error.expect("there are rows for validation"), layers));
    }
    epochs
}

/// Trains in a folder to the end, or to the end of the epoch that is given.
fn train(folder: &Path, recipe: &FineTune, resume: bool, end: usize) -> (Autoencoder, usize, Vec<String>) {
    let (train, held_out) = pixels();
    let [train, held_out] = [&train, &held_out].map(|pixels| Rows::bytes(pixels, WIDTH).expect("whole rows"));
    let (mut net, mut said) = (net(), Vec::new());
    let kept = Checkpoints::open(folder, CheckpointOptions { resume, ..SELDOM }).expect("the folder is free");
    let run = recipe.run(&device(), &mut net, train).and_then(|run| run.validation(held_out));
    let run = run.expect("the settings make sense").observe(|event| {
        match event {
            Event::Note { message, .. } => said.push(message.clone()),
            Event::Epoch { epoch, .. } if *epoch == end => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let epochs = run.checkpoints(&kept, "net").train().expect("it trains").epochs.len();
    (net, epochs, said)
}

#[test]
fn a_run_ends_when_it_no_longer_improves_and_gives_out_its_best() {
    let whole = whole();
    // By hand: the epoch after which three have brought no improvement.
    let (mut best, mut waited, mut end) = (0, 0, whole.len());
    for epoch in 1..whole.len() {
        if whole[epoch].0 < whole[best].0 {
            (best, waited) = (epoch, 0);
        } else {
            waited += 1;
        }
        if waited == 3 {
            end = epoch + 1;
            break;
        }
    }
    assert!(end < whole.len(), "it must overfit: {:?}", whole.iter().map(|(error, _)| error).collect::<Vec<_>>());
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (restore_best, expected) in [(false, &whole[end - 1].1), (true, &whole[best].1)] {
        let stopping = EarlyStopping { patience: 3, min_delta: 0.0, restore_best };
        let recipe = recipe(Some(stopping));
        let (net, epochs, said) = train(folder.path(), &recipe, false, usize::MAX);
        assert_eq!(epochs, end);
        assert_eq!(&net.layers, expected, "restore_best: {restore_best}");
        assert!(said.iter().any(|note| note.contains("no improvement in 3 epochs")), "{said:?}");
        // Interrupted after each epoch, it ends at the same place with the same parameters.
        for interrupted in 1..=end {
            train(folder.path(), &recipe, false, interrupted);
            let (net, epochs, _) = train(folder.path(), &recipe, true, usize::MAX);
            assert_eq!((epochs, &net.layers), (end, expected), "interrupted after epoch {interrupted}");
        }
    }
}

#[test]
fn the_rate_falls_on_a_plateau() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plateau = ReduceOnPlateau { factor: 0.0, patience: 1, ..ReduceOnPlateau::default() };
    let recipe = FineTune { reduce_on_plateau: Some(plateau), ..recipe(None) };
    let (net, epochs, said) = train(folder.path(), &recipe, false, usize::MAX);
    assert_eq!(epochs, 40, "it goes on");
    assert!(said.iter().any(|note| note.contains("the learning rate is 0 of the recipe's now")), "{said:?}");
    // Without a rate nothing changes any more: the parameters are those of the first epoch that was worse.
    let whole = whole();
    let worse = (1..whole.len()).find(|&epoch| whole[epoch].0 >= whole[epoch - 1].0).expect("it overfits");
    assert_eq!(net.layers, whole[worse].1);
    train(folder.path(), &recipe, false, worse + 3);
    assert_eq!(train(folder.path(), &recipe, true, usize::MAX).0, net);
}

#[test]
fn machines_are_judged_by_the_gap_of_free_energies() {
    let (train, held_out) = pixels();
    let [train, held_out] = [&train, &held_out].map(|pixels| Rows::bytes(pixels, WIDTH).expect("whole rows"));
    let early_stopping = Some(EarlyStopping { patience: 2, min_delta: 0.05, restore_best: false });
    let recipe = Pretrain { epochs: 60, batch: 5, early_stopping, ..Pretrain::default() };
    let trained = recipe.run(&device(), &[WIDTH, 30, 4], train).and_then(|run| run.held_out(held_out));
    let trained = trained.and_then(|run| run.train()).expect("it trains");
    assert_eq!(trained.layers.len(), 2, "the second machine is trained, too");
    let gaps: Vec<f64> = trained.layers[0].iter().filter_map(|epoch| epoch.free_energy_gap).collect();
    assert!(gaps.len() < 60, "the first machine overfits: {gaps:?}");
    let lowest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(gaps[gaps.len() - 2..].iter().all(|gap| *gap > lowest + 0.05), "{gaps:?}");
    assert!(!trained.stopped && trained.stack.rbms[0].hidden == Units::Bernoulli);
}

#[test]
fn nothing_is_judged_where_nothing_is_held_out() {
    let (train, _) = pixels();
    let rows = Rows::bytes(&train, WIDTH).expect("whole rows");
    let early_stopping = Some(EarlyStopping::default());
    let mut net = net();
    let of = |error: strait_train::Error| error.to_string();
    let mut refused = vec![of(recipe(early_stopping).fit(&device(), &mut net, rows).expect_err("no rows"))];
    let pretrain = Pretrain { early_stopping, ..Pretrain::default() };
    refused.push(of(pretrain.fit(&device(), &[WIDTH, 4], rows).expect_err("no rows")));
    let mut stacked = Stacked { hidden: vec![4], ..Stacked::default() };
    stacked.training.tuning.early_stopping = early_stopping;
    refused.push(of(stacked.fit(&device(), rows).map(|_| ()).expect_err("no rows")));
    let dictionary = KSparse { training: recipe(early_stopping), units: 16, top_k: 2, ..KSparse::default() };
    refused.push(of(dictionary.fit(&device(), rows).map(|_| ()).expect_err("no rows")));
    let (mut belief_net, labelled, _) = belief_net();
    let up_down = UpDown { early_stopping, ..UpDown::default() };
    refused.push(of(up_down.fit(&device(), &mut belief_net, labelled.rows()).expect_err("no rows")));
    for message in refused {
        assert!(message.contains("early-stopping") && message.contains("held out"), "{message}");
    }
    let conflict = FineTune {
        optimizer: Optimizer::ConjugateGradients { searches: 2 },
        reduce_on_plateau: Some(ReduceOnPlateau::default()),
        ..FineTune::default()
    };
    assert!(of(conflict.check().expect_err("no rate")).contains("have no learning rate"));
    let impatient =
        FineTune { early_stopping: Some(EarlyStopping { patience: 0, ..EarlyStopping::default() }), ..recipe(None) };
    assert!(of(impatient.check().expect_err("no patience")).contains("patience"));
}

/// A belief net without training, and rows with labels: those to train on, and those held out.
fn belief_net() -> (Dbn, Labelled, Labelled) {
    let stream = &mut Stream::new(5, 0);
    let pretrain = Pretrain { epochs: 1, code: Units::Bernoulli, ..Pretrain::default() };
    let (train, held_out) = pixels();
    let [train, held_out] = [&train, &held_out].map(|pixels| Rows::bytes(pixels, WIDTH).expect("whole rows"));
    let below = pretrain.fit(&device(), &[WIDTH, 12], train).expect("it trains").stack;
    let labels: Vec<u32> = (0..train.count).map(|row| u32::from(train.at(row, 0) > 0.5)).collect();
    let [train, held_out] = [train, held_out].map(|rows| Labelled::new(rows, &labels, 2).expect("labels fit"));
    (Dbn::on(&below, 2, 10, stream).expect("sizes make sense"), train, held_out)
}

/// Adam with a rate at which no weight moves.
fn still() -> FineTune {
    let early_stopping = Some(EarlyStopping { patience: 2, ..EarlyStopping::default() });
    FineTune { optimizer: Optimizer::adam(1e-30), epochs: 10, ..recipe(early_stopping) }
}

fn squared(recipe: FineTune) -> FineTune {
    FineTune { objective: Objective::SquaredError, ..recipe }
}

#[test]
fn rounds_of_a_dictionary_are_judged_on_rows_held_out() {
    let (train, held_out) = pixels();
    let [train, held_out] = [&train, &held_out].map(|pixels| Rows::bytes(pixels, WIDTH).expect("whole rows"));
    let dictionary = KSparse { units: 16, top_k: 2, rounds: 1, training: squared(recipe(None)), ..KSparse::default() };
    let run = dictionary.run(&device(), train).and_then(|run| run.validation(held_out));
    let trained = run.and_then(|run| run.train()).expect("it trains");
    let (standard, _) = Standard::of_most(train, dictionary.outlier, Centre::default());
    let judged = trained.epochs.last().and_then(|epoch| epoch.validation_error).expect("there are rows for validation");
    let error = trained.net.error(&device(), held_out).expect("it is measured");
    let scaled = judged * f64::from(standard.deviation).powi(2);
    assert!((scaled - error).abs() < 1e-4 * error, "{scaled} against {error}");
    // A round ends after two epochs without an improvement.
    let dictionary = KSparse { rounds: 2, training: squared(still()), ..dictionary };
    let run = dictionary.run(&device(), train).and_then(|run| run.validation(held_out));
    let epochs = run.and_then(|run| run.train()).expect("it trains").epochs;
    assert_eq!(epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [1, 2, 3, 6, 7, 8]);
}

#[test]
fn layers_of_a_stack_are_judged_on_codes_of_rows_held_out() {
    let (train, held_out) = pixels();
    let [train, held_out] = [&train, &held_out].map(|pixels| Rows::bytes(pixels, WIDTH).expect("whole rows"));
    let mut stacked = Stacked { hidden: vec![6, 4], ..Stacked::default() };
    (stacked.training.tuning, stacked.training.corruption) = (recipe(None), None);
    let run = stacked.run(&device(), train).and_then(|run| run.validation(held_out));
    let trained = run.and_then(|run| run.train()).expect("it trains");
    // Each layer by itself, on the codes of the layer below.
    let forward =
        |rows: Rows<'_>| strait_models::forward(&device(), &trained.layers[..1], None, &rows).expect("it is computed");
    let (codes, held_out_codes) = (forward(train), forward(held_out));
    let [codes, held_out_codes] = [&codes, &held_out_codes].map(|codes| Rows::numbers(codes, 6).expect("whole rows"));
    for (number, (rows, held_out)) in [(train, held_out), (codes, held_out_codes)].into_iter().enumerate() {
        let seed = recipe(None).seed + number as u64;
        let mut net = Autoencoder::glorot(&[rows.width, stacked.hidden[number]], seed).expect("sizes make sense");
        net.layers[0].activation = strait_compute::Activation::Logistic;
        let recipe = FineTune { seed, ..recipe(None) };
        let run = recipe.run(&device(), &mut net, rows).and_then(|run| run.validation(held_out));
        let epochs = run.and_then(|run| run.train()).expect("it trains").epochs;
        let errors = |epochs: &[strait_train::FineTuneEpoch]| -> Vec<Option<f64>> {
            epochs.iter().map(|epoch| epoch.validation_error).collect()
        };
        assert_eq!(errors(&trained.epochs[number]), errors(&epochs), "layer {number}");
    }
    stacked.training.tuning = still();
    let run = stacked.run(&device(), train).and_then(|run| run.validation(held_out));
    let epochs = run.and_then(|run| run.train()).expect("it trains").epochs;
    assert_eq!(epochs.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn the_up_down_algorithm_is_judged_by_the_test_error() {
    let (net, train, held_out) = belief_net();
    let recipe = UpDown { epochs: 4, batch: 5, discriminative: 1.0, ..UpDown::default() };
    let mut trained = net.clone();
    let run = recipe.run(&device(), &mut trained, train.rows()).and_then(|run| run.validation(held_out.rows()));
    let epochs = run.and_then(|run| run.train()).expect("it trains").epochs;
    let (_, pixels) = pixels();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let labels: Vec<u32> = (0..rows.count).map(|row| u32::from(held_out.rows().at(row, WIDTH + 1) > 0.5)).collect();
    let error = trained.error_rate(&device(), rows, &labels).expect("it is measured");
    assert!(error > 0.0, "these labels cannot be learned");
    assert_eq!(epochs.last().and_then(|epoch| epoch.validation_error), Some(error));
    let early_stopping = Some(EarlyStopping { patience: 2, ..EarlyStopping::default() });
    let still = UpDown { rate: 1e-30, early_stopping, epochs: 10, ..recipe };
    let mut net = net;
    let run = still.run(&device(), &mut net, train.rows()).and_then(|run| run.validation(held_out.rows()));
    assert_eq!(run.and_then(|run| run.train()).expect("it trains").epochs.len(), 3);
}
