use super::*;

/// Codes drawn from normal distributions.
pub(super) fn run(at: &mut Replay<'_>, moments: Tensor, kl_weight: f32, stream: u32, noise: Tensor, out: Tensor) {
    let active = at.active();
    let (m, k) = (at.get(moments), out.cols);
    let epsilon = matrix(out.rows, k, |r, c| draw(Sampling::Gaussian, 0.0, r, c, stream, at.step));
    let z = matrix(out.rows, k, |r, c| m.at(r, c) + (0.5 * m.at(r, k + c)).exp() * epsilon[r * k + c]);
    for r in 0..out.rows {
        let part = |c: usize| m.at(r, c).powi(2) + m.at(r, k + c).exp() - 1.0 - m.at(r, k + c);
        let divergence = 0.5 * (0..k).map(part).sum::<f64>();
        let used = if r < active { f64::from(kl_weight) } else { 0.0 };
        at.metrics.extend([(divergence * used) as f32, 0.0]);
    }
    at.set(noise, epsilon);
    at.set(out, z);
}
