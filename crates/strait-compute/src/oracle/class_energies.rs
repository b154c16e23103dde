//! Free energies of rows with each label.

use super::Replay;
use crate::{Activation, Tensor};

impl Replay<'_> {
    pub(super) fn class_energies(&self, inputs: Tensor, weight: Tensor, bias: Tensor, out: Tensor) {
        let (t, w, a) = (self.get(inputs), self.get(weight), self.get(bias));
        let first = weight.rows - out.cols;
        let soft = |r: usize, c: usize, j: usize| Activation::Softplus.apply(t.at(r, j) + w.at(first + c, j));
        let energy = |r: usize, c: usize| a.at(0, first + c) + (0..t.cols).map(|j| soft(r, c, j)).sum::<f64>();
        self.put(out, energy);
    }
}
