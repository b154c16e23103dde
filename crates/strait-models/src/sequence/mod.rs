//! Autoencoders of sequences.

mod file;
mod member;
mod running;
mod shape;
mod state_dict;

use strait_compute::philox::{Stream, streams};
use strait_compute::{Device, Noise};
use strait_data::Rows;

use crate::affine::random_weights;
use crate::loaded::{codes_of, sequences_of};
use crate::parts::Parts;
use crate::resident::Room;
use crate::{Affine, Error, Result};

pub use shape::{Feeding, SequenceCode, SequenceShape};
pub use state_dict::StateDict;

/// An autoencoder of sequences of T steps of F values (Srivastava, Mansimov & Salakhutdinov 2015): recurrent layers read a sequence into a code,
/// and others write it down again.
///
/// A row holds the T F values of a sequence, step after step, and behind them its number of steps where [`SequenceShape::lengths`] says so.
/// What stands behind the end of a sequence changes nothing.
///
/// ```
/// use strait_compute::Device;
/// use strait_data::Rows;
/// use strait_models::{SequenceAutoencoder, SequenceShape};
/// // Five steps of two values each.
/// let net = SequenceAutoencoder::new(SequenceShape { units: 8, ..SequenceShape::of(5, 2) }, 1)?;
/// let row = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// let code = net.encode(&Device::cpu()?, Rows::numbers(&row, 10)?)?;
/// assert_eq!(code.len(), 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceAutoencoder {
    /// What it is made of.
    pub shape: SequenceShape,
    /// The layers, in the order of [`SequenceShape`]: a recurrent one is two, what it makes of what comes from below, and what it makes of its
    /// state, each for all gates at once (i, f, g, o of an LSTM; r, z, n of a GRU).
    pub layers: Vec<Affine>,
    /// β, the weight of the divergence where the code is drawn from a normal distribution.
    pub kl_weight: f32,
    /// Noise on the inputs in training.
    pub corruption: Option<Noise>,
}

impl SequenceAutoencoder {
    /// An autoencoder of this shape with random weights as PyTorch's `nn.LSTM`, `nn.GRU` and `nn.Linear` start: uniform in ±1/√H of recurrent
    /// layers, in ±1/√inputs of the others, biases alike.
    ///
    /// # Errors
    /// If a size of the shape is 0, or there is not enough memory for the weights.
    pub fn new(shape: SequenceShape, seed: u64) -> Result<Self> {
        shape.check()?;
        let mut stream = Stream::new(seed, streams::SEQUENCES);
        let mut layers = Vec::new();
        for layer in shape.layers() {
            let ends = if layer.recurrent { shape.units } else { layer.inputs };
            let limit = 1.0 / (ends as f32).sqrt();
            let mut draw = || (2.0 * strait_compute::philox::uniform(stream.next_word()) - 1.0) * limit;
            let weight = random_weights(layer.inputs, layer.outputs, &mut draw)?;
            let bias = random_weights(1, layer.outputs, &mut draw)?;
            let (inputs, outputs, activation) = (layer.inputs, layer.outputs, layer.activation);
            layers.push(Affine { inputs, outputs, activation, weight, bias, convolution: None, threshold: None });
        }
        Ok(Self { shape, layers, kl_weight: 1.0, corruption: None })
    }

    /// The same with biases of the forget gates that start at 1, as those of Keras do (Jozefowicz et al. 2015). GRUs stay as they are.
    #[must_use]
    pub fn with_open_forget_gates(mut self) -> Self {
        if self.shape.cell == strait_compute::Cell::Lstm {
            let units = self.shape.units;
            for (layer, described) in self.layers.iter_mut().zip(self.shape.layers()) {
                if described.recurrent {
                    // A recurrent layer has two biases, of which the sum counts.
                    let forget = if described.of_state { 0.0 } else { 1.0 };
                    layer.bias[units..2 * units].fill(forget);
                }
            }
        }
        self
    }

    /// Whether the layers are those of the shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        self.shape.check()?;
        let described = self.shape.layers();
        let fits = |(layer, described): (&Affine, &shape::Described)| {
            let sizes = [(layer.inputs, described.inputs), (layer.outputs, described.outputs)];
            layer.is_whole()
                && layer.convolution.is_none()
                && layer.activation == described.activation
                && sizes.iter().all(|(found, expected)| found == expected)
        };
        if self.layers.len() == described.len() && self.layers.iter().zip(&described).all(fits) {
            return Ok(());
        }
        let found: Vec<[usize; 2]> = self.layers.iter().map(|layer| [layer.inputs, layer.outputs]).collect();
        let expected: Vec<[usize; 2]> = described.iter().map(|layer| [layer.inputs, layer.outputs]).collect();
        Err(Error::Shape(format!(
            "layers of the inputs and outputs {found:?} are not those of its shape, {expected:?}"
        )))
    }

    /// Values in a row.
    pub fn inputs(&self) -> usize {
        self.shape.values() + usize::from(self.shape.lengths)
    }

    /// The number of values in a code.
    pub fn code_size(&self) -> usize {
        self.shape.code_size()
    }

    /// The codes of these sequences, row after row.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn encode(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        codes_of(&mut Parts::new(device.clone(), Room::Once(rows.count)), self, rows)
    }

    /// The sequences that these codes stand for, of all steps. A decoder that is fed with the step before is fed with what it has given.
    ///
    /// # Errors
    /// If the codes do not fit, or the device fails.
    pub fn decode(&self, device: &Device, codes: Rows<'_>) -> Result<Vec<f32>> {
        let made = sequences_of(&mut Parts::new(device.clone(), Room::Once(codes.count)), self, codes)?;
        Ok(self.completed(made, None))
    }

    /// The squared errors of reconstructions, summed over the values of each step: T for each row, 0 behind its end.
    ///
    /// # Errors
    /// If there are not as many reconstructions as rows.
    pub fn step_errors(&self, rows: Rows<'_>, reconstructions: &[f32]) -> Result<Vec<f64>> {
        let (width, each) = (self.inputs(), self.shape.features);
        if rows.width != width || reconstructions.len() != rows.count * width {
            let message =
                format!("{} values are not the reconstructions of {} rows", reconstructions.len(), rows.count);
            return Err(Error::Shape(message));
        }
        let numbers = rows.to_numbers();
        let mut errors = Vec::with_capacity(rows.count * self.shape.steps);
        for (row, made) in numbers.chunks_exact(width).zip(reconstructions.chunks_exact(width)) {
            let steps = row.chunks_exact(each).zip(made.chunks_exact(each)).take(self.shape.steps);
            errors.extend(steps.enumerate().map(|(t, (x, y))| {
                let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
                if self.lasts(row, t) { x.iter().zip(y).map(square).sum() } else { 0.0 }
            }));
        }
        Ok(errors)
    }

    /// Whether step t of a row is one of its own.
    fn lasts(&self, row: &[f32], t: usize) -> bool {
        !self.shape.lengths || (t as f32) < row[self.shape.values()]
    }

    /// Whether the rows' numbers of steps are some.
    ///
    /// # Errors
    /// [`Error::Shape`] with the first row that has none, or more than there are.
    pub fn check_rows(&self, rows: &Rows<'_>) -> Result<()> {
        if rows.width != self.inputs() {
            return Err(Error::Width { expected: self.inputs(), found: rows.width });
        }
        if !self.shape.lengths {
            return Ok(());
        }
        let steps = self.shape.steps as f32;
        for (row, values) in rows.to_numbers().chunks_exact(rows.width).enumerate() {
            let length = values[self.shape.values()];
            if !(1.0..=steps).contains(&length) || length.fract() != 0.0 {
                let message =
                    format!("row {row} says that it has {length} steps, but it must have 1 to {steps}: leave it out");
                return Err(Error::Shape(message));
            }
        }
        Ok(())
    }

    /// Rows of the model, of which these are the values: those behind their ends are 0, and their lengths are those of `like`.
    pub(crate) fn completed(&self, values: Vec<f32>, like: Option<&Rows<'_>>) -> Vec<f32> {
        if !self.shape.lengths {
            return values;
        }
        let (width, each) = (self.shape.values(), self.shape.features);
        let like = like.map(Rows::to_numbers);
        let mut rows = Vec::with_capacity(values.len() / width * (width + 1));
        for (number, made) in values.chunks_exact(width).enumerate() {
            let known = like.as_ref().map(|like| &like[number * (width + 1)..][..width + 1]);
            let length = known.map_or(self.shape.steps as f32, |row| row[width]);
            rows.extend(made.iter().enumerate().map(|(i, &x)| if ((i / each) as f32) < length { x } else { 0.0 }));
            rows.push(length);
        }
        rows
    }
}
