use super::*;

/// Weights of bounded length.
pub(super) fn run(at: &Replay<'_>, weight: Tensor, norm: f32, rows: bool) {
    let w = at.get(weight);
    let square = |r: usize, c: usize| w.at(r, c).powi(2);
    let length = |r: usize, c: usize| match rows {
        true => (0..weight.cols).map(|c| square(r, c)).sum::<f64>().sqrt(),
        false => (0..weight.rows).map(|r| square(r, c)).sum::<f64>().sqrt(),
    };
    let scaled = |r: usize, c: usize| w.at(r, c) * (f64::from(norm) / length(r, c)).min(1.0);
    at.put(weight, scaled);
}
