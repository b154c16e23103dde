//! A member of one's own: a Siamese autoencoder. Two inputs go through the same layers, and the products of their codes are to be
//! what the rows say: a loss of its own beside the two reconstructions. It uses what every user's crate can use, and its gradients
//! are compared with finite differences.

use strait_compute::philox::Stream;
use strait_compute::{Activation, Device, Oracle};
use strait_data::Rows;
use strait_models::{Affine, Layer, Result};
use strait_train::{FineTune, Goal, Member, Objective, Optimizer, Tape, Value};

const INPUTS: usize = 4;
const CODE: usize = 3;

/// Two layers up and one down, and how the two codes are put together.
#[derive(Clone)]
struct Siamese {
    layers: Vec<Affine>,
    similarity: fn(&mut Tape<'_>, Value, Value) -> Result<Value>,
    /// The numbers of the similarity.
    similarities: usize,
}

impl Siamese {
    fn new(similarity: fn(&mut Tape<'_>, Value, Value) -> Result<Value>, similarities: usize) -> Self {
        let stream = &mut Stream::new(3, 0);
        let mut layer = |inputs, outputs, activation| {
            Affine::glorot(inputs, outputs, activation, stream).expect("the sizes make sense")
        };
        let layers = vec![
            layer(INPUTS, 5, Activation::Tanh),
            layer(5, CODE, Activation::Logistic),
            layer(CODE, INPUTS, Activation::Logistic),
        ];
        Self { layers, similarity, similarities }
    }
}

impl Member for Siamese {
    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn check(&self, _: &Goal) -> Result<()> {
        Ok(())
    }

    /// The second input, and the similarity.
    fn targets(&self) -> usize {
        INPUTS + self.similarities
    }

    fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, goal: &Goal) -> Result<()> {
        let other = tape.columns(target, 0..INPUTS)?;
        let wanted = tape.columns(target, INPUTS..INPUTS + self.similarities)?;
        // The first layer takes both inputs in one product, the others one after the other.
        let stacked = tape.stack(&[x, other])?;
        let hidden = tape.layer(stacked, layers[0])?;
        let mut codes = Vec::new();
        for (t, input) in [x, other].into_iter().enumerate() {
            let hidden = tape.step(hidden, t)?;
            let code = tape.layer(hidden, layers[1])?;
            tape.reconstruct(code, &layers[2..], input, goal.objective)?;
            codes.push(code);
        }
        let similarity = (self.similarity)(tape, codes[0], codes[1])?;
        tape.compare(similarity, wanted, Objective::SquaredError)
    }
}

fn rows() -> Vec<f32> {
    let mut stream = Stream::new(8, 0);
    (0..5 * (2 * INPUTS + CODE)).map(|_| 1.0 / (1.0 + stream.next_normal().exp())).collect()
}

fn agrees_with_finite_differences(net: &Siamese) {
    let device = Device::new(Oracle::default());
    let numbers = rows();
    let rows = Rows::numbers(&numbers[..5 * (2 * INPUTS + net.similarities)], 2 * INPUTS + net.similarities);
    let rows = rows.expect("whole rows");
    let recipe = FineTune::default();
    let loss = |net: &Siamese| recipe.gradient(&device, net, rows).expect("it has a gradient").0;
    let (_, gradient) = recipe.gradient(&device, net, rows).expect("it has a gradient");
    for (number, slopes) in gradient.iter().enumerate() {
        for (i, &slope) in slopes.weight.iter().chain(&slopes.bias).enumerate() {
            let moved = |by: f32| {
                let mut net = net.clone();
                let Affine { weight, bias, .. } = &mut net.layers[number];
                let parameter = weight.iter_mut().chain(bias).nth(i).expect("there are as many parameters as slopes");
                *parameter += by;
                (f64::from(*parameter), loss(&net))
            };
            let ((low, below), (high, above)) = (moved(-0.01), moved(0.01));
            let expected = (above - below) / (high - low);
            assert!(
                (f64::from(slope) - expected).abs() < 1e-3 * (1.0 + expected.abs()),
                "layer {number}, parameter {i}: {slope}, not {expected}"
            );
        }
    }
}

#[test]
fn gradients_of_shared_layers_add_up() {
    agrees_with_finite_differences(&Siamese::new(|tape, x, y| tape.product(x, y), CODE));
}

#[test]
fn values_have_several_parents_and_parts() {
    // Sums of products of parts, side by side: each code is used three times.
    let similarity = |tape: &mut Tape<'_>, x: Value, y: Value| {
        let (head, tail) = (tape.columns(x, 0..2)?, tape.columns(y, 1..3)?);
        let product = tape.product(head, tail)?;
        let own = tape.columns(x, 1..3)?;
        let sum = tape.sum(product, own)?;
        let last = tape.columns(y, 0..1)?;
        tape.join(&[sum, last])
    };
    agrees_with_finite_differences(&Siamese::new(similarity, 3));
    let square = |tape: &mut Tape<'_>, x: Value, _: Value| tape.product(x, x);
    agrees_with_finite_differences(&Siamese::new(square, CODE));
}

#[test]
fn steps_are_stacked_over_time() {
    // The codes as two steps of a sequence, through a layer of both and a recurrence over them.
    let similarity = |tape: &mut Tape<'_>, x: Value, y: Value| {
        let stacked = tape.stack(&[x, y])?;
        let squares = tape.product(stacked, stacked)?;
        let (first, last) = (tape.step(squares, 0)?, tape.step(squares, 1)?);
        let again = tape.step(stacked, 1)?;
        let sum = tape.sum(first, last)?;
        tape.product(sum, again)
    };
    agrees_with_finite_differences(&Siamese::new(similarity, CODE));
}

#[test]
fn it_trains_and_is_measured() {
    let device = Device::cpu().expect("there is a CPU");
    let numbers = rows();
    let rows = Rows::numbers(&numbers, 2 * INPUTS + CODE).expect("whole rows");
    let mut net = Siamese::new(|tape, x, y| tape.product(x, y), CODE);
    let recipe = FineTune { epochs: 200, optimizer: Optimizer::adam(0.03), ..FineTune::default() };
    let run = recipe.run(&device, &mut net, rows);
    let tuned = run.and_then(|run| run.test(rows)?.train()).expect("it trains");
    let [first, last] = [0, 199].map(|epoch: usize| tuned.epochs[epoch].test_loss.expect("it is measured"));
    assert!(last < first - 0.4, "{last} after {first}");
}
