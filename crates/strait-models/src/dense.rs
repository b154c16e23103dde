//! A fully connected layer.

use strait_compute::Activation;
use strait_compute::philox::Stream;

use crate::{Error, Result};

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
    /// let layer = strait_models::Dense::glorot(3, 2, Activation::Tanh, &mut Stream::new(1, 0))?;
    /// assert!(layer.weight.iter().all(|w| w.abs() <= (6.0f32 / 5.0).sqrt()));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no memory for so many weights.
    pub fn glorot(inputs: usize, outputs: usize, activation: Activation, stream: &mut Stream) -> Result<Self> {
        let limit = (6.0 / (inputs + outputs) as f32).sqrt();
        let uniform = |stream: &mut Stream| (2.0 * strait_compute::philox::uniform(stream.next_word()) - 1.0) * limit;
        let weight = random_weights(inputs, outputs, || uniform(stream))?;
        Ok(Self { inputs, outputs, activation, weight, bias: vec![0.0; outputs] })
    }
}

/// `inputs` x `outputs` weights, or an error where there is no memory for them.
pub(crate) fn random_weights(inputs: usize, outputs: usize, mut draw: impl FnMut() -> f32) -> Result<Vec<f32>> {
    let mut weights = Vec::new();
    let length = inputs.checked_mul(outputs).filter(|&length| weights.try_reserve_exact(length).is_ok());
    let length = length.ok_or_else(|| {
        Error::Shape(format!("there is no memory for a layer of {inputs} x {outputs} weights; use smaller layers"))
    })?;
    weights.extend((0..length).map(|_| draw()));
    Ok(weights)
}
