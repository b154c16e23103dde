//! Layers.

use super::Replay;
use super::draw::draw;
use super::matrix::{matrix, sum_of_products};
use crate::op::Sample;
use crate::{Activation, Tensor};

impl Replay<'_> {
    pub(super) fn linear(
        &self,
        input: Tensor,
        (weight, transposed): (Tensor, bool),
        bias: Tensor,
        activation: Activation,
        out: Tensor,
        sample: Option<Sample>,
    ) {
        let (x, w, b) = (self.factor(input), self.factor(weight), self.get(bias));
        let mean = matrix(out.rows, out.cols, |r, c| {
            let places = (0..input.cols).map(|k| [(r, k), if transposed { (c, k) } else { (k, c) }]);
            activation.apply(sum_of_products(&x, &w, places) + b.at(0, c))
        });
        if let Some(sample) = sample {
            let state =
                |r: usize, c: usize| draw(sample.sampling, mean[r * out.cols + c], r, c, sample.stream, self.step);
            self.set(sample.out, matrix(out.rows, out.cols, state));
        }
        self.set(out, mean);
    }
}
