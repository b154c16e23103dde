//! Autoencoders of sequences: gradients through time against finite differences in double precision, ends that change nothing, and what is
//! learned.

use strait_compute::philox::Stream;
use strait_compute::{Activation, Cell, Cpu, Device, Noise, Oracle};
use strait_data::Rows;
use strait_models::{Feeding, Model, SequenceAutoencoder, SequenceCode, SequenceShape, StateDict};
use strait_train::{FineTune, Member, Objective, Optimizer};

const STEPS: usize = 4;
const FEATURES: usize = 2;

/// Sequences of values between 0 and 1, with their lengths behind them where these are wanted.
fn values(count: usize, lengths: bool) -> Vec<f32> {
    let mut stream = Stream::new(7, 0);
    let mut rows = Vec::new();
    for row in 0..count {
        rows.extend((0..STEPS * FEATURES).map(|_| 1.0 / (1.0 + (-stream.next_normal()).exp())));
        if lengths {
            rows.push((1 + row % STEPS) as f32);
        }
    }
    rows
}

fn net(shape: SequenceShape) -> SequenceAutoencoder {
    SequenceAutoencoder::new(shape, 3).expect("the shape makes sense")
}

fn small() -> SequenceShape {
    SequenceShape { units: 3, ..SequenceShape::of(STEPS, FEATURES) }
}

/// Compares the derivative by every parameter with the difference of two losses.
fn agrees_with_finite_differences(what: &str, recipe: &FineTune, net: &SequenceAutoencoder) {
    let device = Device::new(Oracle::default());
    let numbers = values(5, net.shape.lengths);
    let rows = Rows::numbers(&numbers, net.inputs()).expect("whole rows");
    let loss = |net: &SequenceAutoencoder| recipe.gradient(&device, net, rows).expect("it has a gradient").0;
    let (_, gradient) = recipe.gradient(&device, net, rows).expect("it has a gradient");
    for (number, slopes) in gradient.iter().enumerate() {
        for (i, &slope) in slopes.weight.iter().chain(&slopes.bias).enumerate() {
            let moved = |by: f32| {
                let mut net = net.clone();
                let layer = &mut net.layers_mut()[number];
                let parameter =
                    layer.weight.iter_mut().chain(&mut layer.bias).nth(i).expect("as many parameters as slopes");
                *parameter += by;
                (f64::from(*parameter), loss(&net))
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

#[test]
fn gradients_through_time_agree_with_finite_differences() {
    let squared = FineTune { objective: Objective::SquaredError, ..FineTune::default() };
    let entropy = FineTune::default();
    for cell in Cell::ALL {
        let of = |shape: SequenceShape| net(SequenceShape { cell, ..shape });
        let check = |what: &str, recipe: &FineTune, net: &SequenceAutoencoder| {
            agrees_with_finite_differences(&format!("{} {what}", cell.name()), recipe, net);
        };
        check("plain", &squared, &of(small()));
        check("logistic", &entropy, &of(SequenceShape { outputs: Activation::Logistic, ..small() }));
        let deep = SequenceShape { depth: 2, bidirectional: true, ..small() };
        check("deep in both directions", &squared, &of(deep));
        check("deep with ends", &squared, &of(SequenceShape { lengths: true, ..deep }));
        let ended = SequenceShape { lengths: true, outputs: Activation::Logistic, reversed: true, ..small() };
        check("reversed, with ends", &entropy, &of(ended));
        check("linear code", &squared, &of(SequenceShape { code: SequenceCode::Linear(2), ..small() }));
        let drawn = SequenceShape { code: SequenceCode::Gaussian(2), ..small() };
        check("variational", &squared, &SequenceAutoencoder { kl_weight: 0.7, ..of(drawn) });
        let fed = SequenceShape { feeding: Feeding::Previous, ..small() };
        check("fed with the step before", &squared, &of(fed));
        check("fed, deep, reversed", &squared, &of(SequenceShape { depth: 2, reversed: true, lengths: true, ..fed }));
        check("denoising", &squared, &SequenceAutoencoder { corruption: Some(Noise::Masking(0.3)), ..of(small()) });
        check("one step", &squared, &{
            let shape = SequenceShape { cell, units: 3, ..SequenceShape::of(1, STEPS * FEATURES) };
            net(shape)
        });
    }
}

/// What stands behind the end changes no bit, and full lengths are as good as none.
#[test]
fn ends_change_nothing() {
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    for (cell, feeding) in [(Cell::Lstm, Feeding::Code), (Cell::Gru, Feeding::Previous)] {
        let shape = SequenceShape { cell, feeding, depth: 2, bidirectional: true, units: 20, ..small() };
        let [plain, ended] = [false, true].map(|lengths| net(SequenceShape { lengths, ..shape }));
        let recipe = FineTune {
            objective: Objective::SquaredError,
            optimizer: Optimizer::adam(0.01),
            epochs: 2,
            batch: 7,
            ..FineTune::default()
        };
        let trained = |net: &SequenceAutoencoder, values: &[f32]| {
            let mut net = net.clone();
            let rows = Rows::numbers(values, net.inputs()).expect("whole rows");
            recipe.run(&device, &mut net, rows).and_then(|run| run.train()).expect("it learns");
            net
        };
        let numbers = values(20, false);
        let width = STEPS * FEATURES;
        let with = |length: &dyn Fn(usize) -> usize, beyond: f32| {
            let rows = numbers.chunks_exact(width).enumerate().map(|(number, row)| {
                let steps = length(number);
                let kept = row.iter().enumerate().map(|(i, &x)| if i / FEATURES < steps { x } else { beyond });
                kept.chain([steps as f32]).collect::<Vec<_>>()
            });
            rows.collect::<Vec<_>>().concat()
        };
        let full = trained(&ended, &with(&|_| STEPS, 0.0));
        assert_eq!(full.layers, trained(&plain, &numbers).layers, "{} with full lengths", cell.name());
        let some = |number: usize| 1 + number % STEPS;
        let [zeros, noise] = [0.0, 1e30].map(|beyond| trained(&ended, &with(&some, beyond)));
        assert_eq!(zeros.layers, noise.layers, "{} with what stands behind the ends", cell.name());
        let rows = with(&some, 9.0);
        let model = Model::from(zeros);
        let made =
            model.reconstruct(&device, Rows::numbers(&rows, width + 1).expect("whole rows")).expect("it decodes");
        for (row, made) in rows.chunks_exact(width + 1).zip(made.chunks_exact(width + 1)) {
            assert_eq!(row[width], made[width]);
            assert!(made[row[width] as usize * FEATURES..width].iter().all(|&x| x == 0.0));
        }
        for length in [0.0, 2.5, 5.0, -1.0] {
            let mut wrong = rows.clone();
            wrong[2 * (width + 1) - 1] = length;
            let refused = model.encode(&device, Rows::numbers(&wrong, width + 1).expect("whole rows"));
            let message = refused.expect_err("it has no such length").to_string();
            assert!(message.contains("row 1") && message.contains("1 to 4"), "{message}");
        }
    }
}

/// Sequences that a constant pushes on: what the code holds is enough to write them down again.
#[test]
fn sequences_are_learned() {
    let device = Device::new(Cpu::with_threads(2).expect("threads start"));
    let mut stream = Stream::new(9, 0);
    let (steps, count) = (12, 200);
    let mut rows = Vec::new();
    for _ in 0..count {
        let (phase, speed) = (stream.next_normal(), 0.3 + 0.1 * stream.next_normal());
        rows.extend((0..steps).flat_map(|t| [(phase + speed * t as f32).sin(), (phase + speed * t as f32).cos()]));
    }
    let rows = Rows::numbers(&rows, 2 * steps).expect("whole rows");
    let power: f64 = rows.to_numbers().iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count as f64;
    for (cell, feeding) in [
        (Cell::Lstm, Feeding::Code),
        (Cell::Gru, Feeding::Code),
        (Cell::Lstm, Feeding::Previous),
        (Cell::Gru, Feeding::Previous),
    ] {
        let shape = SequenceShape { cell, feeding, units: 16, ..SequenceShape::of(steps, 2) };
        let mut net = SequenceAutoencoder::new(shape, 1).expect("the shape makes sense");
        let optimizer = Optimizer::adam(0.01);
        let recipe =
            FineTune { objective: Objective::SquaredError, optimizer, epochs: 60, batch: 20, ..FineTune::default() };
        recipe.run(&device, &mut net, rows).and_then(|run| run.train()).expect("it learns");
        let scores = Model::from(net).score(&device, rows).expect("it has scores");
        let error = scores.iter().sum::<f64>() / count as f64;
        // A decoder that is fed with its own steps was taught with true ones.
        let bound = if feeding == Feeding::Code { 0.05 } else { 0.15 };
        assert!(error < bound * power, "{} {feeding:?}: {error} of {power}", cell.name());
    }
}

/// The tensors of a file that `data/torch_sequences.py` has written.
fn from_torch(name: &str) -> StateDict {
    let path = format!("{}/tests/data/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("the file is there");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("it is whole");
    let tensor = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        (name.to_owned(), (view.shape().to_vec(), values.collect()))
    };
    file.iter().map(tensor).collect()
}

#[test]
fn codes_outputs_and_gradients_are_those_of_pytorch() {
    let near = |what: &str, found: &[f32], expected: &[f32]| {
        assert_eq!(found.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let error = found.iter().zip(expected).fold(0.0f32, |worst, (x, y)| worst.max((x - y).abs()));
        assert!(error <= 1e-5 * largest, "{what}: off by {error:e} of {largest:e}");
    };
    let steps = 5;
    let recipe = FineTune { objective: Objective::SquaredError, ..FineTune::default() };
    for device in [Device::new(Oracle::default()), Device::new(Cpu::with_threads(2).expect("threads start"))] {
        for cell in Cell::ALL {
            for (kind, lengths) in [("", false), ("_both_ended", true), ("_previous", true)] {
                let name = format!("{}{kind}", cell.name());
                let what = |part: &str| format!("{name} on {}, {part}", device.describe());
                let tensors = from_torch(&name);
                let mut net =
                    SequenceAutoencoder::from_state_dict(&tensors, steps, Activation::Linear).expect("it fits");
                net.shape.lengths = lengths;
                let of = |name: &str| &tensors[name].1[..];
                let width = steps * net.shape.features;
                let rows = of("x").chunks_exact(width).zip(of("lengths"));
                let rows: Vec<f32> = match lengths {
                    true => rows.flat_map(|(row, length)| row.iter().chain([length]).copied()).collect(),
                    false => of("x").to_vec(),
                };
                let rows = Rows::numbers(&rows, net.inputs()).expect("whole rows");
                near(&what("codes"), &net.encode(&device, rows).expect("it encodes"), of("codes"));
                if net.shape.feeding == Feeding::Code {
                    let made = Model::from(net.clone()).reconstruct(&device, rows).expect("it decodes");
                    let values: Vec<f32> =
                        made.chunks_exact(net.inputs()).flat_map(|row| &row[..width]).copied().collect();
                    near(&what("outputs"), &values, of("outputs"));
                }
                let (loss, gradient) = recipe.gradient(&device, &net, rows).expect("it has a gradient");
                near(&what("loss"), &[loss as f32], of("loss"));
                for (parameter, (_, slopes)) in net.state_dict(&gradient) {
                    near(&what(&parameter), &slopes, of(&format!("gradient.{parameter}")));
                }
            }
        }
    }
}
