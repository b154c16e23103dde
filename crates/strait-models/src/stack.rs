//! Stacks of restricted Boltzmann machines.

use crate::{Affine, Autoencoder, Error, Rbm, Result};

/// Machines trained greedily, each on the hidden activities of the one below.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// From the data upwards.
    pub rbms: Vec<Rbm>,
}

impl Stack {
    /// Whether there is a machine, each is whole, and each sees as many features as the one below has hidden units.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        self.rbms.iter().try_for_each(Rbm::check)?;
        let chained = self.rbms.windows(2).all(|pair| pair[0].hidden_bias.len() == pair[1].visible_bias.len());
        if self.rbms.is_empty() || !chained {
            return Err(Error::Shape("these machines form no stack".to_owned()));
        }
        Ok(())
    }

    /// Unrolls the stack into an autoencoder (Hinton & Salakhutdinov 2006): the encoder takes the weights with the
    /// hidden biases, the decoder their transposes with the visible biases. From then on nothing is tied.
    ///
    /// Each layer computes the mean of the units that it came from, or of groups their total inputs: logits, such as the softmax
    /// cross-entropy takes of a bag of words. So the reconstruction has the activation of the lowest visible units and the code
    /// that of the highest hidden ones.
    pub fn unroll(&self) -> Autoencoder {
        let up = self.rbms.iter().map(Rbm::up);
        let down = self.rbms.iter().rev().map(Rbm::down);
        Autoencoder::new(up.chain(down).collect(), self.rbms.len())
    }
}

impl Rbm {
    /// The layer that gives the means of the hidden units: act(v / σ W + b). The outputs of groups are their total inputs; for
    /// their means see [`Rbm::hidden_means`].
    pub fn up(&self) -> Affine {
        let hidden = self.hidden_bias.len();
        let mut weight = self.weight.clone();
        if let Some(deviation) = &self.deviation {
            let rows = weight.chunks_exact_mut(hidden).zip(deviation);
            rows.for_each(|(row, deviation)| row.iter_mut().for_each(|w| *w /= deviation));
        }
        Affine {
            inputs: self.visible_bias.len(),
            outputs: hidden,
            activation: self.hidden.activation(),
            weight,
            bias: self.hidden_bias.clone(),
            convolution: None,
            threshold: None,
        }
    }

    /// The layer that gives the means of the visible units: σ act(h Wᵀ + a). The outputs of groups are their total inputs.
    pub fn down(&self) -> Affine {
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        let (mut weight, mut bias) = (transpose(&self.weight, hidden), self.visible_bias.clone());
        if let Some(deviation) = &self.deviation {
            let rows = weight.chunks_exact_mut(visible).chain([&mut bias[..]]);
            rows.for_each(|row| row.iter_mut().zip(deviation).for_each(|(x, deviation)| *x *= deviation));
        }
        Affine {
            inputs: hidden,
            outputs: visible,
            activation: self.visible.activation(),
            weight,
            bias,
            convolution: None,
            threshold: None,
        }
    }
}

/// The transpose of a row-major matrix with `cols` columns.
///
/// ```
/// assert_eq!(strait_models::transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
/// ```
pub fn transpose(matrix: &[f32], cols: usize) -> Vec<f32> {
    /// Rows and columns of a block, whose lines stay in the cache on either side.
    const BLOCK: usize = 16;
    let rows = matrix.len() / cols;
    let mut turned = vec![0.0; matrix.len()];
    for first in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - first);
        for start in (0..cols).step_by(BLOCK) {
            for col in start..(start + BLOCK).min(cols) {
                let out = &mut turned[col * rows + first..][..count];
                out.iter_mut().enumerate().for_each(|(row, out)| *out = matrix[(first + row) * cols + col]);
            }
        }
    }
    turned
}
