//! Autoencoders of sequences from the parameters of PyTorch's modules.

use std::collections::BTreeMap;

use strait_compute::{Activation, Cell};

use super::{Feeding, SequenceAutoencoder, SequenceCode, SequenceShape};
use crate::{Affine, Error, Result, transpose};

/// Named tensors, each with its shape and its values, row-major.
pub type StateDict = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

impl SequenceAutoencoder {
    /// A model of the parameters that PyTorch gives for modules of these names: `encoder` and `decoder` are `nn.LSTM` or `nn.GRU`, `output` is an
    /// `nn.Linear` on the decoder's states; `code`, an `nn.Linear` on the encoder's last state, and `start`, one whose tanh are the decoder's first
    /// states, may be there. Further tensors are left alone. What a state dict does not tell are the steps and the activation of the outputs.
    ///
    /// # Errors
    /// [`Error::Shape`] with the tensor that is missing or does not fit.
    pub fn from_state_dict(tensors: &StateDict, steps: usize, outputs: Activation) -> Result<Self> {
        let matrix = |name: &str| match tensors.get(name).map(|(shape, _)| &shape[..]) {
            Some(&[rows, cols]) if rows > 0 && cols > 0 => Ok([rows, cols]),
            Some(shape) => Err(Error::Shape(format!("expected `{name}` to be a matrix, found the shape {shape:?}"))),
            None => {
                Err(Error::Shape(format!("tensor `{name}` is missing: name the modules encoder, decoder and output")))
            }
        };
        let has = |name: &str| tensors.contains_key(name);
        let [gates, units] = matrix("encoder.weight_hh_l0")?;
        let cell = match gates {
            _ if gates == 4 * units => Cell::Lstm,
            _ if gates == 3 * units => Cell::Gru,
            _ => {
                let message = format!(
                    "`encoder.weight_hh_l0` is [{gates}, {units}], but an LSTM has four rows for each column and a GRU three"
                );
                return Err(Error::Shape(message));
            }
        };
        let features = matrix("encoder.weight_ih_l0")?[1];
        let depth = (0..).take_while(|number| has(&format!("encoder.weight_hh_l{number}"))).count();
        let feeding = if has("start.weight") { Feeding::Previous } else { Feeding::Code };
        let taken = match feeding {
            Feeding::Code => matrix("decoder.weight_ih_l0")?[1],
            Feeding::Previous => matrix("start.weight")?[1],
        };
        let code = match has("code.weight").then(|| matrix("code.weight")).transpose()? {
            None => SequenceCode::State,
            Some([rows, _]) if rows == 2 * taken => SequenceCode::Gaussian(taken),
            Some(_) => SequenceCode::Linear(taken),
        };
        let bidirectional = has("encoder.weight_hh_l0_reverse");
        let shape = SequenceShape {
            cell,
            units,
            depth,
            bidirectional,
            code,
            feeding,
            outputs,
            ..SequenceShape::of(steps, features)
        };
        shape.check()?;
        let mut values = Vec::new();
        for (name, shape) in super::file::tensors(&shape).flatten() {
            match tensors.get(&name) {
                Some((found, tensor)) if *found == shape && tensor.len() == shape.iter().product::<usize>() => {
                    values.push(&tensor[..]);
                }
                Some((found, _)) => {
                    return Err(Error::Shape(format!(
                        "expected `{name}` to be {shape:?}, as the other tensors are, found {found:?}"
                    )));
                }
                None => return Err(Error::Shape(format!("tensor `{name}` is missing"))),
            }
        }
        let layers = super::file::layers(&shape, values.into_iter());
        Ok(Self { shape, layers, kl_weight: 1.0, corruption: None })
    }

    /// The parameters under the names that PyTorch gives them; see [`SequenceAutoencoder::from_state_dict`]. `layers` are those of this model, or as
    /// many others of the same shapes, such as gradients.
    ///
    /// ```
    /// use strait_models::{SequenceAutoencoder, SequenceShape};
    /// let net = SequenceAutoencoder::new(SequenceShape::of(5, 2), 1)?;
    /// let tensors = net.state_dict(&net.layers);
    /// assert_eq!(tensors["encoder.weight_ih_l0"].0, [256, 2]);
    /// assert_eq!(SequenceAutoencoder::from_state_dict(&tensors, 5, net.shape.outputs)?, net);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    pub fn state_dict(&self, layers: &[Affine]) -> StateDict {
        let named = super::file::tensors(&self.shape).zip(layers);
        let both = named.flat_map(|([(weight, weight_shape), (bias, bias_shape)], layer)| {
            let turned = transpose(&layer.weight, layer.outputs);
            [(weight, (weight_shape, turned)), (bias, (bias_shape, layer.bias.clone()))]
        });
        both.collect()
    }
}
