use super::*;

/// Sparse weights.
pub(super) fn run(at: &Replay<'_>, weight: Tensor, threshold: f32) {
    let threshold = f64::from(threshold);
    let w = at.get(weight).values;
    at.set(weight, w.into_iter().map(|w| w.signum() * (w.abs() - threshold).max(0.0)).collect());
}
