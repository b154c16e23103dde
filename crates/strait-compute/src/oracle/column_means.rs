//! Means of columns over a minibatch.

use super::Replay;
use super::matrix::matrix;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn column_means(&self, input: Tensor, times: Option<Tensor>, out: Tensor) {
        let active = self.active();
        let (x, y) = (self.get(input), times.map(|times| self.get(times)));
        let term = |r: usize, c: usize| x.at(r, c) * y.as_ref().map_or(1.0, |y| y.at(r, c));
        let mean = |_, c: usize| (0..active).map(|r| term(r, c)).sum::<f64>() / active as f64;
        self.set(out, matrix(1, out.cols, mean));
    }
}
