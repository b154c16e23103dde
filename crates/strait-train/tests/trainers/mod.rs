//! Every trainer with every choice that changes what it records, on a few rows.

use strait_compute::philox::Stream;
use strait_compute::{Activation, Cell, Device, Groups, Missing, Noise, Precision};
use strait_data::{Labelled, Rows};
use strait_models::{
    Affine, Autoencoder, Classifier, Dbn, Feeding, Rbm, SequenceAutoencoder, SequenceShape, Stack, Units, Vae,
};
use strait_train::{
    Chain, FineTune, ImageShift, Inference, KSparse, Member, Objective, Optimizer, Penalty, PredictiveSparse, Pretrain,
    Sparsity, SparsityTarget, Stacked, UpDown,
};

/// Trains on a device, with batches cut into this number of shards, and returns all learned parameters.
type Train = Box<dyn Fn(&Device, Option<usize>) -> Vec<f32> + Sync>;

const WIDTH: usize = 12;

fn pixels(count: usize) -> Vec<u8> {
    let mut stream = Stream::new(9, 0);
    (0..count * WIDTH).map(|_| (stream.next_word() >> 24) as u8).collect()
}

/// Bytes of which one of each four is 255.
fn words(count: usize) -> Vec<u8> {
    let mut stream = Stream::new(10, 0);
    let mut chosen = || stream.next_word() % 4;
    (0..count * WIDTH / 4).map(|_| chosen()).flat_map(|on| (0..4).map(move |i| if i == on { 255 } else { 0 })).collect()
}

fn pretrain(recipe: Pretrain, sizes: &'static [usize]) -> Train {
    Box::new(move |device, shards| {
        let pixels = if matches!(recipe.visible, Units::Softmax(_)) { words(50) } else { pixels(50) };
        let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
        let recipe = Pretrain { epochs: 2, batch: 20, initial_epochs: 1, shards, ..recipe.clone() };
        let run = recipe.run(device, sizes, rows).and_then(|run| run.held_out(rows.first(10)));
        let trained = run.and_then(|run| run.train()).expect("it trains");
        let of = |rbm: Rbm| [rbm.weight, rbm.visible_bias, rbm.hidden_bias].concat();
        trained.stack.rbms.into_iter().flat_map(of).collect()
    })
}

fn tune<M: Member + Clone + Sync + 'static>(recipe: FineTune, model: M) -> Train {
    Box::new(move |device, shards| {
        let pixels = pixels(50);
        let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
        let labels: Vec<u32> = (0..50).map(|i| i % 3).collect();
        let labelled = Labelled::new(rows, &labels, 3).expect("a label for each row");
        let rows = if model.targets() > 0 { labelled.rows() } else { rows };
        let recipe = FineTune { epochs: 2, batch: 20, shards, ..recipe.clone() };
        let mut model = model.clone();
        recipe.run(device, &mut model, rows).and_then(|run| run.test(rows.first(10))?.train()).expect("it trains");
        of_layers(model.layers())
    })
}

fn up_down(recipe: UpDown, below: &'static [usize]) -> Train {
    Box::new(move |device, shards| {
        let pixels = pixels(50);
        let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
        let labels: Vec<u32> = (0..50).map(|i| i % 3).collect();
        let labelled = Labelled::new(rows, &labels, 3).expect("a label for each row");
        let stream = &mut Stream::new(1, 0);
        let rbms = below.windows(2).map(|pair| {
            Rbm::new((pair[0], Units::Bernoulli), (pair[1], Units::Bernoulli), stream).expect("sizes make sense")
        });
        let rbms: Vec<_> = rbms.collect();
        let mut net = if rbms.is_empty() {
            Dbn::alone(WIDTH, 3, 7, &mut Stream::new(2, 0)).expect("sizes make sense")
        } else {
            Dbn::on(&Stack { rbms }, 3, 7, &mut Stream::new(2, 0)).expect("sizes make sense")
        };
        let recipe = UpDown { epochs: 2, batch: 20, shards, ..recipe.clone() };
        recipe.fit(device, &mut net, labelled.rows()).expect("it trains");
        let Rbm { weight, visible_bias, hidden_bias, .. } = net.top;
        [of_layers(&net.recognition), of_layers(&net.generative), weight, visible_bias, hidden_bias].concat()
    })
}

fn dictionary(recipe: KSparse) -> Train {
    Box::new(move |device, shards| {
        let values: Vec<f32> = pixels(50).into_iter().map(|byte| f32::from(byte) / 255.0).collect();
        let rows = Rows::numbers(&values, WIDTH).expect("whole rows");
        let training = FineTune { epochs: 4, batch: 20, shards, ..KSparse::default().training };
        let recipe = KSparse { units: 24, top_k: 2, rounds: 2, training, ..recipe.clone() };
        of_layers(&recipe.fit(device, rows).expect("it trains").net.layers)
    })
}

/// All parameters of layers.
fn of_layers(layers: &[Affine]) -> Vec<f32> {
    let of = |layer: &Affine| [&layer.weight[..], &layer.bias, layer.threshold.as_deref().unwrap_or_default()].concat();
    layers.iter().flat_map(of).collect()
}

fn deep() -> Autoencoder {
    Autoencoder::glorot(&[WIDTH, 8, 5], 1).expect("sizes make sense")
}

fn flat(units: Activation) -> Autoencoder {
    let mut net = Autoencoder::glorot(&[WIDTH, 8], 1).expect("sizes make sense");
    net.layers[0].activation = units;
    net
}

fn tied() -> Autoencoder {
    let mut net = deep();
    net.tie().expect("it is mirrored");
    net
}

/// Four steps of three values.
fn sequence(cell: Cell, feeding: Feeding) -> SequenceAutoencoder {
    let shape = SequenceShape {
        cell,
        feeding,
        units: 5,
        depth: 2,
        outputs: Activation::Logistic,
        ..SequenceShape::of(4, WIDTH / 4)
    };
    SequenceAutoencoder::new(shape, 1).expect("the shape makes sense")
}

fn linear() -> Autoencoder {
    let mut net = deep();
    net.layers.last_mut().expect("there are layers").activation = Activation::Linear;
    net
}

/// The trainers by name.
pub(crate) fn all() -> Vec<(&'static str, Train)> {
    let cd = Pretrain::default();
    let adam = FineTune::default();
    let tuned = |optimizer| FineTune { optimizer, ..FineTune::default() };
    let groups = Groups { first: 0, classes: 4 };
    vec![
        ("cd1", pretrain(cd.clone(), &[WIDTH, 9, 6])),
        ("cd3-mixed", pretrain(Pretrain { cd_steps: 3, precision: Precision::Mixed, ..cd.clone() }, &[WIDTH, 9])),
        (
            "cd1-rectified-centred",
            pretrain(Pretrain { code: Units::Rectified, centred: true, ..cd.clone() }, &[WIDTH, 9]),
        ),
        ("cd1-centred", pretrain(Pretrain { code: Units::Bernoulli, centred: true, ..cd.clone() }, &[WIDTH, 9, 6])),
        (
            "cd1-deviations",
            pretrain(
                Pretrain { visible: Units::Gaussian, code: Units::Bernoulli, deviation_rate: Some(0.01), ..cd.clone() },
                &[WIDTH, 9],
            ),
        ),
        (
            "cd1-costs",
            pretrain(
                Pretrain {
                    code: Units::Bernoulli,
                    absolute_cost: 0.001,
                    max_norm: Some(2.0),
                    sparsity: Some(SparsityTarget { weight: 0.1, target: 0.1 }),
                    ..cd.clone()
                },
                &[WIDTH, 9],
            ),
        ),
        ("pcd1", pretrain(Pretrain { code: Units::Bernoulli, chain: Chain::Persistent, ..cd.clone() }, &[WIDTH, 9])),
        (
            "pcd2-fast",
            pretrain(
                Pretrain {
                    code: Units::Bernoulli,
                    cd_steps: 2,
                    chain: Chain::FastPersistent { rate: 0.05 },
                    max_norm: Some(2.0),
                    ..cd.clone()
                },
                &[WIDTH, 9],
            ),
        ),
        (
            "tempered",
            pretrain(
                Pretrain { code: Units::Bernoulli, chain: Chain::Tempered { chains: 3, hottest: 0.5 }, ..cd.clone() },
                &[WIDTH, 9],
            ),
        ),
        ("adam", tune(adam.clone(), deep())),
        (
            "adam-mixed-shifted",
            tune(
                FineTune {
                    precision: Precision::Mixed,
                    shift: Some(ImageShift { width: 4, pixels: 1 }),
                    ..adam.clone()
                },
                deep(),
            ),
        ),
        ("momentum", tune(tuned(Optimizer::Momentum { rate: 0.01, momentum: 0.9 }), deep())),
        ("conjugate-gradients", tune(tuned(Optimizer::ConjugateGradients { searches: 2 }), deep())),
        ("lbfgs", tune(tuned(Optimizer::Lbfgs { iterations: 2, memory: 2 }), deep())),
        ("squared-error", tune(FineTune { objective: Objective::SquaredError, ..adam.clone() }, deep())),
        ("softmax", tune(FineTune { objective: Objective::SoftmaxCrossEntropy, ..adam.clone() }, linear())),
        ("denoising", tune(adam.clone(), Autoencoder { corruption: Some(Noise::Masking(0.3)), ..deep() })),
        (
            "missing",
            tune(
                adam.clone(),
                Autoencoder { corruption: Some(Noise::Missing(Missing { first: 4, share: 0.3 })), ..deep() },
            ),
        ),
        ("tied", tune(adam.clone(), tied())),
        ("tied-lbfgs", tune(tuned(Optimizer::Lbfgs { iterations: 2, memory: 2 }), tied())),
        (
            "l1",
            tune(
                adam.clone(),
                Autoencoder { penalty: Some(Penalty::L1 { weight: 0.1 }), ..flat(Activation::Logistic) },
            ),
        ),
        (
            "sparsity",
            tune(
                adam.clone(),
                Autoencoder {
                    penalty: Some(Penalty::Sparsity { weight: 0.1, target: 0.1 }),
                    ..flat(Activation::Logistic)
                },
            ),
        ),
        (
            "contractive",
            tune(
                adam.clone(),
                Autoencoder { penalty: Some(Penalty::Contractive { weight: 0.1 }), ..flat(Activation::Logistic) },
            ),
        ),
        ("top-k", tune(adam.clone(), Autoencoder { top_k: Some(2), ..flat(Activation::Relu) })),
        (
            "convolutional",
            tune(adam.clone(), Autoencoder::convolutional([3, 4, 1], &[3, 2], 3, 1).expect("windows fit")),
        ),
        ("vae", tune(adam.clone(), Vae::glorot(&[WIDTH, 8, 3], Activation::Tanh, 1).expect("sizes make sense"))),
        ("sequence", tune(adam.clone(), sequence(Cell::Lstm, Feeding::Code))),
        ("sequence-gru-fed", tune(adam.clone(), sequence(Cell::Gru, Feeding::Previous))),
        (
            "classifier",
            tune(adam.clone(), Classifier::glorot(&[WIDTH, 8, 6, 3], Activation::Tanh, 1).expect("sizes make sense")),
        ),
        (
            "classifier-frozen",
            tune(
                FineTune { frozen: 1, ..adam.clone() },
                Classifier::glorot(&[WIDTH, 8, 6, 3], Activation::Tanh, 1).expect("sizes make sense"),
            ),
        ),
        (
            "predictive-sparse",
            tune(
                FineTune { objective: Objective::SquaredError, ..adam.clone() },
                PredictiveSparse::new(WIDTH, 8, Inference { steps: 3, ..Inference::default() }, 1)
                    .expect("settings make sense"),
            ),
        ),
        ("up-down", up_down(UpDown::default(), &[WIDTH, 9, 6])),
        ("up-down-persistent", up_down(UpDown { persistent: true, ..UpDown::default() }, &[WIDTH, 9])),
        ("up-down-hybrid", up_down(UpDown { generative: 0.1, discriminative: 1.0, ..UpDown::default() }, &[WIDTH])),
        (
            "up-down-discriminative",
            up_down(UpDown { generative: 0.0, discriminative: 1.0, ..UpDown::default() }, &[WIDTH]),
        ),
        (
            "words",
            pretrain(Pretrain { visible: Units::Softmax(groups), code: Units::Bernoulli, ..cd.clone() }, &[WIDTH, 9]),
        ),
        ("k-sparse", dictionary(KSparse::default())),
        ("k-sparse-batch", dictionary(KSparse { sparsity: Sparsity::BatchTopK, ..KSparse::default() })),
        ("k-sparse-jump-relu", dictionary(KSparse { sparsity: Sparsity::JumpRelu, ..KSparse::default() })),
        ("k-sparse-aux", dictionary(KSparse { aux_k: Some(3), dead_after: Some(20), ..KSparse::default() })),
        (
            "stacked",
            Box::new(|device, shards| {
                let pixels = pixels(50);
                let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
                let mut recipe = Stacked { hidden: vec![8, 5], ..Stacked::default() };
                recipe.training.tuning = FineTune { epochs: 2, batch: 20, shards, ..FineTune::default() };
                of_layers(&recipe.fit(device, rows).expect("it trains").layers)
            }),
        ),
    ]
}
