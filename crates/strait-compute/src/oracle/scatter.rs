//! Minibatches into a data set.

use super::Replay;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn scatter(&self, input: Tensor, data: Tensor) {
        let active = self.active();
        let (source, mut target) = (self.get(input), self.get(data).values);
        for r in 0..active {
            let start = (self.step.offset as usize + r) * data.cols;
            target[start..start + data.cols].copy_from_slice(source.row(r));
        }
        self.set(data, target);
    }
}
