//! A run is a value: it is stepped, looked into, read out and written back, and goes on to the same bits.

use std::ops::ControlFlow;

use strait_compute::philox::Stream;
use strait_compute::{Activation, Cell, Cpu, Device};
use strait_data::{Labelled, Rows};
use strait_models::{Autoencoder, Classifier, Dbn, Rbm, SequenceAutoencoder, SequenceShape, Stack, Units, Vae};
use strait_train::{
    Chain, Cursor, Event, FineTune, KSparse, Member, Optimizer, Plan, Pretrain, Run, Snapshot, Stacked, UpDown,
};

const WIDTH: usize = 12;

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

/// Breaks at the minibatch of this number, counted over the whole run.
fn stop_at(moment: usize) -> impl FnMut(&Event) -> ControlFlow<()> {
    let mut seen = 0;
    move |event| {
        if matches!(event, Event::Rows { .. }) {
            seen += 1;
        }
        if seen == moment { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Trains to the end; trains so far, reads the run out, and goes on from that in a new run on another number of threads: what both
/// give must be the same. `make` makes a run from its start.
fn goes_on<'a, P: Plan<'a>>(what: &str, make: impl Fn(&Device) -> Run<'a, P>, same: impl Fn(P::Output, P::Output)) {
    let mut epochs = 0;
    let mut whole = make(&device(2));
    while whole.epoch().expect("it trains").is_some() {
        epochs += 1;
    }
    assert!(epochs > 0, "{what}");
    for done in 0..=epochs {
        let mut first = make(&device(2));
        (0..done).for_each(|_| drop(first.epoch().expect("it trains")));
        let snapshot = first.snapshot().expect("it can be read out");
        let mut second = make(&device(1));
        second.restore(&snapshot).expect("it is one of the same recipe");
        assert_eq!(second.cursor(), snapshot.cursor(), "{what}");
        let expected = make(&device(2)).train().expect("it trains");
        same(second.train().expect("it goes on"), expected);
        // Back and on again, in the run itself.
        while first.epoch().expect("it trains").is_some() {}
        first.restore(&snapshot).expect("it is its own");
        same(first.train().expect("it goes on"), make(&device(2)).train().expect("it trains"));
    }
}

#[test]
fn pretraining_goes_on_to_the_same_bits_with_every_chain() {
    let pixels = pixels();
    let rows = rows(&pixels);
    let base = Pretrain { epochs: 2, batch: 20, initial_epochs: 1, code: Units::Bernoulli, ..Pretrain::default() };
    let gaussian = Pretrain { visible: Units::Gaussian, deviation_rate: Some(0.01), ..base.clone() };
    let centred = Pretrain { centred: true, ..base.clone() };
    let chain = |chain| Pretrain { chain, ..base.clone() };
    for recipe in [
        base.clone(),
        gaussian,
        centred,
        chain(Chain::Persistent),
        chain(Chain::FastPersistent { rate: 0.05 }),
        chain(Chain::Tempered { chains: 3, hottest: 0.5 }),
    ] {
        let make = |device: &Device| {
            let run = recipe.run(device, &[WIDTH, 9, 7, 5], rows).expect("the settings make sense");
            run.held_out(rows.first(15)).expect("they fit")
        };
        goes_on("pretraining", make, |found, expected| {
            assert_eq!(found.stack, expected.stack);
            let errors = |layers: &[Vec<strait_train::PretrainEpoch>]| {
                layers
                    .iter()
                    .flatten()
                    .map(|epoch| (epoch.epoch, epoch.error, epoch.free_energy_gap))
                    .collect::<Vec<_>>()
            };
            assert_eq!(errors(&found.layers), errors(&expected.layers));
            assert!(!found.stopped);
        });
    }
}

/// The same for a model of which many copies are trained.
fn tunes<M: Member + Clone + PartialEq + std::fmt::Debug>(what: &str, recipe: &FineTune, model: &M, rows: Rows<'_>) {
    let whole = |recipe: &FineTune, snapshot: Option<&Snapshot>| {
        let mut net = model.clone();
        let mut run = recipe.run(&device(1), &mut net, rows).and_then(|run| run.test(rows.first(7))).expect("it fits");
        if let Some(snapshot) = snapshot {
            run.restore(snapshot).expect("it is one of the same recipe");
        }
        let errors: Vec<_> =
            run.train().expect("it trains").epochs.iter().map(|epoch| (epoch.train_loss, epoch.test_error)).collect();
        (net, errors)
    };
    let expected = whole(recipe, None);
    for moment in 1..=2 * 3 {
        let mut net = model.clone();
        let run = recipe.run(&device(2), &mut net, rows).and_then(|run| run.test(rows.first(7))).expect("it fits");
        let mut run = run.observe(stop_at(moment));
        while run.epoch().expect("it trains").is_some() {}
        let snapshot = run.snapshot().expect("it can be read out");
        assert_eq!(whole(recipe, Some(&snapshot)), expected, "{what}, stopped at {:?}", snapshot.cursor());
    }
}

#[test]
fn fine_tuning_goes_on_to_the_same_bits_from_every_minibatch() {
    let pixels = pixels();
    let rows = rows(&pixels);
    let net = Autoencoder::glorot(&[WIDTH, 8, 5], 1).expect("sizes make sense");
    for optimizer in [
        Optimizer::adam(1e-2),
        Optimizer::Momentum { rate: 0.01, momentum: 0.9 },
        Optimizer::ConjugateGradients { searches: 2 },
        Optimizer::Lbfgs { iterations: 2, memory: 2 },
    ] {
        let recipe = FineTune { epochs: 2, batch: 20, optimizer, ..FineTune::default() };
        tunes(&format!("{optimizer:?}"), &recipe, &net, rows);
    }
    let recipe = FineTune { epochs: 2, batch: 20, ..FineTune::default() };
    let vae = Vae::glorot(&[WIDTH, 8, 3], Activation::Tanh, 1).expect("sizes make sense");
    tunes("variational", &recipe, &vae, rows);
    for cell in Cell::ALL {
        let shape = SequenceShape { cell, units: 6, outputs: Activation::Logistic, ..SequenceShape::of(WIDTH, 1) };
        let net = SequenceAutoencoder::new(shape, 1).expect("the shape makes sense");
        tunes(cell.name(), &recipe, &net, rows);
    }
    let labels: Vec<u32> = (0..55).map(|i| i % 3).collect();
    let labelled = Labelled::new(rows, &labels, 3).expect("a label for each row");
    let net = Classifier::glorot(&[WIDTH, 8, 3], Activation::Tanh, 1).expect("sizes make sense");
    tunes("classifier", &recipe, &net, labelled.rows());
}

#[test]
fn dictionaries_and_stacks_go_on_to_the_same_bits() {
    let pixels = pixels();
    let rows = rows(&pixels);
    let training = FineTune { epochs: 3, batch: 20, ..KSparse::default().training };
    let recipe = KSparse { units: 300, top_k: 1, rounds: 2, training, ..KSparse::default() };
    goes_on(
        "dictionary",
        |device| recipe.run(device, rows).expect("the settings make sense"),
        |found, expected| {
            assert!(expected.dead[0] > 0, "units have to die for this test: {:?}", expected.dead);
            assert_eq!((found.net, found.dead, found.epochs.len()), (expected.net, expected.dead, 3));
        },
    );
    let mut recipe = Stacked { hidden: vec![8, 6, 5], ..Stacked::default() };
    recipe.training.tuning = FineTune { epochs: 2, batch: 20, ..FineTune::default() };
    goes_on(
        "stack",
        |device| recipe.run(device, rows).expect("the settings make sense"),
        |found, expected| {
            assert_eq!(found.layers, expected.layers);
        },
    );
}

#[test]
fn the_up_down_algorithm_goes_on_to_the_same_bits() {
    let pixels = pixels();
    let labels: Vec<u32> = (0..55).map(|i| i % 3).collect();
    let labelled = Labelled::new(rows(&pixels), &labels, 3).expect("a label for each row");
    let stream = &mut Stream::new(1, 0);
    let rbm = Rbm::new((WIDTH, Units::Bernoulli), (9, Units::Bernoulli), stream).expect("sizes make sense");
    let start = Dbn::on(&Stack { rbms: vec![rbm] }, 3, 7, stream).expect("sizes make sense");
    for persistent in [false, true] {
        let recipe = UpDown { epochs: 2, batch: 20, persistent, discriminative: 0.5, ..UpDown::default() };
        let train = |snapshot: Option<&Snapshot>| {
            let mut net = start.clone();
            let mut run = recipe.run(&device(1), &mut net, labelled.rows()).expect("it fits");
            if let Some(snapshot) = snapshot {
                run.restore(snapshot).expect("it is one of the same recipe");
            }
            run.train().expect("it trains");
            net
        };
        let expected = train(None);
        for moment in 1..=2 * 3 {
            let mut net = start.clone();
            let run = recipe.run(&device(2), &mut net, labelled.rows()).expect("it fits");
            let mut run = run.observe(stop_at(moment));
            while run.epoch().expect("it trains").is_some() {}
            let snapshot = run.snapshot().expect("it can be read out");
            drop(run);
            assert_eq!(net, start, "a run that was not ended leaves the net alone");
            assert_eq!(train(Some(&snapshot)), expected, "{:?}", snapshot.cursor());
        }
    }
}

#[test]
fn a_run_is_looked_into_and_left_where_it_is() {
    let pixels = pixels();
    let rows = rows(&pixels);
    let mut net = Autoencoder::glorot(&[WIDTH, 8, 5], 1).expect("sizes make sense");
    let start = net.clone();
    let recipe = FineTune { epochs: 3, batch: 20, ..FineTune::default() };
    let mut run = recipe.run(&device(1), &mut net, rows).expect("it fits");
    assert_eq!(run.layers().expect("they are read"), start.layers);
    run.epoch().expect("it trains");
    assert_eq!(run.cursor(), Cursor { part: 0, epoch: 1, minibatch: 0 });
    let after = run.layers().expect("they are read").to_vec();
    assert_ne!(after, start.layers);
    let snapshot = run.snapshot().expect("it is read out");
    let names: Vec<&str> = snapshot.tensors().map(|(name, _)| name).collect();
    assert!(names.contains(&"layers.0.weight") && names.contains(&"layers.3.bias.adam.second"), "{names:?}");
    let tuned = run.stop().expect("it ends");
    assert!(tuned.stopped && tuned.epochs.len() == 1);
    assert_eq!(net.layers, after);
}

#[test]
fn training_goes_on_from_a_stack_and_from_a_net() {
    let pixels = pixels();
    let rows = rows(&pixels);
    let device = device(1);
    let recipe = Pretrain { epochs: 4, batch: 20, centred: true, code: Units::Bernoulli, ..Pretrain::default() };
    let once = recipe.fit(&device, &[WIDTH, 9, 7], rows).expect("it trains");
    let run = recipe.run(&device, &[WIDTH, 9, 7], rows).expect("the settings make sense");
    let mut run = run.from(once.stack.clone()).expect("they are of these sizes");
    let start = &run.stack().expect("it is read").rbms[0];
    let near = |x: &[f32], y: &[f32]| x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-5);
    assert!(near(&start.weight, &once.stack.rbms[0].weight), "it starts where the other ended");
    assert!(near(&start.hidden_bias, &once.stack.rbms[0].hidden_bias), "without offsets its biases are those");
    let twice = run.train().expect("it trains");
    assert!(twice.layers[0][0].error < once.layers[0][0].error, "it knows something already");
    let other = recipe.run(&device, &[WIDTH, 9, 6], rows).expect("the settings make sense").from(once.stack);
    assert!(other.map(|_| ()).expect_err("they are of other sizes").to_string().contains("to start from"));
}

#[test]
fn a_snapshot_of_another_run_is_refused() {
    let pixels = pixels();
    let rows = rows(&pixels);
    let device = device(1);
    let snapshot = |recipe: &FineTune, sizes: &[usize]| {
        let mut net = Autoencoder::glorot(sizes, 1).expect("sizes make sense");
        let mut run = recipe.run(&device, &mut net, rows).expect("it fits");
        run.epoch().expect("it trains");
        run.snapshot().expect("it is read out")
    };
    let recipe = FineTune { epochs: 3, batch: 20, ..FineTune::default() };
    let refusal = |snapshot: &Snapshot| {
        let mut net = Autoencoder::glorot(&[WIDTH, 8], 1).expect("sizes make sense");
        let mut run = recipe.run(&device, &mut net, rows).expect("it fits");
        run.restore(snapshot).expect_err("it is another one").to_string()
    };
    assert!(refusal(&snapshot(&recipe, &[WIDTH, 9])).contains("`layers.0.weight` has 108 values there, but 96"));
    let momentum = FineTune { optimizer: Optimizer::Momentum { rate: 0.01, momentum: 0.9 }, ..recipe.clone() };
    assert!(refusal(&snapshot(&momentum, &[WIDTH, 8])).contains("it holds no `layers"));
    assert!(refusal(&snapshot(&recipe, &[WIDTH, 8, 4])).contains("`layers.1.weight` has 32 values there, but 96"));
}
