//! Dot products, for the host.

use super::Replay;
use crate::Tensor;
use crate::op::DOT_PARTS;

impl Replay<'_> {
    pub(super) fn dot(&mut self, x: Tensor, y: Tensor) {
        let (x, y) = (self.get(x).values, self.get(y).values);
        let start = self.metrics.len();
        self.metrics.resize(start + DOT_PARTS, 0.0);
        self.metrics[start] = x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>() as f32;
    }
}
