//! Layers.

use serde::{Deserialize, Serialize};
use strait_compute::philox::Stream;
use strait_compute::{Activation, Window};

use crate::{Error, Result};

/// A layer: y = act(x W + b), fully connected or with weights that all positions of a map share.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// act
    pub activation: Activation,
    /// W, row-major: `[inputs, outputs]`, or `[taps, filters]` of a convolution.
    pub weight: Vec<f32>,
    /// b: one for each output, for each filter of a convolution, or for each channel of a transposed one.
    pub bias: Vec<f32>,
    /// Set where positions share their weights.
    pub convolution: Option<Convolution>,
    /// θ, one for each output: a unit gives 0 unless it exceeds its threshold (JumpReLU, Rajamanoharan et al. 2024). For rectified units of layers without a
    /// convolution.
    pub threshold: Option<Vec<f32>>,
}

/// A convolution between a map and, for each position of a window on it, the outputs of some filters: again a map, with the
/// filters as its channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// The window on the larger map.
    pub window: Window,
    /// Whether the layer goes from the filters' outputs to the larger map instead: the transpose, which enlarges.
    pub transposed: bool,
}

impl Affine {
    /// A layer with the random weights of Glorot & Bengio (2010): uniform in ±√(6 / (inputs + outputs)), biases zero.
    ///
    /// ```
    /// use strait_compute::{Activation, philox::Stream};
    /// let layer = strait_models::Affine::glorot(3, 2, Activation::Tanh, &mut Stream::new(1, 0))?;
    /// assert!(layer.weight.iter().all(|w| w.abs() <= (6.0f32 / 5.0).sqrt()));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no memory for so many weights.
    pub fn glorot(inputs: usize, outputs: usize, activation: Activation, stream: &mut Stream) -> Result<Self> {
        let weight = glorot([inputs, outputs], inputs.saturating_add(outputs), stream)?;
        let bias = random_weights(1, outputs, || 0.0)?;
        Ok(Self { inputs, outputs, activation, weight, bias, convolution: None, threshold: None })
    }

    /// A convolution with so many filters, or its transpose, with Glorot's random weights: uniform in
    /// ±√(6 / (k² (channels + filters))) for a window of k x k pixels, biases zero.
    ///
    /// ```
    /// use strait_compute::{Activation, Window, philox::Stream};
    /// use strait_models::{Affine, Convolution};
    /// let window = Window { height: 28, width: 28, channels: 1, kernel: 3, stride: 2, padding: 1, over_time: false };
    /// let stream = &mut Stream::new(1, 0);
    /// let down = Affine::convolution(Convolution { window, transposed: false }, 16, Activation::Relu, stream)?;
    /// let up = Affine::convolution(Convolution { window, transposed: true }, 16, Activation::Logistic, stream)?;
    /// assert_eq!((down.inputs, down.outputs, down.weight.len()), (784, 14 * 14 * 16, 9 * 16));
    /// assert_eq!((up.inputs, up.outputs, up.bias.len()), (down.outputs, down.inputs, 1));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such window, or no memory for so many weights.
    pub fn convolution(
        convolution: Convolution,
        filters: usize,
        activation: Activation,
        stream: &mut Stream,
    ) -> Result<Self> {
        let Convolution { window, transposed } = convolution;
        if !window.is_sensible() || !(1..1 << 15).contains(&filters) {
            let message =
                format!("there are no {filters} filters for {window:?}; use fewer, or a smaller kernel and padding");
            return Err(Error::Shape(message));
        }
        let pixels = window.taps() / window.channels;
        let weight = glorot([window.taps(), filters], pixels.saturating_mul(window.channels + filters), stream)?;
        let (map, seen) = (window.values(), window.positions().saturating_mul(filters));
        let (inputs, outputs) = if transposed { (seen, map) } else { (map, seen) };
        let bias = vec![0.0; if transposed { window.channels } else { filters }];
        Ok(Self { inputs, outputs, activation, weight, bias, convolution: Some(convolution), threshold: None })
    }

    /// Rows and columns of W, or nothing if there is no layer of such sizes.
    pub(crate) fn weight_shape(&self) -> Option<[usize; 2]> {
        shapes(self.inputs, self.outputs, self.convolution).map(|(weight, _)| weight)
    }

    /// Whether it has as many parameters as its sizes ask for, and thresholds that its units can have.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let Some(([rows, cols], biases)) = shapes(inputs, outputs, self.convolution) else {
            let message = format!("no window of a convolution makes {outputs} values of {inputs}");
            return Err(Error::Shape(message));
        };
        let found = (self.weight.len(), self.bias.len());
        if (rows.checked_mul(cols), biases) != (Some(found.0), found.1) {
            return Err(Error::Shape(format!(
                "expected {rows} x {cols} weights and {biases} biases for a layer of {inputs} -> {outputs} values, found {} and {}",
                found.0, found.1
            )));
        }
        let Some(threshold) = &self.threshold else {
            return Ok(());
        };
        if self.activation != Activation::Relu || self.convolution.is_some() {
            let message = "only rectified units of a fully connected layer have thresholds";
            return Err(Error::Shape(message.to_owned()));
        }
        let wrong = threshold.iter().find(|x| !(**x >= 0.0 && x.is_finite()));
        match wrong {
            Some(wrong) => Err(Error::Shape(format!("expected thresholds of at least 0, found {wrong}"))),
            None if threshold.len() != outputs => Err(Error::Shape(format!(
                "expected {outputs} thresholds, one for each unit, found {}",
                threshold.len()
            ))),
            None => Ok(()),
        }
    }

    /// [`Affine::check`] as a yes or no.
    pub(crate) fn is_whole(&self) -> bool {
        self.check().is_ok()
    }
}

/// The shape of the weights and the number of biases of a layer of these sizes, or nothing if there is none.
pub(crate) fn shapes(inputs: usize, outputs: usize, convolution: Option<Convolution>) -> Option<([usize; 2], usize)> {
    let Some(Convolution { window, transposed }) = convolution else {
        return Some(([inputs, outputs], outputs));
    };
    let (map, seen) = if transposed { (outputs, inputs) } else { (inputs, outputs) };
    if !window.is_sensible() || map != window.values() || !seen.is_multiple_of(window.positions()) {
        return None;
    }
    let filters = seen / window.positions();
    Some(([window.taps(), filters], if transposed { window.channels } else { filters }))
}

/// Weights that are uniform in ±√(6 / `ends`).
fn glorot([rows, cols]: [usize; 2], ends: usize, stream: &mut Stream) -> Result<Vec<f32>> {
    let limit = (6.0 / ends as f32).sqrt();
    random_weights(rows, cols, || (2.0 * strait_compute::philox::uniform(stream.next_word()) - 1.0) * limit)
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
