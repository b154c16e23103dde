//! Random states have the probabilities, means and variances that they should, on every back end, and the bits of
//! published Philox.

#[path = "../../../tests/common/adapter.rs"]
mod adapter;

use strait_compute::philox::{philox, uniform};
use strait_compute::{
    Activation, Backend, Cpu, Draw, Gpu, Groups, Kind, Noise, Op, Oracle, Program, Routine, Sample, Sampling, Shift,
    Step, Tiles, go_on, kernels,
};
use strait_device::{Checks, Options};

const ROWS: usize = 4000;
const UNITS: usize = 6;

/// States of units with these total inputs.
fn states(backend: &dyn Backend, bias: &[f32], activation: Activation, sampling: Sampling) -> Vec<f32> {
    let mut program = Program::default();
    let mut values = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
    let (input, weight) = (values("x", ROWS, 1), values("w", 1, UNITS));
    let (bias_tensor, out, states) = (values("b", 1, UNITS), values("mean", ROWS, UNITS), values("state", ROWS, UNITS));
    let mut routine = Routine::new("draw");
    let sample = Some(Sample { sampling, out: states, stream: 9 });
    let op = Op::Linear { input, weight, transposed: false, bias: bias_tensor, activation, out, sample };
    routine.push(op).expect("the shapes fit");
    program.infer_roles(&routine);
    let routine = program.add(routine);
    let mut execution = backend.load(program, &[]).expect("it loads");
    execution.write(bias_tensor, bias).expect("it is written");
    let step = Step { rows: ROWS as u32, counter: 3, ..Step::seeded(42) };
    execution.run(routine, &[step], &mut go_on).expect("it runs");
    execution.read(states).expect("it is read")
}

fn backends() -> Vec<Box<dyn Backend>> {
    let mut backends: Vec<Box<dyn Backend>> =
        vec![Box::new(Oracle::default()), Box::new(Cpu::new().expect("threads start"))];
    if let Some(gpu) = adapter::open(Options { checks: Checks::Trusted, ..Options::default() }) {
        backends.push(Box::new(Gpu::from_device(gpu)));
    }
    backends
}

/// An image with one lit pixel is found at each of the nine places equally often, and nowhere else.
#[test]
fn shifts_are_uniform_and_move_whole_images() {
    let mut program = Program::default();
    let data = program.data("data", ROWS, 35, Kind::Bytes);
    let out = program.value("x", ROWS, 35);
    let mut routine = Routine::new("gather");
    let shift = Some(Shift { width: 7, pixels: 1, stream: 5 });
    routine.push(Op::Gather { data, index: None, first: 0, shift, out }).expect("the shapes fit");
    program.infer_roles(&routine);
    let routine = program.add(routine);
    let lit = 2 * 7 + 3i32;
    let image: Vec<u8> = (0..35).map(|i| if i == lit { 255 } else { 0 }).collect();
    for backend in backends() {
        let mut execution = backend.load(program.clone(), &[]).expect("it loads");
        execution.write_bytes(data, &image.repeat(ROWS)).expect("it is written");
        let step = Step { rows: ROWS as u32, counter: 8, ..Step::seeded(1) };
        execution.run(routine, &[step], &mut go_on).expect("it runs");
        let shifted = execution.read(out).expect("it is read");
        let mut counts = [0usize; 35];
        for row in shifted.chunks_exact(35) {
            let places: Vec<usize> = (0..35).filter(|&i| row[i] == 1.0).collect();
            assert_eq!((places.len(), row.iter().sum::<f32>()), (1, 1.0), "{}", backend.describe());
            counts[places[0]] += 1;
        }
        let neighbours = [-8i32, -7, -6, -1, 0, 1, 6, 7, 8].map(|by| counts[(lit + by) as usize]);
        assert_eq!(neighbours.iter().sum::<usize>(), ROWS, "{}", backend.describe());
        // Five standard deviations around a ninth.
        assert!(neighbours.iter().all(|&count| count.abs_diff(ROWS / 9) < 100), "{}: {counts:?}", backend.describe());
    }
}

#[test]
fn binary_states_have_their_probabilities_and_their_bits() {
    let bias = [-4.0, -1.0, 0.0, 0.5, 2.0, 40.0f32];
    for backend in backends() {
        let states = states(&*backend, &bias, Activation::Logistic, Sampling::Bernoulli);
        for (unit, &bias) in bias.iter().enumerate() {
            let p = Activation::Logistic.apply(f64::from(bias));
            let mean = states.iter().skip(unit).step_by(UNITS).map(|&s| f64::from(s)).sum::<f64>() / ROWS as f64;
            // Four standard deviations.
            let bound = 4.0 * (p * (1.0 - p) / ROWS as f64).sqrt() + 1e-9;
            assert!((mean - p).abs() <= bound, "{}: unit {unit} is on in {mean} of {p}", backend.describe());
            for row in 0..ROWS {
                let word = philox([unit as u32 / 4, row as u32, 3, 0], [42, 9])[unit % 4];
                let u = f64::from(uniform(word));
                if (u - p).abs() > 1e-6 {
                    let expected = if u < p { 1.0 } else { 0.0 };
                    assert_eq!(states[row * UNITS + unit], expected, "{}, row {row}, unit {unit}", backend.describe());
                }
            }
        }
    }
}

#[test]
fn gaussian_states_have_their_moments() {
    let bias = [-3.0, -1.0, 0.0, 0.5, 2.0, 100.0f32];
    for backend in backends() {
        let states = states(&*backend, &bias, Activation::Linear, Sampling::Gaussian);
        for (unit, &bias) in bias.iter().enumerate() {
            let noise = || states.iter().skip(unit).step_by(UNITS).map(|&s| f64::from(s) - f64::from(bias));
            let moment = |power: i32| noise().map(|x| x.powi(power)).sum::<f64>() / ROWS as f64;
            // Four standard deviations of the sample moments of a standard normal distribution.
            for (power, expected, deviation) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
                let bound = 4.0 * (deviation / ROWS as f64).sqrt();
                let found = moment(power);
                let on = backend.describe();
                assert!(
                    (found - expected).abs() < bound,
                    "{on}: unit {unit}, moment {power} is {found}, not {expected}"
                );
            }
        }
    }
}

/// The moments of max(0, x + ε √logistic(x)), by numerical integration over ε.
#[test]
fn rectified_states_have_their_moments() {
    let bias = [-8.0, -1.0, 0.0, 0.5, 2.0, 50.0f32];
    for backend in backends() {
        let states = states(&*backend, &bias, Activation::Softplus, Sampling::Rectified);
        for (unit, &bias) in bias.iter().enumerate() {
            let x = f64::from(bias);
            let deviation = Activation::Logistic.apply(x).sqrt();
            let moment = |power: i32| {
                let term = |i: i32| {
                    let e = f64::from(i) / 100.0;
                    (x + e * deviation).max(0.0).powi(power) * (-0.5 * e * e).exp() / 100.0
                };
                (-800..=800).map(term).sum::<f64>() / std::f64::consts::TAU.sqrt()
            };
            for power in [1, 2] {
                let found = states.iter().skip(unit).step_by(UNITS).map(|&s| f64::from(s).powi(power)).sum::<f64>();
                let (found, expected) = (found / ROWS as f64, moment(power));
                let bound =
                    4.0 * ((moment(2 * power) - expected.powi(2)) / ROWS as f64).sqrt() + 1e-6 * expected + 1e-9;
                let on = backend.describe();
                assert!((found - expected).abs() < bound, "{on}: unit {unit}: {found}, not {expected}");
            }
        }
    }
}

/// Groups draw as many units as they were given, each with its probability, and independently of each other.
#[test]
fn groups_draw_what_they_were_given() {
    let (groups, cols) = (Groups { first: 1, classes: 3 }, 7);
    let inputs = [0.5, 0.0, 1.0, -1.0, 2.0, 2.0, -30.0f32];
    let mut program = Program::default();
    let mut values = |name: &str| program.value(name, ROWS, cols);
    let [input, given, out, states] = ["x", "given", "mean", "state"].map(&mut values);
    let mut routine = Routine::new("draw");
    let drawn = Some(Draw { out: states, stream: 9 });
    let op = Op::Softmax { input, groups, scale: 1.0, given: Some(given), out, states: drawn };
    routine.push(op).expect("the shapes fit");
    program.infer_roles(&routine);
    let routine = program.add(routine);
    for backend in backends() {
        let mut execution = backend.load(program.clone(), &[]).expect("it loads");
        execution.write(input, &inputs.repeat(ROWS)).expect("it is written");
        execution.write(given, &[0.0, 0.0, 5.0, 0.0, 1.0, 0.0, 0.0].repeat(ROWS)).expect("it is written");
        let step = Step { rows: ROWS as u32, counter: 3, ..Step::seeded(42) };
        execution.run(routine, &[step], &mut go_on).expect("it runs");
        let states = execution.read(states).expect("it is read");
        let on = backend.describe();
        let mut joint = [[0.0; 3]; 2];
        for row in states.chunks_exact(cols) {
            assert_eq!((row[1..4].iter().sum::<f32>(), row[4..].iter().sum::<f32>()), (5.0, 1.0), "{on}");
            let second = if row[4] == 1.0 { 0 } else { 1 };
            (0..3).for_each(|c| joint[second][c] += f64::from(row[1 + c]) / (5 * ROWS) as f64);
        }
        let sum: f64 = (1..4).map(|c| f64::from(inputs[c]).exp()).sum();
        for (second, joint) in joint.iter().enumerate() {
            for (c, found) in joint.iter().enumerate() {
                let expected = 0.5 * f64::from(inputs[1 + c]).exp() / sum;
                // Five standard deviations of a share of the rows.
                let bound = 5.0 * (0.25 / ROWS as f64).sqrt();
                assert!((found - expected).abs() < bound, "{on}: {second}, {c}: {found}, not {expected}");
            }
        }
        assert!(states.chunks_exact(cols).all(|row| row[6] == 0.0), "{on}");
    }
}

/// A deep net, or many steps of a chain, would otherwise have a kernel for each draw.
#[test]
fn draws_from_different_streams_are_one_kernel() {
    let texts = |streams: &[u32]| {
        let mut program = Program::default();
        let [x, weight] = ["x", "weight"].map(|name| program.value(name, 8, 8));
        let bias = program.value("bias", 1, 8);
        let mut routine = Routine::new("draws");
        let mut input = x;
        for (number, &stream) in streams.iter().enumerate() {
            let [out, state] = ["mean", "state"].map(|name| program.value(format!("{name}.{number}"), 8, 8));
            let sample = Some(Sample { sampling: Sampling::Bernoulli, out: state, stream });
            let (transposed, activation) = (false, Activation::Logistic);
            let op = Op::Linear { input, weight, transposed, bias, activation, out, sample };
            routine.push(op).expect("the shapes fit");
            let [mean, drawn] = ["softmax", "drawn"].map(|name| program.value(format!("{name}.{number}"), 8, 8));
            let states = Some(Draw { out: drawn, stream: stream + 100 });
            let (groups, scale, given) = (Groups::one(8), 1.0, None);
            let op = Op::Softmax { input: out, groups, scale, given, out: mean, states };
            routine.push(op).expect("the shapes fit");
            let noisy = program.value(format!("noisy.{number}"), 8, 8);
            let op = Op::Corrupt { input: drawn, noise: Noise::Masking(0.5), stream: stream + 200, out: noisy };
            routine.push(op).expect("the shapes fit");
            input = noisy;
        }
        program.add(routine);
        kernels(&program, Tiles::Hardware, None, false)
    };
    assert_eq!(texts(&[1]), texts(&[2, 5, 7]));
}
