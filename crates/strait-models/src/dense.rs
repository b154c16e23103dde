//! A fully connected layer.

use strait_compute::Activation;
use strait_compute::philox::Stream;

/// y = act(x W + b)
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// act
    pub activation: Activation,
    /// W, `[inputs, outputs]`, row-major.
    pub weight: Vec<f32>,
    /// b
    pub bias: Vec<f32>,
}

impl Dense {
    /// A layer with the random weights of Glorot & Bengio (2010): uniform in ±√(6 / (inputs + outputs)), biases zero.
    ///
    /// ```
    /// use strait_compute::{Activation, philox::Stream};
    /// let layer = strait_models::Dense::glorot(3, 2, Activation::Tanh, &mut Stream::new(1, 0));
    /// assert!(layer.weight.iter().all(|w| w.abs() <= (6.0f32 / 5.0).sqrt()));
    /// ```
    pub fn glorot(inputs: usize, outputs: usize, activation: Activation, stream: &mut Stream) -> Self {
        let limit = (6.0 / (inputs + outputs) as f32).sqrt();
        let uniform = |stream: &mut Stream| (2.0 * strait_compute::philox::uniform(stream.next_word()) - 1.0) * limit;
        let weight = (0..inputs * outputs).map(|_| uniform(stream)).collect();
        Self { inputs, outputs, activation, weight, bias: vec![0.0; outputs] }
    }
}
