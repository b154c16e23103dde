//! Early stopping, best parameters and the reduction of the rate on a plateau, in runs that are interrupted, too.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device};
use strait_data::Rows;
use strait_models::{Affine, Autoencoder, Units};
use strait_train::{
    CheckpointOptions, Checkpoints, EarlyStopping, Event, FineTune, OnDivergence, Optimizer, Pretrain, ReduceOnPlateau,
    Schedule, Stacked,
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
