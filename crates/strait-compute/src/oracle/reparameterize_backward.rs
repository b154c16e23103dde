use super::*;

/// The derivative of codes drawn from normal distributions.
pub(super) fn run(at: &Replay<'_>, delta: Tensor, moments: Tensor, noise: Tensor, kl_weight: f32, out: Tensor) {
    let active = at.active();
    let (d, m, epsilon, k) = (at.get(delta), at.get(moments), at.get(noise), delta.cols);
    let beta = f64::from(kl_weight);
    let element = |r: usize, c: usize| match c {
        _ if r >= active => 0.0,
        c if c < k => d.at(r, c) + beta * m.at(r, c),
        c => {
            let variance = m.at(r, c).exp();
            0.5 * (d.at(r, c - k) * epsilon.at(r, c - k) * variance.sqrt() + beta * (variance - 1.0))
        }
    };
    at.put(out, element);
}
