//! Some columns of a minibatch into another.

use super::Replay;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn copy_columns(&self, input: Tensor, first: usize, out: Tensor, to: usize, columns: usize) {
        let (x, mut y) = (self.get(input), self.get(out).values);
        for r in 0..out.rows {
            y[r * out.cols + to..][..columns].copy_from_slice(&x.row(r)[first..first + columns]);
        }
        self.set(out, y);
    }
}
