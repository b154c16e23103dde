//! Runs whose numbers grow beyond all bounds are stopped, say what did it, and may go back and on.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use strait_compute::philox::Stream;
use strait_compute::{Activation, Cpu, Device};
use strait_data::Rows;
use strait_models::{Autoencoder, RunState, Units};
use strait_train::{
    CheckpointOptions, Checkpoints, Error, Event, FineTune, FineTuned, Objective, OnDivergence, Optimizer, Pretrain,
    Result, Schedule,
};

const WIDTH: usize = 8;
const EACH: CheckpointOptions = CheckpointOptions {
    every: Duration::MAX,
    epochs: Some(1),
    resume: false,
    allow_changes: false,
    on_divergence: OnDivergence::Stop,
};

fn device() -> Device {
    Device::new(Cpu::with_threads(1).expect("threads start"))
}

fn numbers() -> Vec<f32> {
    let mut stream = Stream::new(5, 0);
    (0..40 * WIDTH).map(|_| stream.next_normal()).collect()
}

/// Linear layers, which nothing keeps from growing.
fn net() -> Autoencoder {
    let mut net = Autoencoder::glorot(&[WIDTH, 5], 1).expect("sizes make sense");
    net.layers.iter_mut().for_each(|layer| layer.activation = Activation::Linear);
    net
}

fn recipe(rate: f32) -> FineTune {
    FineTune {
        epochs: 12,
        batch: 10,
        optimizer: Optimizer::Momentum { rate, momentum: 0.0 },
        schedule: Schedule::Constant,
        objective: Objective::SquaredError,
        ..FineTune::default()
    }
}

fn train(folder: &Path, recipe: &FineTune, options: CheckpointOptions) -> (Result<FineTuned>, Vec<String>) {
    let numbers = numbers();
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let (mut net, mut said) = (net(), Vec::new());
    let kept = Checkpoints::open(folder, options).expect("the folder is free");
    let run = recipe.run(&device(), &mut net, rows).expect("the settings make sense").observe(|event| {
        if let Event::Note { message, .. } = event {
            said.push(message.clone());
        }
        ControlFlow::Continue(())
    });
    let result = run.checkpoints(&kept, "net").train();
    (result, said)
}

#[test]
fn rates_that_are_too_large_are_stopped_with_the_operation_that_did_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for rate in [1.0, 10.0, 100.0, 1000.0] {
        let (result, _) = train(folder.path(), &recipe(rate), EACH);
        let Err(Error::Diverged { epoch, step: Some(step), error, operation, .. }) = result else {
            panic!("a rate of {rate} must diverge: {result:?}");
        };
        assert!(epoch <= 12 && (1..=4).contains(&step), "epoch {epoch}, step {step}");
        // A loss that only exploded has no such operation.
        assert_eq!(operation.is_some(), !error.is_finite(), "{rate}: {error}, {operation:?}");
        if let Some(operation) = operation {
            assert!(operation.contains("the operation `") && operation.contains("` in step "), "{operation}");
        }
    }
    let numbers: Vec<f32> = numbers().iter().map(|x| 100.0 * x).collect();
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let pretrain =
        Pretrain { epochs: 5, batch: 10, visible: Units::Gaussian, gaussian_rate: 10.0, ..Pretrain::default() };
    let error = pretrain.fit(&device(), &[WIDTH, 6], rows).map(|_| ()).expect_err("the rate is too large");
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
}

#[test]
fn a_weight_that_is_not_finite_is_found_at_once_wherever_it_comes_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = recipe(0.01);
    let mut found = 0;
    for moment in 1..=20 {
        let numbers = numbers();
        let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
        let (mut net, mut seen) = (net(), 0);
        let kept = Checkpoints::open(folder.path(), EACH).expect("the folder is free");
        let run = recipe.run(&device(), &mut net, rows).expect("the settings make sense").observe(|_| {
            seen += 1;
            if seen == moment { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        run.checkpoints(&kept, "net").train().expect("it is ended");
        drop(kept);
        let path = folder.path().join("checkpoints/net.safetensors");
        let mut state = RunState::read(&std::fs::read(&path).expect("it is there")).expect("it is whole");
        let weight = state.tensors.iter_mut().find(|(name, _)| name == "state.layers.1.weight").expect("it is kept");
        weight.1[moment] = f32::NAN;
        let mut file = std::io::Cursor::new(Vec::new());
        state.write(&mut file, None).expect("memory holds it");
        std::fs::write(&path, file.into_inner()).expect("the folder is writable");
        let (result, _) = train(folder.path(), &recipe, CheckpointOptions { resume: true, ..EACH });
        let error = result.expect_err("a weight is not a number").to_string();
        assert!(error.contains("diverged") && error.contains("the operation `"), "moment {moment}: {error}");
        found += 1;
    }
    assert_eq!(found, 20);
}

#[test]
fn a_run_goes_back_with_half_the_rate_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = CheckpointOptions { on_divergence: OnDivergence::HalveRate, ..EACH };
    let (mut recovered, mut gave_up) = (0, 0);
    for rate in [0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 100.0] {
        let diverges = train(folder.path(), &recipe(rate), EACH).0.is_err();
        let (result, said) = train(folder.path(), &recipe(rate), options);
        match result {
            Ok(tuned) => {
                assert_eq!(tuned.epochs.len(), 12);
                let last = tuned.epochs[11];
                assert_eq!(diverges, last.rate_factor < 1.0, "{rate}: {said:?}");
                assert!(last.train_loss.is_finite());
                if diverges {
                    assert!(said.iter().any(|note| note.contains("it goes back to its state")), "{said:?}");
                    recovered += 1;
                }
            }
            Err(error) => {
                assert!(said.iter().any(|note| note.contains("(3 of 3)")), "{said:?}");
                assert!(matches!(error, Error::Diverged { .. }), "{error}");
                gave_up += 1;
            }
        }
    }
    assert!(recovered > 0 && gave_up > 0, "{recovered} recovered, {gave_up} gave up");
}
