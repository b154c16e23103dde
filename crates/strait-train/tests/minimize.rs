//! The minimisers reach minima, on the host and on a device.

use strait_compute::Device;
use strait_data::Rows;
use strait_models::Autoencoder;
use strait_train::minimize::{ConjugateGradients, HostProblem, Lbfgs};
use strait_train::{FineTune, Objective, Optimizer, Schedule};

/// Rosenbrock's function in `x.len()` dimensions; its minimum is 0 at (1, ..., 1).
fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
    gradient.fill(0.0);
    let mut value = 0.0;
    for i in 0..x.len() - 1 {
        let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
        value += 100.0 * a * a + b * b;
        gradient[i] += -400.0 * a * x[i] - 2.0 * b;
        gradient[i + 1] += 200.0 * a;
    }
    value
}

#[test]
fn rosenbrock_is_minimised() {
    for start in [vec![-1.2, 1.0], vec![-1.2, 1.0, -0.5, 0.8, 1.1, -0.3]] {
        let mut problem = HostProblem::new(start.clone(), rosenbrock);
        let Ok(value) = ConjugateGradients { searches: 400, ..ConjugateGradients::default() }.minimize(&mut problem);
        assert!(
            value < 1e-10 && problem.point().iter().all(|x| (x - 1.0).abs() < 1e-4),
            "CG: {value} at {:?}",
            problem.point()
        );
        let mut problem = HostProblem::new(start, rosenbrock);
        let Ok(value) = Lbfgs { iterations: 200, ..Lbfgs::default() }.minimize(&mut problem);
        assert!(
            value < 1e-10 && problem.point().iter().all(|x| (x - 1.0).abs() < 1e-4),
            "L-BFGS: {value} at {:?}",
            problem.point()
        );
    }
}

/// Rows near a plane: a linear autoencoder's best error is what PCA leaves.
#[test]
fn a_linear_autoencoder_reaches_the_error_of_pca() {
    let device = Device::cpu().expect("threads start");
    let mut stream = strait_compute::philox::Stream::new(9, 0);
    let mut values = Vec::new();
    for _ in 0..200 {
        let (a, b) = (stream.next_normal(), 0.5 * stream.next_normal());
        values.extend(
            (0..6).map(|c| a * (c as f32 * 0.7).sin() + b * (c as f32 * 1.9).cos() + 0.05 * stream.next_normal()),
        );
    }
    let rows = Rows::numbers(&values, 6).expect("whole rows");
    let best = strait_models::Pca::fit(&device, rows, 2).and_then(|pca| pca.error(rows)).expect("it fits");
    for optimizer in [Optimizer::ConjugateGradients { searches: 50 }, Optimizer::Lbfgs { iterations: 50, memory: 5 }] {
        let mut net = Autoencoder::glorot(&[6, 2], 4).expect("good sizes");
        net.layers[1].activation = strait_compute::Activation::Linear;
        let recipe = FineTune {
            epochs: 4,
            batch: 200,
            optimizer,
            schedule: Schedule::Constant,
            objective: Objective::SquaredError,
            ..FineTune::default()
        };
        recipe.fit(&device, &mut net, rows).expect("it learns");
        let error = net.error(&device, rows).expect("it runs");
        assert!(error < 1.005 * best, "{optimizer:?}: {error}, where PCA leaves {best}");
    }
}

#[test]
fn the_cross_entropy_wants_logistic_outputs() {
    let device = Device::cpu().expect("threads start");
    let pixels = [0u8, 255, 255, 0].repeat(5);
    let rows = Rows::bytes(&pixels, 4).expect("whole rows");
    let mut net = Autoencoder::glorot(&[4, 2], 1).expect("good sizes");
    net.layers[1].activation = strait_compute::Activation::Linear;
    let error = FineTune::default().fit(&device, &mut net, rows).expect_err("linear outputs");
    assert!(error.to_string().contains("linear: the cross-entropy takes logistic outputs"), "{error}");
}

#[test]
fn momentum_learns_too() {
    let device = Device::cpu().expect("threads start");
    let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
    let rows = Rows::bytes(&pixels, 4).expect("whole rows");
    let mut net = Autoencoder::glorot(&[4, 8, 1], 1).expect("good sizes");
    let before = net.error(&device, rows).expect("it runs");
    let optimizer = Optimizer::Momentum { rate: 0.1, momentum: 0.9 };
    let recipe = FineTune { epochs: 40, batch: 10, optimizer, ..FineTune::default() };
    recipe.fit(&device, &mut net, rows).expect("it learns");
    let after = net.error(&device, rows).expect("it runs");
    assert!(after < 0.1 * before, "{after} after {before}");
}
