//! The derivative of codes drawn from normal distributions.

use super::Replay;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn reparameterize_backward(
        &self,
        delta: Tensor,
        moments: Tensor,
        noise: Tensor,
        kl_weight: f32,
        out: Tensor,
    ) {
        let active = self.active();
        let (d, m, epsilon, k) = (self.get(delta), self.get(moments), self.get(noise), delta.cols);
        let beta = f64::from(kl_weight);
        let element = |r: usize, c: usize| match c {
            _ if r >= active => 0.0,
            c if c < k => d.at(r, c) + beta * m.at(r, c),
            c => {
                let variance = m.at(r, c).exp();
                0.5 * (d.at(r, c - k) * epsilon.at(r, c - k) * variance.sqrt() + beta * (variance - 1.0))
            }
        };
        self.put(out, element);
    }
}
