//! Random states have the probabilities, means and variances that they should, on every back end, and the bits of
//! published Philox.

use strait_compute::philox::{philox, uniform};
use strait_compute::{
    Activation, Backend, Cpu, Gpu, Kind, Op, Oracle, Program, Routine, Sample, Sampling, Step, go_on,
};
use strait_device::Selector;

const ROWS: usize = 4000;
const UNITS: usize = 6;

/// States of units with these total inputs.
fn states(backend: &dyn Backend, bias: &[f32], activation: Activation, sampling: Sampling) -> Vec<f32> {
    let mut program = Program::default();
    let mut values = |name: &str, rows: usize, cols: usize| program.tensor(name, rows, cols, Kind::Values);
    let (input, weight) = (values("x", ROWS, 1), values("w", 1, UNITS));
    let (bias_tensor, out, states) = (values("b", 1, UNITS), values("mean", ROWS, UNITS), values("state", ROWS, UNITS));
    let mut routine = Routine::new("draw");
    let sample = Some(Sample { sampling, out: states, stream: 9 });
    let op = Op::Linear { input, weight, transposed: false, bias: bias_tensor, activation, out, sample };
    routine.push(op).expect("the shapes fit");
    let routine = program.add(routine);
    let mut execution = backend.load(program, &[]).expect("it loads");
    execution.write(bias_tensor, bias).expect("it is written");
    let step = Step { rows: ROWS as u32, counter: 3, ..Step::seeded(42) };
    execution.run(routine, &[step], &mut go_on).expect("it runs");
    execution.read(states).expect("it is read")
}

fn backends() -> Vec<Box<dyn Backend>> {
    let mut backends: Vec<Box<dyn Backend>> = vec![Box::new(Oracle), Box::new(Cpu::new().expect("threads start"))];
    let name = std::env::var("STRAIT_TEST_ADAPTER").unwrap_or_else(|_| "llvmpipe".to_owned());
    match Gpu::new(&Selector::parse(&name)) {
        Ok(gpu) => backends.push(Box::new(gpu)),
        Err(error) => {
            assert!(std::env::var_os("STRAIT_REQUIRE_GPU").is_none(), "{error}");
            eprintln!("SKIPPED: sampling was not tested on a GPU, because {error}");
        }
    }
    backends
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
