//! RMSprop beside its equations in double precision.

use strait_compute::{Cpu, Device};
use strait_data::Rows;
use strait_models::Autoencoder;
use strait_train::{FineTune, Optimizer, Schedule};

#[test]
fn steps_are_those_of_the_equations() {
    let device = Device::new(Cpu::with_threads(1).expect("a thread starts"));
    let values = [0.9f32, 0.1, 0.8, 0.2, 0.3, 0.7];
    let rows = Rows::numbers(&values, 3).expect("whole rows");
    let mut net = Autoencoder::glorot(&[3, 2], 5).expect("the sizes make sense");
    let (rate, decay) = (0.01, 0.9);
    let optimizer = Optimizer::RmsProp { rate: rate as f32, decay: decay as f32 };
    let recipe = FineTune { epochs: 3, optimizer, schedule: Schedule::Constant, ..FineTune::default() };
    let mut expected = net.clone();
    let mut squares: Vec<f64> = Vec::new();
    for _ in 0..recipe.epochs {
        let (_, gradient) = recipe.gradient(&device, &expected, rows).expect("it has a gradient");
        let gradient: Vec<f64> =
            gradient.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias)).map(|g| f64::from(*g)).collect();
        squares.resize(gradient.len(), 0.0);
        let parameters = expected.layers.iter_mut().flat_map(|layer| layer.weight.iter_mut().chain(&mut layer.bias));
        for ((parameter, g), s) in parameters.zip(gradient).zip(&mut squares) {
            *s = decay * *s + (1.0 - decay) * g * g;
            *parameter = (f64::from(*parameter) - rate * g / (s.sqrt() + 1e-8)) as f32;
        }
    }
    recipe.fit(&device, &mut net, rows).expect("it trains");
    for (found, expected) in net.layers.iter().zip(&expected.layers) {
        let pairs = found.weight.iter().chain(&found.bias).zip(expected.weight.iter().chain(&expected.bias));
        pairs.for_each(|(found, expected)| assert!((found - expected).abs() < 1e-5, "{found}, not {expected}"));
    }
}
