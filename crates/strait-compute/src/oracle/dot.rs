use super::*;

/// Dot products, for the host.
pub(super) fn run(at: &mut Replay<'_>, x: Tensor, y: Tensor) {
    let (x, y) = (at.get(x).values, at.get(y).values);
    let start = at.metrics.len();
    at.metrics.resize(start + DOT_PARTS, 0.0);
    at.metrics[start] = x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>() as f32;
}
