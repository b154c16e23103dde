//! Recurrent autoencoders of PyTorch and of Keras.

use std::path::Path;

use super::Arrays;
use super::keras::{Layer, Recurrent, layers};
use crate::Activation;
use crate::compute::Cell;
use crate::experiment::Result;
use crate::models::{SequenceAutoencoder, StateDict, transpose};

/// What tells PyTorch's recurrent modules.
const RECURRENT: &str = "weight_hh_l0";

/// Whether a safetensors file of PyTorch holds recurrent layers.
///
/// # Errors
/// If it cannot be read.
pub fn is_torch_sequence(path: impl AsRef<Path>) -> Result<bool> {
    Ok(Arrays::open(path.as_ref())?.entries.iter().any(|(name, _)| name.ends_with(RECURRENT)))
}

/// Whether a file of Keras' weights holds recurrent layers.
///
/// # Errors
/// If it cannot be read, or its arrays are no layers.
pub fn is_keras_sequence(path: impl AsRef<Path>) -> Result<bool> {
    Ok(layers(&Arrays::open(path.as_ref())?)?.iter().any(|layer| matches!(layer, Layer::Recurrent(_))))
}

/// An autoencoder of sequences of the parameters of PyTorch's modules `encoder`, `decoder` and `output`, and `code` and `start` where there are
/// such, as `safetensors.torch.save_file(net.state_dict(), path)` writes them: see [`SequenceAutoencoder::from_state_dict`]. The file does not
/// tell the steps of a row, nor the activation of the outputs.
///
/// # Errors
/// If the file cannot be read, or a tensor is missing or does not fit.
pub fn sequence_from_torch(path: impl AsRef<Path>, steps: usize, outputs: Activation) -> Result<SequenceAutoencoder> {
    let arrays = Arrays::open(path.as_ref())?;
    let mut tensors = StateDict::new();
    for (name, shape) in &arrays.entries {
        tensors.insert(name.clone(), (shape.clone(), arrays.read(name, shape)?));
    }
    SequenceAutoencoder::from_state_dict(&tensors, steps, outputs).map_err(|error| arrays.wrong(error))
}

/// An autoencoder of sequences of the weights of a Keras model: recurrent layers that encode, a `Dense` layer on their last state where the code is
/// one, `RepeatVector`, as many recurrent layers that decode, `Dense` (or `TimeDistributed(Dense)`) outputs. The file is an npz file of
/// `numpy.savez(path, *model.get_weights())`, which keeps their order.
///
/// Keras' kernels are the transposes of PyTorch's. Its LSTM has the gates in the order i f c o, which is PyTorch's, and one bias; its GRU has the order
/// z r h, where PyTorch has r z n, and, with `reset_after`, two rows of biases.
///
/// # Errors
/// If the file cannot be read, or holds another net.
pub fn sequence_from_keras(path: impl AsRef<Path>, steps: usize, outputs: Activation) -> Result<SequenceAutoencoder> {
    let arrays = Arrays::open(path.as_ref())?;
    let layers = layers(&arrays)?;
    let recurrent: Vec<&Recurrent> = layers.iter().filter_map(Layer::recurrent).collect();
    let Some(&first) = recurrent.first() else {
        return Err(arrays.wrong("it has no recurrent layer"));
    };
    let units = first.units;
    let other = recurrent.iter().find(|layer| (layer.units, layer.cell) != (units, first.cell));
    if let Some(Recurrent { name, units: found, cell, .. }) = other {
        return Err(arrays.wrong(format!(
            "`{name}` is a {} of {found} units and `{}` a {} of {units}; all recurrent layers must be alike, with Dense outputs behind them",
            cell.name(),
            first.name,
            first.cell.name(),
        )));
    }
    let bidirectional = reads_both_ways(&recurrent);
    let each = if bidirectional { 3 } else { 2 };
    if !recurrent.len().is_multiple_of(each) {
        return Err(arrays.wrong(format!(
            "it has {} recurrent layers; as many must decode as encode, or half as many where the encoder reads from both ends",
            recurrent.len()
        )));
    }
    let depth = recurrent.len() / each;
    let encoding = recurrent.len() - depth;
    let mut tensors = StateDict::new();
    let (mut seen, mut dense) = (0, Vec::new());
    for layer in &layers {
        match layer {
            Layer::Recurrent(layer) => {
                let (module, number) = if seen < encoding { ("encoder", seen) } else { ("decoder", seen - encoding) };
                let (number, ending) = match (bidirectional, module) {
                    (true, "encoder") => (number / 2, if number % 2 == 1 { "_reverse" } else { "" }),
                    _ => (number, ""),
                };
                for (name, tensor) in layer.parameters(&arrays)? {
                    tensors.insert(format!("{module}.{name}_l{number}{ending}"), tensor);
                }
                seen += 1;
            }
            Layer::Dense(layer) => dense.push((seen, layer)),
        }
    }
    let names: &[&str] = match dense[..] {
        [(end, _)] if end == recurrent.len() => &["output"],
        [(middle, _), (end, _)] if middle == encoding && end == recurrent.len() => &["code", "output"],
        _ => {
            return Err(arrays.wrong(
                "it must have one Dense layer behind its recurrent ones, and may have one between those that encode and those that decode",
            ));
        }
    };
    for (name, (_, layer)) in names.iter().zip(dense) {
        let [inputs, outputs] = layer.sizes;
        let weight = transpose(&layer.weight(&arrays)?, outputs);
        tensors.insert(format!("{name}.weight"), (vec![outputs, inputs], weight));
        tensors.insert(format!("{name}.bias"), (vec![outputs], layer.bias(&arrays)?));
    }
    SequenceAutoencoder::from_state_dict(&tensors, steps, outputs).map_err(|error| arrays.wrong(error))
}

/// Whether the layers of the encoder come in pairs, of which the second reads from the end.
fn reads_both_ways(layers: &[&Recurrent]) -> bool {
    if layers.iter().any(|layer| layer.name.contains("backward")) {
        return true;
    }
    // Arrays without names: the two of a pair read the same, and what is above reads both.
    layers.len().is_multiple_of(3)
        && layers[0].inputs == layers[1].inputs
        && (layers.len() == 3 || layers[2].inputs == 2 * layers[0].units)
}

/// A tensor of a state dict: its shape and its numbers.
type Named = (Vec<usize>, Vec<f32>);

impl Recurrent {
    /// Its parameters under the names that PyTorch gives those of a layer, in its order of gates.
    fn parameters(&self, arrays: &Arrays) -> Result<[(&'static str, Named); 4]> {
        let (units, gates) = (self.units, self.cell.gates());
        let rows = gates * units;
        let order: &[usize] = match self.cell {
            Cell::Lstm => &[0, 1, 2, 3],
            Cell::Gru => &[1, 0, 2],
        };
        // The blocks of gates of a matrix whose rows belong to gates, `each` values a row.
        let turned = |values: &[f32], each: usize| -> Vec<f32> {
            let block = units * each;
            order.iter().flat_map(|&gate| values[gate * block..][..block].iter().copied()).collect()
        };
        let kernel = |name: &str, inputs: usize| -> Result<Named> {
            let kernel = transpose(&arrays.read(name, &[inputs, rows])?, rows);
            Ok((vec![rows, inputs], turned(&kernel, inputs)))
        };
        let bias = match self.cell {
            Cell::Lstm => [arrays.read(&self.bias, &[rows])?, vec![0.0; rows]].concat(),
            Cell::Gru => arrays.read(&self.bias, &[2, rows])?,
        };
        let (input, state) = bias.split_at(rows);
        Ok([
            ("weight_ih", kernel(&self.kernel, self.inputs)?),
            ("weight_hh", kernel(&self.state_kernel, units)?),
            ("bias_ih", (vec![rows], turned(input, 1))),
            ("bias_hh", (vec![rows], turned(state, 1))),
        ])
    }
}
