//! A run that is ended anywhere goes on from its checkpoint to the same bits.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device, Noise};
use strait_data::{Labelled, Rows};
use strait_models::{Autoencoder, Dbn, Model, Rbm, RunState, Stack, Units};
use strait_train::{
    CheckpointOptions, Checkpoints, Event, FineTune, KSparse, OnDivergence, Optimizer, Plan, Pretrain, Result, Run,
    Schedule, Sparsity, Stacked, UpDown,
};

const WIDTH: usize = 12;

/// Checkpoints at the ends of parts and where the observer ends the run, and no others.
const SELDOM: CheckpointOptions = CheckpointOptions {
    every: Duration::MAX,
    epochs: None,
    resume: false,
    allow_changes: false,
    on_divergence: OnDivergence::Stop,
};
const RESUME: CheckpointOptions = CheckpointOptions { resume: true, ..SELDOM };

fn device(threads: usize) -> Device {
    Device::new(Cpu::with_threads(threads).expect("threads start"))
}

fn pixels() -> Vec<u8> {
    let mut stream = Stream::new(11, 0);
    (0..55 * WIDTH).map(|_| (stream.next_word() >> 24) as u8).collect()
}

fn rows(pixels: &[u8]) -> Rows<'_> {
    Rows::bytes(pixels, WIDTH).expect("whole rows")
}

/// Counts the moments at which an observer may end a run, and ends it at the one of this number.
fn stop_at(moment: usize) -> impl FnMut(&Event) -> ControlFlow<()> {
    let mut seen = 0;
    move |event| {
        if !matches!(event, Event::Note { .. }) {
            seen += 1;
        }
        if seen == moment { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Ends a run at every moment at which it can be ended, and goes on in a new run on another number of threads: what it gives must be
/// what a run gives that was not ended. `train` trains to the end or to where it is ended, and gives what was learned.
fn goes_on<T: PartialEq + std::fmt::Debug>(
    what: &str,
    moments: usize,
    train: impl Fn(&Device, &Checkpoints, usize) -> Result<T>,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |threads: usize, options, moment| {
        let kept = Checkpoints::open(folder.path(), options).expect("the folder is free");
        train(&device(threads), &kept, moment).expect("it trains")
    };
    let expected = run(1, SELDOM, usize::MAX);
    for moment in 1..=moments {
        run(2, SELDOM, moment);
        let file = folder.path().join("checkpoints/stage.safetensors");
        Model::open(&file).unwrap_or_else(|error| panic!("{what}, ended at moment {moment}: {error}"));
        assert_eq!(run(1, RESUME, usize::MAX), expected, "{what}, ended at moment {moment}");
        // Another time, where nothing is left to be done.
        assert_eq!(run(1, RESUME, usize::MAX), expected, "{what}, ended");
    }
}

fn ended<'a, P: Plan<'a>>(run: Run<'a, P>, kept: &Checkpoints, moment: usize) -> Result<P::Output> {
    run.observe(stop_at(moment)).checkpoints(kept, "stage").train()
}

#[test]
fn every_trainer_goes_on_from_its_checkpoint() {
    let pixels = pixels();
    let rows = rows(&pixels);
    for recipe in [
        Pretrain { centred: true, ..Pretrain::default() },
        Pretrain { visible: Units::Gaussian, deviation_rate: Some(0.01), ..Pretrain::default() },
    ] {
        let recipe = Pretrain { epochs: 2, batch: 20, initial_epochs: 1, code: Units::Bernoulli, ..recipe };
        goes_on("pretraining", 3 * 8, |device, kept, moment| {
            let run = recipe.run(device, &[WIDTH, 9, 7, 5], rows)?.held_out(rows.first(15))?;
            let mut trained = ended(run, kept, moment)?;
            trained.layers.iter_mut().flatten().for_each(|epoch| epoch.seconds = 0.0);
            Ok((trained.stack, trained.layers))
        });
    }
    let net = Autoencoder::glorot(&[WIDTH, 8, 5], 1).expect("sizes make sense");
    for optimizer in [
        Optimizer::adam(1e-2),
        Optimizer::ConjugateGradients { searches: 2 },
        Optimizer::Lbfgs { iterations: 2, memory: 2 },
    ] {
        let recipe = FineTune { epochs: 2, batch: 20, optimizer, ..FineTune::default() };
        goes_on("fine-tuning", 8, |device, kept, moment| {
            let mut net = net.clone();
            let mut tuned = ended(recipe.run(device, &mut net, rows)?.test(rows.first(7))?, kept, moment)?;
            tuned.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
            Ok((net, tuned.epochs))
        });
    }
    let training = FineTune { epochs: 3, batch: 20, ..KSparse::default().training };
    for sparsity in [Sparsity::TopK, Sparsity::JumpRelu] {
        let training = training.clone();
        let recipe = KSparse { units: 300, top_k: 1, rounds: 2, sparsity, training, ..KSparse::default() };
        goes_on("dictionary", 12, |device, kept, moment| {
            let trained = ended(recipe.run(device, rows)?, kept, moment)?;
            Ok((trained.net, trained.dead))
        });
    }
    let mut recipe = Stacked { hidden: vec![8, 6], ..Stacked::default() };
    recipe.training.tuning = FineTune { epochs: 2, batch: 20, ..FineTune::default() };
    goes_on("stack", 16, |device, kept, moment| Ok(ended(recipe.run(device, rows)?, kept, moment)?.layers));
    let labels: Vec<u32> = (0..55).map(|i| i % 3).collect();
    let labelled = Labelled::new(rows, &labels, 3).expect("a label for each row");
    let stream = &mut Stream::new(1, 0);
    let rbm = Rbm::new((WIDTH, Units::Bernoulli), (9, Units::Bernoulli), stream).expect("sizes make sense");
    let start = Dbn::on(&Stack { rbms: vec![rbm] }, 3, 7, stream).expect("sizes make sense");
    let recipe = UpDown { epochs: 2, batch: 20, persistent: true, ..UpDown::default() };
    goes_on("up-down", 8, |device, kept, moment| {
        let mut net = start.clone();
        ended(recipe.run(device, &mut net, labelled.rows())?, kept, moment)?;
        Ok(net)
    });
}

/// A recipe of fine-tuning that is run in a folder, with what it says.
fn tune(
    folder: &Path,
    recipe: &FineTune,
    options: CheckpointOptions,
    moment: usize,
) -> Result<(Autoencoder, Vec<String>)> {
    let pixels = pixels();
    let rows = rows(&pixels);
    let mut net = Autoencoder::glorot(&[WIDTH, 8, 5], 1).expect("sizes make sense");
    let (mut said, mut stop) = (Vec::new(), stop_at(moment));
    let kept = Checkpoints::open(folder, options)?;
    let run = recipe.run(&device(1), &mut net, rows)?;
    let observer = |event: &Event| {
        if let Event::Note { message, .. } = event {
            said.push(message.clone());
        }
        stop(event)
    };
    run.observe(observer).checkpoints(&kept, "net").train()?;
    assert_eq!(kept.failed(), None);
    Ok((net, said))
}

#[test]
fn a_changed_recipe_is_told_field_by_field() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let recipe = FineTune { epochs: 3, batch: 20, ..FineTune::default() };
    tune(folder, &recipe, SELDOM, 5).expect("it trains");
    let changed = FineTune { batch: 10, optimizer: Optimizer::adam(0.5), ..recipe.clone() };
    let refused = tune(folder, &changed, RESUME, usize::MAX).expect_err("it is another recipe").to_string();
    for part in
        ["net.safetensors", "recipe.batch was 20, is 10", "recipe.optimizer.adam.rate was 0.0010", "--allow-changes"]
    {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let refused = {
        let pixels = vec![7u8; 30 * WIDTH];
        let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
        let mut net = Autoencoder::glorot(&[WIDTH, 8, 5], 2).expect("sizes make sense");
        let kept = Checkpoints::open(folder, RESUME).expect("the folder is free");
        let run = recipe.run(&device(1), &mut net, rows).expect("the settings make sense").checkpoints(&kept, "net");
        run.train().expect_err("the data are others").to_string()
    };
    for part in
        ["the values of start are others", "training-set.rows was 55, is 30", "the values of training-set are others"]
    {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    // What a model is trained with is its own.
    let noisy = {
        let pixels = pixels();
        let rows = rows(&pixels);
        let mut net = Autoencoder::glorot(&[WIDTH, 8, 5], 1).expect("sizes make sense");
        net.corruption = Some(Noise::Masking(0.25));
        let kept = Checkpoints::open(folder, RESUME).expect("the folder is free");
        let run = recipe.run(&device(1), &mut net, rows).expect("the settings make sense").checkpoints(&kept, "net");
        run.train().expect_err("the noise is new").to_string()
    };
    assert!(noisy.contains("model.training") && noisy.contains("corruption"), "{noisy}");
    // A rate may be changed if that is what is wanted.
    let slower = FineTune { optimizer: Optimizer::adam(1e-4), ..recipe.clone() };
    let allowed = CheckpointOptions { allow_changes: true, ..RESUME };
    let (_, said) = tune(folder, &slower, allowed, usize::MAX).expect("changes are allowed");
    assert!(said.iter().any(|note| note.starts_with("changed: recipe.optimizer.adam.rate")), "{said:?}");
}

#[test]
fn more_epochs_are_no_change_where_no_step_depends_on_their_number() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let recipe = |epochs, schedule| FineTune { epochs, batch: 20, schedule, ..FineTune::default() };
    let (expected, _) = tune(folder, &recipe(4, Schedule::Constant), SELDOM, usize::MAX).expect("it trains");
    tune(folder, &recipe(2, Schedule::Constant), SELDOM, usize::MAX).expect("it trains");
    let (net, said) = tune(folder, &recipe(4, Schedule::Constant), RESUME, usize::MAX).expect("it goes on");
    assert_eq!(net, expected);
    assert!(said.iter().any(|note| note.contains("recipe.epochs was 2, is 4")), "{said:?}");
    let fewer = tune(folder, &recipe(1, Schedule::Constant), RESUME, usize::MAX).expect_err("it is beyond that");
    assert!(fewer.to_string().contains("epoch 4"), "{fewer}");
    let cosine = Schedule::Cosine { warmup: 0.0 };
    tune(folder, &recipe(3, cosine), SELDOM, 5).expect("it trains");
    let refused = tune(folder, &recipe(6, cosine), RESUME, usize::MAX).expect_err("the schedule is another one");
    // (1 + cos(2 π / 3)) / 2 and (1 + cos(2 π / 6)) / 2, with a rate of 0.001.
    let expected = "the learning rate after epoch 2 was 2.500e-4, would be 7.500e-4";
    assert!(refused.to_string().contains(expected), "{refused}");
}

#[test]
fn an_empty_folder_means_the_beginning_and_a_new_run_loses_no_earlier_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path().join("not/yet/there");
    let recipe = FineTune { epochs: 2, batch: 20, ..FineTune::default() };
    let (_, said) = tune(&folder, &recipe, RESUME, usize::MAX).expect("it begins");
    assert!(said.iter().any(|note| note.contains("it starts at the beginning")), "{said:?}");
    assert!(said.iter().any(|note| note.contains("are written beside training")), "{said:?}");
    let file = folder.join("checkpoints/net.safetensors");
    let first = std::fs::read(&file).expect("it is there");
    tune(&folder, &FineTune { seed: 9, ..recipe }, SELDOM, 3).expect("it begins anew");
    assert_ne!(std::fs::read(&file).expect("it is there"), first);
    let earlier = folder.join("checkpoints.earlier/net.safetensors");
    assert_eq!(std::fs::read(earlier).expect("it was moved"), first);
}

#[test]
fn two_runs_do_not_share_a_folder_and_leftovers_are_swept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let held = Checkpoints::open(folder.path(), SELDOM).expect("the folder is free");
    let refused = Checkpoints::open(folder.path(), SELDOM).map(|_| ()).expect_err("it is held").to_string();
    assert!(refused.contains("another run keeps its checkpoints there"), "{refused}");
    let left = folder.path().join("checkpoints/net.safetensors.tmp-1");
    std::fs::write(&left, "half a checkpoint").expect("the folder is writable");
    drop(held);
    Checkpoints::open(folder.path(), RESUME).expect("the folder is free again");
    assert!(!left.exists());
}

#[test]
fn checkpoints_come_by_epochs_and_by_the_clock_and_cost_no_bit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = FineTune { epochs: 3, batch: 5, ..FineTune::default() };
    let (expected, _) = tune(folder.path(), &recipe, SELDOM, usize::MAX).expect("it trains");
    let number = || {
        let bytes = std::fs::read(folder.path().join("checkpoints/net.safetensors")).expect("it is there");
        let about = RunState::read(&bytes).expect("it is whole").about;
        serde_json::from_str::<serde_json::Value>(&about).expect("it is JSON")["number"].as_u64().expect("a number")
    };
    assert_eq!(number(), 1, "one at the end");
    // One that is due while another one is written is left out.
    for options in
        [CheckpointOptions { epochs: Some(1), ..SELDOM }, CheckpointOptions { every: Duration::ZERO, ..SELDOM }]
    {
        let (net, _) = tune(folder.path(), &recipe, options, usize::MAX).expect("it trains");
        assert_eq!(net, expected);
        assert!(number() >= 2, "{}", number());
    }
    assert!(folder.path().join("checkpoints/net.previous.safetensors").exists());
    assert!(folder.path().join("checkpoints/net.best.safetensors").exists());
}
