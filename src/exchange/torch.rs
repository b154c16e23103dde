//! Linear layers of PyTorch.

use std::path::Path;

use super::Arrays;
use crate::experiment::Result;
use crate::models::transpose;
use crate::{Activation, Affine, Autoencoder};

/// An autoencoder of the linear layers of a safetensors file, as `safetensors.torch.save_file(net.state_dict(), path)` writes them: in the
/// order of the numbers in their names, layers of an `encoder` before those of a `decoder`. Modules without parameters are not in the file,
/// so the activation behind each layer is said here, and how many layers encode.
///
/// # Errors
/// If the file cannot be read, layers do not follow each other, or their number is not that of the activations.
pub fn from_torch(path: impl AsRef<Path>, activations: &[Activation], encoder: usize) -> Result<Autoencoder> {
    let arrays = Arrays::open(path.as_ref())?;
    let mut names: Vec<String> =
        arrays.entries.iter().filter_map(|(name, _)| name.strip_suffix(".weight").map(str::to_owned)).collect();
    names.sort_by_key(|name| key(name));
    if names.len() != activations.len() {
        let found = names.join(", ");
        return Err(arrays.wrong(format!(
            "it has {} layers ({found}), but {} activations are named; name one for each, linear where there is none",
            names.len(),
            activations.len()
        )));
    }
    let mut layers = Vec::new();
    for (name, &activation) in names.iter().zip(activations) {
        let weight = format!("{name}.weight");
        let (outputs, inputs) = match *arrays.shape(&weight)? {
            [outputs, inputs] => (outputs, inputs),
            [_, _, _, _] => {
                let message =
                    format!("`{weight}` is a convolution, whose strides and map sizes the file does not hold");
                return Err(arrays.wrong(message));
            }
            ref other => return Err(arrays.wrong(format!("`{weight}` of the shape {other:?} is no linear layer"))),
        };
        let bias = format!("{name}.bias");
        let bias = match arrays.entries.iter().any(|(other, _)| *other == bias) {
            true => arrays.read(&bias, &[outputs])?,
            false => vec![0.0; outputs],
        };
        let weight = transpose(&arrays.read(&weight, &[outputs, inputs])?, inputs);
        layers.push(Affine { inputs, outputs, activation, weight, bias, convolution: None, threshold: None });
    }
    super::net(&arrays, layers, encoder)
}

/// What layers are ordered by: the encoder before the decoder, numbers by their values.
fn key(name: &str) -> (bool, Vec<(u64, String)>) {
    let part = |part: &str| (part.parse().unwrap_or(u64::MAX), part.to_owned());
    (name.contains("decoder"), name.split('.').map(part).collect())
}
