//! Stacks of restricted Boltzmann machines.

use crate::{Affine, Autoencoder, Rbm};

/// Machines trained greedily, each on the hidden activities of the one below.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// From the data upwards.
    pub rbms: Vec<Rbm>,
}

impl Stack {
    /// Unrolls the stack into an autoencoder (Hinton & Salakhutdinov 2006): the encoder takes the weights with the
    /// hidden biases, the decoder their transposes with the visible biases. From then on nothing is tied.
    ///
    /// Each layer computes the mean of the units that it came from, so that the reconstruction has the activation of
    /// the lowest visible units and the code that of the highest hidden ones.
    pub fn unroll(&self) -> Autoencoder {
        let up = self.rbms.iter().map(|rbm| Affine {
            inputs: rbm.visible_bias.len(),
            outputs: rbm.hidden_bias.len(),
            activation: rbm.hidden.activation(),
            weight: rbm.weight.clone(),
            bias: rbm.hidden_bias.clone(),
            convolution: None,
        });
        let down = self.rbms.iter().rev().map(|rbm| Affine {
            inputs: rbm.hidden_bias.len(),
            outputs: rbm.visible_bias.len(),
            activation: rbm.visible.activation(),
            weight: transpose(&rbm.weight, rbm.hidden_bias.len()),
            bias: rbm.visible_bias.clone(),
            convolution: None,
        });
        Autoencoder { layers: up.chain(down).collect(), encoder: self.rbms.len(), top_k: None }
    }
}

/// The transpose of a row-major matrix with `cols` columns.
///
/// ```
/// assert_eq!(strait_models::transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
/// ```
pub fn transpose(matrix: &[f32], cols: usize) -> Vec<f32> {
    let rows = matrix.len() / cols;
    (0..matrix.len()).map(|i| matrix[i % rows * cols + i / rows]).collect()
}
