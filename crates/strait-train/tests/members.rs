//! The members of the family of autoencoders: their gradients against finite differences in double precision, and what
//! they learn against what is known.

use half::bf16;
use strait_compute::philox::Stream;
use strait_compute::{Activation, Cpu, Device, Missing, Noise, Oracle, Window};
use strait_data::{Halves, Labelled, Rows, Values};
use strait_models::{
    Affine, Autoencoder, AuxK, Classifier, Convolution, Layer, Pca, Thresholds, Vae, corrupt, transpose,
};
use strait_train::{
    FineTune, Goal, Inference, KSparse, Member, Objective, Optimizer, Penalty, PredictiveSparse, Sparsity, Tape, Value,
};

const WIDTH: usize = 6;

/// Rows of values between 0 and 1 that two numbers generate.
fn values(count: usize) -> Vec<f32> {
    let mut stream = Stream::new(5, 0);
    let mixing: Vec<[f32; 2]> = (0..WIDTH).map(|_| [stream.next_normal(), stream.next_normal()]).collect();
    let mut row = || {
        let sources = [2.0 * stream.next_normal(), 2.0 * stream.next_normal()];
        mixing.iter().map(|m| 1.0 / (1.0 + (m[0] * sources[0] + m[1] * sources[1]).exp())).collect::<Vec<_>>()
    };
    (0..count).flat_map(|_| row()).collect()
}

/// Makes the weights of the second half of the layers those of the first half.
fn tie(layers: &mut [Affine]) {
    let (up, down) = layers.split_at_mut(layers.len() / 2);
    for (up, down) in up.iter().rev().zip(down) {
        down.weight = transpose(&up.weight, up.outputs);
    }
}

/// Compares the derivative by every parameter with the difference of two losses.
fn agrees_with_finite_differences<M: Member + Clone>(what: &str, recipe: &FineTune, net: &M) {
    let device = Device::new(Oracle::default());
    let numbers = values(5);
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let labelled = Labelled::new(rows, &[2, 0, 1, 2, 0], net.targets().max(3)).expect("as many labels as rows");
    let rows = if net.targets() > 0 { labelled.rows() } else { rows };
    let loss = |net: &M| recipe.gradient(&device, net, rows).expect("it has a gradient").0;
    let (_, gradient) = recipe.gradient(&device, net, rows).expect("it has a gradient");
    for (number, slopes) in gradient.iter().enumerate() {
        for (i, &slope) in slopes.weight.iter().chain(&slopes.bias).enumerate() {
            let moved = |by: f32| {
                let mut net = net.clone();
                let Affine { weight, bias, .. } = &mut net.layers_mut()[number];
                let parameter = weight.iter_mut().chain(bias).nth(i).expect("there are as many parameters as slopes");
                *parameter += by;
                let value = f64::from(*parameter);
                if net.is_tied() {
                    tie(net.layers_mut());
                }
                (value, loss(&net))
            };
            let ((low, below), (high, above)) = (moved(-0.01), moved(0.01));
            let expected = (above - below) / (high - low);
            let found = f64::from(slope);
            assert!(
                (found - expected).abs() < 1e-3 * (1.0 + expected.abs()),
                "{what}, layer {number}, parameter {i}: {found}, not {expected}"
            );
        }
    }
}

/// Small nets whose units do not lie on a kink.
fn autoencoder(code: Activation) -> Autoencoder {
    let mut net = Autoencoder::glorot(&[WIDTH, 5, 3], 4).expect("the sizes make sense");
    net.layers[1].activation = code;
    net
}

fn vae(outputs: Activation) -> Vae {
    let mut vae = Vae::glorot(&[WIDTH, 5, 2], Activation::Tanh, 4).expect("the sizes make sense");
    vae.layers[3].activation = outputs;
    vae
}

#[test]
fn gradients_of_autoencoders_agree_with_finite_differences() {
    let plain = FineTune::default();
    agrees_with_finite_differences("plain", &plain, &autoencoder(Activation::Linear));
    let counts = FineTune { objective: Objective::SoftmaxCrossEntropy, ..plain.clone() };
    let mut logits = autoencoder(Activation::Linear);
    logits.layers[3].activation = Activation::Linear;
    agrees_with_finite_differences("softmax cross-entropy", &counts, &logits);
    let missing = Noise::Missing(Missing { first: 2, share: 0.4 });
    for noise in [Noise::Masking(0.3), Noise::SaltAndPepper(0.3), Noise::Gaussian(0.5), missing] {
        let net = Autoencoder { corruption: Some(noise), ..autoencoder(Activation::Tanh) };
        agrees_with_finite_differences("denoising", &plain, &net);
    }
    for penalty in [Penalty::L1 { weight: 0.7 }, Penalty::Sparsity { weight: 0.7, target: 0.1 }] {
        let net = Autoencoder { penalty: Some(penalty), ..autoencoder(Activation::Logistic) };
        agrees_with_finite_differences("sparse", &plain, &net);
    }
    // The penalty on rectified units jumps at their kink.
    for units in [Activation::Logistic, Activation::Tanh, Activation::Linear] {
        let mut net = Autoencoder::glorot(&[WIDTH, 4], 4).expect("the sizes make sense");
        net.penalty = Some(Penalty::Contractive { weight: 0.5 });
        net.layers[0].activation = units;
        agrees_with_finite_differences("contractive", &plain, &net);
    }
    for units in [Activation::Logistic, Activation::Relu] {
        let net = Autoencoder { top_k: Some(2), ..autoencoder(units) };
        agrees_with_finite_differences("k-sparse", &plain, &net);
    }
    // Of so many units the numbers that stay are listed.
    let mut stream = Stream::new(8, 0);
    let mut layer = |inputs, outputs, activation| {
        Affine::glorot(inputs, outputs, activation, &mut stream).expect("the sizes are positive")
    };
    let layers = vec![layer(WIDTH, 24, Activation::Relu), layer(24, WIDTH, Activation::Tanh)];
    let mut listed = Autoencoder { top_k: Some(2), ..Autoencoder::new(layers, 1) };
    // Another unit among the two largest would be a jump.
    listed.layers[0].bias = (0..24).map(|unit| if unit % 14 == 3 { 3.0 } else { -3.0 }).collect();
    let squared = FineTune { objective: Objective::SquaredError, ..FineTune::default() };
    agrees_with_finite_differences("k-sparse, listed", &squared, &listed);
    let mut net = Autoencoder { top_k: None, thresholds: Some(Thresholds::BatchTopK { k: 2 }), ..listed };
    net.layers[0].threshold = Some(vec![0.0; 24]);
    agrees_with_finite_differences("the largest of a minibatch", &squared, &net);
}

/// A net of 3 inputs and 5 rectified units whose numbers other programs can make, and 6 rows. `shifts` go on the units' biases.
fn waves(shifts: [f32; 5]) -> (Autoencoder, Vec<f32>) {
    let wave = |count: usize, pace: f64, start: f64| (0..count).map(move |i| (pace * i as f64 + start).sin() as f32);
    let affine = |[inputs, outputs]: [usize; 2], activation, weight, bias| {
        let (convolution, threshold) = (None, None);
        Affine { inputs, outputs, activation, weight, bias, convolution, threshold }
    };
    let bias = wave(5, 1.1, 0.5).zip(shifts).map(|(x, shift)| 0.25 * x + shift).collect();
    let up = affine([3, 5], Activation::Relu, wave(15, 2.3, 0.1).collect(), bias);
    let bias = wave(3, 1.3, 0.7).map(|x| 0.25 * x).collect();
    let down = affine([5, 3], Activation::Linear, wave(15, 0.9, 0.2).collect(), bias);
    (Autoencoder::new(vec![up, down], 1), wave(18, 1.7, 0.3).collect())
}

/// Compares a gradient with that of another program.
fn has_gradient(net: &Autoencoder, rows: &[f32], expected: &[(&str, &[f32])]) {
    let rows = Rows::numbers(rows, 3).expect("whole rows");
    let recipe = FineTune { objective: Objective::SquaredError, ..FineTune::default() };
    for device in [Device::new(Oracle::default()), Device::cpu().expect("threads start")] {
        let (_, gradient) = recipe.gradient(&device, net, rows).expect("it has a gradient");
        for (what, expected) in expected {
            let found = match *what {
                "thresholds" => gradient[0].threshold.as_deref().expect("its units have thresholds"),
                "the encoder's bias" => &gradient[0].bias,
                "the encoder" => &gradient[0].weight,
                "the decoder" => &gradient[1].weight,
                _ => &gradient[1].bias,
            };
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(*expected) {
                assert!((found - expected).abs() < 2e-6, "{what}: {found}, not {expected}");
            }
        }
    }
}

/// The gradients that PyTorch 2.15 takes through JumpReLU and Step of SAELens 6.54.12, in double precision.
#[test]
fn thresholds_learn_as_those_of_saelens() {
    let (mut net, rows) = waves([0.0; 5]);
    net.layers[0].threshold = Some((0..5).map(|i| (0.3 + 0.2 * (1.9 * f64::from(i) + 0.4).sin()) as f32).collect());
    net.thresholds = Some(Thresholds::JumpRelu { k: 2, bandwidth: 0.8, weight: 1.5 });
    has_gradient(
        &net,
        &rows,
        &[
            ("thresholds", &[0.273717, 0.293041, 0.0, 0.058025, -0.252738]),
            ("the encoder's bias", &[1.94094, 1.378647, 0.604357, 0.435431, 0.303424]),
            (
                "the encoder",
                &[
                    1.07455, 0.25357, -0.057575, 0.325445, -0.234475, -1.32981, 1.085369, -0.652514, 0.125093,
                    0.221186, -0.731873, -0.533258, 0.225721, -0.35768, 0.177478,
                ],
            ),
            (
                "the decoder",
                &[
                    0.304914, 1.493667, 0.767114, 0.214925, -1.165961, -0.66518, -0.108255, 0.582832, 0.399816,
                    0.525022, 0.769174, 0.299703, -0.065852, -0.306272, -0.069934,
                ],
            ),
            ("the decoder's bias", &[0.354885, 0.525572, 0.267675]),
        ],
    );
}

/// The gradients that PyTorch 2.15 takes of ‖e‖² + 0.4 ‖e − ê‖² in double precision, where nothing passes back through e.
#[test]
fn dead_units_learn_from_what_others_leave() {
    let (mut net, rows) = waves([0.5, -0.9, 0.5, 0.5, -1.0]);
    net.top_k = Some(2);
    // Two units are dead; one of them is above 0 on two rows, but not among their largest.
    net.aux_k = Some(AuxK { k: 1, weight: 0.4, after: 1 });
    has_gradient(
        &net,
        &rows,
        &[
            ("the encoder's bias", &[3.138776, -0.021613, 1.425086, 0.600536, 0.0]),
            (
                "the encoder",
                &[
                    1.651576, -0.027047, -0.40067, 0.456686, 0.0, -1.460947, -0.00623, -0.896589, 0.066625, 0.0,
                    -1.275106, 0.028652, 0.631711, -0.473854, 0.0,
                ],
            ),
            (
                "the decoder",
                &[
                    0.969067, 2.900984, 1.843333, 0.056579, -0.001237, 0.017002, -0.332494, 1.595921, 1.645695,
                    1.409497, 1.945994, 1.202331, 0.0, 0.0, 0.0,
                ],
            ),
            ("the decoder's bias", &[0.741585, 2.174075, 1.930427]),
        ],
    );
}

/// Rows of 16 bits are widened where minibatches are gathered: nothing changes.
#[test]
fn rows_of_16_bits_train_to_the_same_bits() {
    let mut stream = Stream::new(4, 0);
    let halves: Vec<bf16> = (0..300 * WIDTH).map(|_| bf16::from_f32(stream.next_normal())).collect();
    let wide: Vec<f32> = halves.iter().map(|x| x.to_f32()).collect();
    let device = Device::cpu().expect("threads start");
    let training = FineTune { epochs: 4, batch: 32, ..KSparse::default().training };
    let recipe = KSparse { units: 40, top_k: 2, rounds: 2, training, ..KSparse::default() };
    let [narrow, wide] = [Values::Halves(Halves::Bf16(&halves)), Values::Numbers(&wide)].map(|values| {
        let rows = Rows { count: 300, width: WIDTH, values };
        let trained = recipe.fit(&device, rows).expect("it trains");
        let mut net = Autoencoder::linear(WIDTH, 3, 1).expect("the sizes make sense");
        let squared = FineTune { epochs: 2, objective: Objective::SquaredError, ..FineTune::default() };
        squared.fit(&device, &mut net, rows).expect("it trains");
        (trained.net, net)
    });
    assert_eq!(narrow, wide);
}

/// As many units a row as asked for, of rows that need different numbers of them; thresholds that learn differ.
#[test]
fn thresholds_keep_as_many_units_as_asked_for() {
    const WIDTH: usize = 32;
    let mut stream = Stream::new(6, 0);
    let mut normal = |count: usize| (0..count).map(|_| stream.next_normal()).collect::<Vec<f32>>();
    let directions = normal(64 * WIDTH);
    let mut values = Vec::new();
    for row in 0..2000 {
        let mut sum = vec![0.0; WIDTH];
        for part in 0..1 + row % 5 {
            let direction = (row * 7 + part * 13) % 64;
            sum.iter_mut().zip(&directions[direction * WIDTH..]).for_each(|(x, d)| *x += d);
        }
        values.extend(sum);
    }
    let rows = Rows::numbers(&values, WIDTH).expect("whole rows");
    let device = Device::cpu().expect("threads start");
    let training = FineTune { epochs: 40, batch: 100, ..KSparse::default().training };
    let explained = [Sparsity::TopK, Sparsity::BatchTopK, Sparsity::JumpRelu].map(|sparsity| {
        let training = training.clone();
        let recipe = KSparse { units: 128, top_k: 3, rounds: 2, sparsity, training, ..KSparse::default() };
        let net = recipe.fit(&device, rows).expect("it trains").net;
        let uses = net.encode_largest(&device, rows).expect("it encodes").uses();
        let mean = uses.iter().sum::<usize>() as f64 / rows.count as f64;
        assert!((mean - 3.0).abs() < 0.02, "{sparsity:?}: {mean} units a row");
        if let Some(thresholds) = &net.layers[0].threshold {
            let same = thresholds.iter().all(|x| *x == thresholds[0]);
            assert!(same == (sparsity == Sparsity::BatchTopK), "{sparsity:?}: {thresholds:?}");
        }
        net.explained_variance(&device, rows).expect("it is measured")
    });
    let [top_k, batch_top_k, jump_relu] = explained;
    assert!(top_k > 0.8 && batch_top_k > top_k && jump_relu > top_k, "{explained:?}");
}

/// On rows of few directions, random units would nearly all be dead (451 of 512); and equal rows must give no twins.
#[test]
fn units_of_dictionaries_live() {
    const WIDTH: usize = 32;
    let mut stream = Stream::new(5, 0);
    let mut normal = |count: usize| (0..count).map(|_| stream.next_normal()).collect::<Vec<f32>>();
    let directions = normal(5 * WIDTH);
    let mut values = Vec::new();
    for _ in 0..1000 {
        let parts = normal(5);
        let row = (0..WIDTH).map(|i| {
            let part =
                |(number, part): (usize, &f32)| part * directions[number * WIDTH + i] * 8.0 / (1 << number) as f32;
            parts.iter().enumerate().map(part).sum::<f32>()
        });
        values.extend(row);
    }
    let device = Device::cpu().expect("threads start");
    let training = FineTune { epochs: 40, batch: 100, ..KSparse::default().training };
    let recipe = KSparse { units: 200, top_k: 4, training, ..KSparse::default() };
    let trained = |values: &[f32]| {
        let rows = Rows::numbers(values, WIDTH).expect("they are rows");
        let trained = recipe.fit(&device, rows).expect("it trains");
        let explained = trained.net.explained_variance(&device, rows).expect("it is measured");
        let uses = trained.net.encode_largest(&device, rows).expect("it encodes").uses();
        (explained, uses.iter().filter(|&&uses| uses == 0).count(), trained)
    };
    let (explained, dead, _) = trained(&values);
    assert!(explained > 0.95 && dead < 50, "{dead} units are dead, {explained} is explained");
    let (_, _, equal) = trained(&values[..10 * WIDTH].repeat(100));
    let decoder = &equal.net.layers[1].weight;
    let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
    for (number, one) in decoder.chunks(WIDTH).enumerate() {
        for other in decoder.chunks(WIDTH).take(number) {
            let cosine = one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>() / (length(one) * length(other));
            assert!(cosine < 0.999, "unit {number} has a twin: {cosine}");
        }
    }
    // A row a thousand times as long as the others is counted, and changes little.
    let mut long = values.clone();
    long[7 * WIDTH..8 * WIDTH].iter_mut().for_each(|x| *x *= 1000.0);
    let (_, _, with) = trained(&long);
    let rows = Rows::numbers(&values, WIDTH).expect("they are rows");
    let of_others = with.net.explained_variance(&device, rows).expect("it is measured");
    assert!(with.far == 1 && (of_others - explained).abs() < 0.01, "{} far rows, {of_others} is explained", with.far);
}

#[test]
fn gradients_of_tied_weights_agree_with_finite_differences() {
    let recipe = FineTune::default();
    let mut deep = autoencoder(Activation::Tanh);
    deep.tie().expect("the sizes are mirrored");
    agrees_with_finite_differences("tied", &recipe, &deep);
    let mut flat = Autoencoder::glorot(&[WIDTH, 4], 4).expect("the sizes make sense");
    flat.layers[0].activation = Activation::Logistic;
    flat.tie().expect("the sizes are mirrored");
    flat.penalty = Some(Penalty::Contractive { weight: 0.5 });
    agrees_with_finite_differences("tied and contractive", &recipe, &flat);
    // A minimiser follows the same gradient, and leaves the weights tied.
    let numbers = values(50);
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    let before = deep.error(&device, rows).expect("it is computed");
    let lbfgs = Optimizer::Lbfgs { iterations: 20, memory: 5 };
    for optimizer in [Optimizer::adam(0.02), Optimizer::ConjugateGradients { searches: 5 }, lbfgs] {
        let recipe = FineTune { optimizer, epochs: 5, batch: 50, ..recipe.clone() };
        let mut net = deep.clone();
        recipe.run(&device, &mut net, rows).and_then(|run| run.test(rows)?.train()).expect("it learns");
        assert!(net.error(&device, rows).expect("it is computed") < before);
        let learned = net.layers.clone();
        tie(&mut net.layers);
        assert_eq!(net.layers, learned);
    }
    let frozen = FineTune { frozen: 1, ..recipe.clone() };
    assert!(frozen.gradient(&device, &deep, rows).is_err(), "half of a weight cannot stay");
    let free = Autoencoder { tied: true, ..autoencoder(Activation::Tanh) };
    let refused = recipe.gradient(&device, &free, rows).expect_err("its weights are not tied");
    assert!(refused.to_string().contains("Autoencoder::tie"), "{refused}");
}

#[test]
fn gradients_of_convolutions_agree_with_finite_differences() {
    let mut net = Autoencoder::convolutional([2, 3, 1], &[3, 2], 3, 4).expect("the windows fit");
    // Rectified units jump at their kink.
    net.layers[..3].iter_mut().for_each(|layer| layer.activation = Activation::Tanh);
    agrees_with_finite_differences("convolutional", &FineTune::default(), &net);
    let mut over_time = Autoencoder::convolutional_over_time([3, 2], &[3, 2], 3, 4).expect("the windows fit");
    over_time.layers[..3].iter_mut().for_each(|layer| layer.activation = Activation::Tanh);
    let squared = FineTune { objective: Objective::SquaredError, ..FineTune::default() };
    agrees_with_finite_differences("convolutional over time", &squared, &over_time);
    // So does the penalty where an output is 0.
    net.layers[1].activation = Activation::Logistic;
    let penalty = Some(Penalty::L1 { weight: 0.3 });
    net.penalty = penalty;
    let squared = FineTune { objective: Objective::SquaredError, ..FineTune::default() };
    agrees_with_finite_differences("convolutional and sparse", &squared, &net);
    // Maps between layers that are fully connected.
    let mut stream = Stream::new(6, 0);
    let window = Window { height: 3, width: 3, channels: 2, kernel: 2, stride: 1, padding: 0, over_time: false };
    let mut dense = |inputs, outputs| Affine::glorot(inputs, outputs, Activation::Logistic, &mut stream);
    let ends = [dense(WIDTH, 18).expect("it fits"), dense(18, WIDTH).expect("it fits")];
    let maps = [false, true].map(|transposed| {
        Affine::convolution(Convolution { window, transposed }, 3, Activation::Tanh, &mut stream).expect("it fits")
    });
    let [first, last] = ends;
    let [down, up] = maps;
    let mixed = Autoencoder::new(vec![first, down, up, last], 2);
    agrees_with_finite_differences("mixed", &FineTune::default(), &mixed);
}

#[test]
fn gradients_of_classifiers_agree_with_finite_differences() {
    let net = Classifier::glorot(&[WIDTH, 5, 3], Activation::Tanh, 4).expect("the sizes make sense");
    agrees_with_finite_differences("classifier", &FineTune::default(), &net);
    let noisy = Classifier { corruption: Some(Noise::Masking(0.3)), ..net };
    agrees_with_finite_differences("classifier of noisy rows", &FineTune::default(), &noisy);
}

/// Rows whose class is that of the larger of two sums.
#[test]
fn a_classifier_learns_above_layers_that_stay() {
    let numbers = values(300);
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let of_row = |row: &[f32]| u32::from(row[..3].iter().sum::<f32>() > row[3..].iter().sum::<f32>());
    let labels: Vec<u32> = numbers.chunks_exact(WIDTH).map(of_row).collect();
    let labelled = Labelled::new(rows, &labels, 2).expect("as many labels as rows");
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    let before = Classifier::glorot(&[WIDTH, 20, 2], Activation::Tanh, 4).expect("the sizes make sense");
    let lbfgs = Optimizer::Lbfgs { iterations: 10, memory: 5 };
    for optimizer in [Optimizer::adam(0.02), Optimizer::ConjugateGradients { searches: 5 }, lbfgs] {
        let recipe = FineTune { epochs: 20, batch: 50, frozen: 1, optimizer, ..FineTune::default() };
        let mut net = before.clone();
        let tuned = recipe
            .run(&device, &mut net, labelled.rows())
            .and_then(|run| run.test(labelled.rows())?.train())
            .expect("it learns");
        assert_eq!(net.layers[0], before.layers[0]);
        let wrong = net.error_rate(&device, rows, &labels).expect("it is computed");
        assert!(wrong < 0.05, "{wrong} of the rows are given a wrong class");
        assert_eq!(tuned.epochs.last().and_then(|epoch| epoch.test_error), Some(wrong));
    }
    let recipe = FineTune { frozen: 2, ..FineTune::default() };
    assert!(recipe.fit(&device, &mut before.clone(), labelled.rows()).is_err());
    let unlabelled = FineTune::default().fit(&device, &mut before.clone(), rows);
    assert!(unlabelled.expect_err("there are no classes").to_string().contains("6 values"));
}

#[test]
fn gradients_of_variational_autoencoders_agree_with_finite_differences() {
    for kl_weight in [1.0, 0.3] {
        let weighted = |outputs| Vae { kl_weight, ..vae(outputs) };
        agrees_with_finite_differences("Bernoulli", &FineTune::default(), &weighted(Activation::Logistic));
        let squared = FineTune { objective: Objective::SquaredError, ..FineTune::default() };
        agrees_with_finite_differences("normal", &squared, &weighted(Activation::Linear));
    }
}

/// Rows that are sums of two atoms each: the atoms are found, and the encoder foretells what the inference finds.
#[test]
fn predictive_sparse_decomposition_finds_the_atoms() {
    const SIZE: usize = 16;
    const CODES: usize = 28;
    let mut stream = Stream::new(9, 0);
    let unit = |atom: &[f32]| {
        let length = atom.iter().map(|x| x * x).sum::<f32>().sqrt();
        atom.iter().map(|x| x / length).collect::<Vec<_>>()
    };
    let atoms: Vec<Vec<f32>> =
        (0..SIZE).map(|_| unit(&(0..SIZE).map(|_| stream.next_normal()).collect::<Vec<_>>())).collect();
    let mut row = || {
        let mut choose = || {
            let word = stream.next_word();
            (&atoms[word as usize % SIZE], if word >> 31 == 0 { 1.0 } else { -1.0 })
        };
        let [(a, s), (b, t)] = [choose(), choose()];
        a.iter().zip(b).map(|(a, b)| s * a + t * b).collect::<Vec<f32>>()
    };
    let numbers: Vec<f32> = (0..1000).flat_map(|_| row()).collect();
    let rows = Rows::numbers(&numbers, SIZE).expect("whole rows");
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    let inference = Inference { sparsity: 0.3, pull: 0.2, steps: 15, rate: 0.05, norm: 1.5 };
    let mut model = PredictiveSparse::new(SIZE, CODES, inference, 3).expect("the settings make sense");
    let optimizer = Optimizer::adam(0.01);
    let recipe =
        FineTune { epochs: 60, batch: 50, optimizer, objective: Objective::SquaredError, ..FineTune::default() };
    recipe.fit(&device, &mut model, rows).expect("it learns");
    let learned: Vec<Vec<f32>> = model.net.layers[1].weight.chunks_exact(SIZE).map(unit).collect();
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>().abs();
    let found = |atom: &&Vec<f32>| learned.iter().map(|other| cosine(atom, other)).fold(0.0, f32::max) > 0.95;
    let count = atoms.iter().filter(found).count();
    assert_eq!(count, SIZE, "so many atoms are found");
    let longest = model.net.layers[1].weight.chunks_exact(SIZE).map(|atom| atom.iter().map(|w| w * w).sum::<f32>());
    assert!(longest.fold(0.0, f32::max) < 1.5f32.powi(2) * 1.0001);

    // The energy of these codes is that of a long inference in double precision.
    let codes = model.infer(&device, rows).expect("codes");
    let foretold = model.net.encode(&device, rows).expect("codes");
    let (dictionary, bias) = (&model.net.layers[1].weight, &model.net.layers[1].bias);
    let error = |z: &[f64], x: &[f32], c: usize| {
        let decoded: f64 = z.iter().enumerate().map(|(j, z)| z * f64::from(dictionary[j * SIZE + c])).sum();
        decoded + f64::from(bias[c]) - f64::from(x[c])
    };
    let energy = |z: &[f64], x: &[f32], f: &[f32]| {
        let squares: f64 = (0..SIZE).map(|c| error(z, x, c).powi(2)).sum();
        let pulled: f64 = z.iter().zip(f).map(|(z, &f)| (z - f64::from(f)).powi(2)).sum();
        squares + 0.3 * z.iter().map(|z| z.abs()).sum::<f64>() + 0.2 * pulled
    };
    let wide = |row: &[f32]| row.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let (mut found, mut least, mut start) = (0.0, 0.0, 0.0);
    for i in 0..20 {
        let code = |values: &[f32]| values[i * CODES..][..CODES].to_vec();
        let (x, f) = (numbers[i * SIZE..][..SIZE].to_vec(), code(&foretold));
        let mut z = wide(&f);
        start += energy(&z, &x, &f);
        for _ in 0..2000 {
            let errors: Vec<f64> = (0..SIZE).map(|c| error(&z, &x, c)).collect();
            for j in 0..CODES {
                let overlap: f64 = (0..SIZE).map(|c| errors[c] * f64::from(dictionary[j * SIZE + c])).sum();
                let v = z[j] - 0.02 * (2.0 * overlap + 0.4 * (z[j] - f64::from(f[j])));
                z[j] = v.signum() * (v.abs() - 0.02 * 0.3).max(0.0);
            }
        }
        least += energy(&z, &x, &f);
        found += energy(&wide(&code(&codes)), &x, &f);
    }
    assert!(least <= found && found < 1.05 * least && found < start, "{least}, {found}, {start}");
}

/// The penalty is the mean squared norm of the Jacobian, by differences of the codes themselves.
#[test]
fn the_contractive_penalty_is_the_norm_of_the_jacobian() {
    let device = Device::new(Oracle::default());
    let mut net = Autoencoder::glorot(&[WIDTH, 4], 4).expect("the sizes make sense");
    net.layers[0].activation = Activation::Logistic;
    let numbers = values(5);
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let loss = |penalty| {
        let net = Autoencoder { penalty, ..net.clone() };
        FineTune::default().gradient(&device, &net, rows).expect("a loss").0
    };
    let found = loss(Some(Penalty::Contractive { weight: 1.0 })) - loss(None);
    let codes = |values: &[f32]| net.encode(&device, Rows::numbers(values, WIDTH).expect("whole rows")).expect("codes");
    let mut sum = 0.0;
    for c in 0..WIDTH {
        let [low, high] = [-0.01f32, 0.01].map(|by| {
            let mut moved = numbers.clone();
            moved.chunks_exact_mut(WIDTH).for_each(|row| row[c] += by);
            codes(&moved)
        });
        sum += low.iter().zip(&high).map(|(l, h)| (f64::from(h - l) / 0.02).powi(2)).sum::<f64>();
    }
    let expected = sum / rows.count as f64;
    assert!((found / expected - 1.0).abs() < 1e-4, "{found}, not {expected}");
}

/// Two decoders of one code.
#[derive(Clone)]
struct Twice(Vec<Affine>);

impl Member for Twice {
    fn layers(&self) -> &[Affine] {
        &self.0
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.0
    }

    fn check(&self, _: &Goal) -> strait_models::Result<()> {
        Ok(())
    }

    fn record(
        &self,
        tape: &mut Tape<'_>,
        layers: &[Layer],
        x: Value,
        target: Value,
        goal: &Goal,
    ) -> strait_models::Result<()> {
        let code = tape.layer(x, layers[0])?;
        tape.reconstruct(code, &layers[1..2], target, goal.objective)?;
        tape.reconstruct(code, &layers[2..3], target, goal.objective)
    }
}

#[test]
fn values_that_are_used_twice_have_both_derivatives() {
    let mut layers = Autoencoder::glorot(&[WIDTH, 4], 2).expect("the sizes make sense").layers;
    layers.push(Autoencoder::glorot(&[WIDTH, 4], 3).expect("the sizes make sense").layers[1].clone());
    agrees_with_finite_differences("two decoders", &FineTune::default(), &Twice(layers));
}

/// A linear decoder makes x normal, with covariance w wᵀ + ½: the likelihood is known.
#[test]
fn likelihoods_of_a_linear_model_are_exact() {
    let (w, b) = ([0.8f32, -0.5, 0.3, 0.0, 0.9, -0.2], [0.5f32; WIDTH]);
    let mut vae = Vae::glorot(&[WIDTH, 1], Activation::Linear, 9).expect("the sizes make sense");
    vae.layers[1] = Affine {
        inputs: 1,
        outputs: WIDTH,
        activation: Activation::Linear,
        weight: w.into(),
        bias: b.into(),
        convolution: None,
        threshold: None,
    };
    let numbers = values(20);
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    let found = vae.log_likelihood(&device, rows, 3000, 1).expect("it is estimated");
    let squares: f64 = w.iter().map(|&w| f64::from(w).powi(2)).sum();
    let mut mean = 0.0;
    for (row, &found) in numbers.chunks_exact(WIDTH).zip(&found) {
        let centred: Vec<f64> = row.iter().zip(b).map(|(&x, b)| f64::from(x - b)).collect();
        let along: f64 = centred.iter().zip(w).map(|(x, w)| x * f64::from(w)).sum();
        let length: f64 = centred.iter().map(|x| x * x).sum();
        // The inverse of ½ + w wᵀ is 2 − 4 w wᵀ / (1 + 2 wᵀw), its determinant (1 + 2 wᵀw) / 2ⁿ.
        let exponent = 2.0 * length - 4.0 * along * along / (1.0 + 2.0 * squares);
        let determinant = (1.0 + 2.0 * squares) / f64::from(1 << WIDTH);
        let constant = WIDTH as f64 * std::f64::consts::TAU.ln() + determinant.ln();
        let expected = -0.5 * (exponent + constant);
        assert!((found - expected).abs() < 0.1, "{found}, not {expected}");
        mean += expected / rows.count as f64;
    }
    let elbo = vae.elbo(&device, rows, 1).expect("it is computed").total();
    assert!(elbo < mean, "the bound {elbo} is not below {mean}");
}

/// Baldi & Hornik (1989): a linear autoencoder finds the space of the principal components.
#[test]
fn a_linear_autoencoder_is_as_good_as_pca() {
    let mut stream = Stream::new(8, 0);
    let mixing: Vec<f32> = (0..WIDTH * WIDTH).map(|_| stream.next_normal()).collect();
    let mut row = || {
        let sources: Vec<f32> = (0..WIDTH).map(|i| stream.next_normal() / (1 << i) as f32).collect();
        let mix = |c: usize| sources.iter().enumerate().map(|(i, s)| s * mixing[i * WIDTH + c]).sum::<f32>();
        (0..WIDTH).map(mix).collect::<Vec<_>>()
    };
    let numbers: Vec<f32> = (0..500).flat_map(|_| row()).collect();
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    let mut net = Autoencoder::linear(WIDTH, 2, 1).expect("the sizes make sense");
    let recipe = FineTune {
        epochs: 300,
        batch: 50,
        optimizer: Optimizer::adam(0.02),
        objective: Objective::SquaredError,
        ..FineTune::default()
    };
    recipe.fit(&device, &mut net, rows).expect("it learns");
    let pca = Pca::fit(&device, rows, 2).expect("it has components");
    let (found, expected) = (net.error(&device, rows).expect("an error"), pca.error(rows).expect("an error"));
    assert!((found / expected - 1.0).abs() < 0.005, "{found}, not {expected}");
    let angles = pca.principal_angles(&net.layers[1]).expect("the decoder fits");
    assert!(angles.iter().all(|&angle| angle < 2.0), "angles of {angles:?} degrees");
}

/// Sparse codes are sparse, and denoising is learned: both against a net that is trained without.
#[test]
fn penalties_and_noise_do_what_they_are_for() {
    let numbers = values(400);
    let rows = Rows::numbers(&numbers, WIDTH).expect("whole rows");
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    let plain = FineTune { epochs: 30, batch: 20, optimizer: Optimizer::adam(0.01), ..FineTune::default() };
    let trained = |corruption: Option<Noise>, penalty: Option<Penalty>| {
        let mut net = Autoencoder::glorot(&[WIDTH, 12], 1).expect("the sizes make sense");
        net.layers[0].activation = Activation::Logistic;
        (net.corruption, net.penalty) = (corruption, penalty);
        plain.fit(&device, &mut net, rows).expect("it learns");
        net
    };
    let activity = |net: &Autoencoder| {
        let codes = net.encode(&device, rows).expect("it encodes");
        codes.iter().map(|&y| f64::from(y)).sum::<f64>() / codes.len() as f64
    };
    let dense = trained(None, None);
    let sparse = trained(None, Some(Penalty::Sparsity { weight: 3.0, target: 0.05 }));
    let small = trained(None, Some(Penalty::L1 { weight: 0.2 }));
    assert!((activity(&sparse) - 0.05).abs() < 0.02, "the mean output is {}", activity(&sparse));
    assert!(activity(&small) < 0.5 * activity(&dense), "{} against {}", activity(&small), activity(&dense));
    let noise = Noise::Gaussian(0.3);
    let denoising = trained(Some(noise), None);
    let noisy = corrupt(&device, rows, noise, 77).expect("noise is added");
    let noisy = Rows::numbers(&noisy, WIDTH).expect("whole rows");
    let error = |net: &Autoencoder| {
        let found = net.reconstruct(&device, noisy).expect("it reconstructs");
        found.iter().zip(&numbers).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>()
    };
    assert!(error(&denoising) < 0.9 * error(&dense), "{} against {}", error(&denoising), error(&dense));
}
