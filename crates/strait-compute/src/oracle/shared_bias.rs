//! Gradients of biases that all positions of a map share.

use super::Replay;
use crate::Tensor;
use crate::op::Update;

impl Replay<'_> {
    pub(super) fn shared_bias(&self, delta: Tensor, bias: Update) {
        let active = self.active();
        let (map, channels) = (self.get(delta), bias.target().cols);
        let used = &map.values[..active * delta.cols];
        let mean = |c: usize| used.iter().skip(c).step_by(channels).sum::<f64>() / active as f64;
        self.follow(bias, (0..channels).map(mean).collect(), 0.0);
    }
}
