//! Layers of Keras, from the list of a model's weights.

use std::path::Path;

use super::Arrays;
use crate::compute::Cell;
use crate::experiment::Result;
use crate::{Activation, Affine, Autoencoder};

/// A layer, with the names of its arrays.
pub(super) enum Layer {
    Dense(Dense),
    Recurrent(Recurrent),
}

impl Layer {
    pub(super) fn recurrent(&self) -> Option<&Recurrent> {
        match self {
            Self::Recurrent(layer) => Some(layer),
            Self::Dense(_) => None,
        }
    }
}

/// `Dense`: x W + b.
pub(super) struct Dense {
    /// W has this shape, `[inputs, outputs]`.
    pub(super) sizes: [usize; 2],
    kernel: String,
    bias: Option<String>,
}

impl Dense {
    pub(super) fn weight(&self, arrays: &Arrays) -> Result<Vec<f32>> {
        arrays.read(&self.kernel, &self.sizes)
    }

    pub(super) fn bias(&self, arrays: &Arrays) -> Result<Vec<f32>> {
        match &self.bias {
            Some(bias) => arrays.read(bias, &self.sizes[1..]),
            None => Ok(vec![0.0; self.sizes[1]]),
        }
    }
}

/// `LSTM` or `GRU`.
pub(super) struct Recurrent {
    pub(super) name: String,
    pub(super) cell: Cell,
    pub(super) inputs: usize,
    pub(super) units: usize,
    /// `[inputs, gates x units]`
    pub(super) kernel: String,
    /// `[units, gates x units]`
    pub(super) state_kernel: String,
    pub(super) bias: String,
}

/// The layers that a list of weights holds, in its order. They are told by the shapes of their arrays.
pub(super) fn layers(arrays: &Arrays) -> Result<Vec<Layer>> {
    // Layers that draw, such as Dropout, have a variable for the state of their generator.
    let mut entries: Vec<_> = arrays.entries.iter().filter(|(name, _)| !name.contains("seed_generator")).collect();
    // The names that numpy.savez gives arrays without one.
    if entries.iter().all(|(name, _)| number(name).is_some()) {
        entries.sort_by_key(|(name, _)| number(name));
    }
    let mut layers = Vec::new();
    let mut rest = &entries[..];
    while let [(kernel, shape), more @ ..] = rest {
        let (layer, used) = match (&shape[..], more) {
            (&[inputs, gates], [(state_kernel, state), (bias, biases), ..]) if matches!(state[..], [units, rows] if rows == gates && (rows == 3 * units || rows == 4 * units)) =>
            {
                let units = state[0];
                let cell = match biases[..] {
                    [rows] if rows == 4 * units => Cell::Lstm,
                    [2, rows] if rows == 3 * units => Cell::Gru,
                    _ => {
                        return Err(arrays.wrong(format!(
                            "`{bias}` of the shape {biases:?} is no bias of an LSTM ([{}]) or of a GRU with reset_after ([2, {}])",
                            4 * units,
                            3 * units
                        )));
                    }
                };
                let [name, kernel, state_kernel, bias] = [kernel, kernel, state_kernel, bias].map(Clone::clone);
                (Layer::Recurrent(Recurrent { name, cell, inputs, units, kernel, state_kernel, bias }), 3)
            }
            (&[inputs, outputs], [(bias, biases), ..]) if **biases == [outputs] => {
                let dense = Dense { sizes: [inputs, outputs], kernel: kernel.clone(), bias: Some(bias.clone()) };
                (Layer::Dense(dense), 2)
            }
            (&[inputs, outputs], _) => {
                (Layer::Dense(Dense { sizes: [inputs, outputs], kernel: kernel.clone(), bias: None }), 1)
            }
            _ => {
                return Err(arrays.wrong(format!(
                    "`{kernel}` of the shape {shape:?} is no part of a Dense, LSTM or GRU layer; write the weights in their order by \
                     numpy.savez(path, *model.get_weights())"
                )));
            }
        };
        layers.push(layer);
        rest = &rest[used..];
    }
    Ok(layers)
}

/// N of `arr_N`.
fn number(name: &str) -> Option<usize> {
    name.strip_prefix("arr_").and_then(|number| number.parse().ok())
}

/// An autoencoder of the `Dense` layers of a Keras model, in an npz file of `numpy.savez(path, *model.get_weights())`. The file does not tell the
/// activation of each layer, nor how many layers encode.
///
/// # Errors
/// If the file cannot be read, layers do not follow each other, or their number is not that of the activations.
pub fn from_keras(path: impl AsRef<Path>, activations: &[Activation], encoder: usize) -> Result<Autoencoder> {
    let arrays = Arrays::open(path.as_ref())?;
    let found = layers(&arrays)?;
    if found.len() != activations.len() {
        return Err(arrays.wrong(format!(
            "it has {} layers, but {} activations are named; name one for each, linear where there is none",
            found.len(),
            activations.len()
        )));
    }
    let mut layers = Vec::new();
    for (layer, &activation) in found.iter().zip(activations) {
        let Layer::Dense(layer) = layer else {
            return Err(arrays.wrong("it has recurrent layers, which are an autoencoder of sequences"));
        };
        let [inputs, outputs] = layer.sizes;
        let (weight, bias) = (layer.weight(&arrays)?, layer.bias(&arrays)?);
        layers.push(Affine { inputs, outputs, activation, weight, bias, convolution: None, threshold: None });
    }
    super::net(&arrays, layers, encoder)
}
