//! Sparse weights.

use super::Replay;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn threshold(&self, weight: Tensor, threshold: f32) {
        let threshold = f64::from(threshold);
        let w = self.get(weight).values;
        self.set(weight, w.into_iter().map(|w| w.signum() * (w.abs() - threshold).max(0.0)).collect());
    }
}
