//! Derivatives on their way back through layers.

use super::Replay;
use super::matrix::sum_of_products;
use crate::{Activation, Tensor};

impl Replay<'_> {
    pub(super) fn backprop(
        &self,
        delta: Tensor,
        (weight, transposed): (Tensor, bool),
        output: Tensor,
        activation: Activation,
        out: Tensor,
    ) {
        let (d, w, y) = (self.factor(delta), self.factor(weight), self.get(output));
        let element = |r: usize, c: usize| {
            let places = (0..delta.cols).map(|j| [(r, j), if transposed { (j, c) } else { (c, j) }]);
            sum_of_products(&d, &w, places) * activation.derivative(y.at(r, c))
        };
        self.put(out, element);
    }
}
