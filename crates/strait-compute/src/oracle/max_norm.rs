use super::*;

/// Weights of bounded length.
pub(super) fn run(at: &Replay<'_>, weight: Tensor, norm: f32, rows: bool, exact: bool) {
    let w = at.get(weight);
    let square = |r: usize, c: usize| w.at(r, c).powi(2);
    let length = |r: usize, c: usize| match rows {
        true => (0..weight.cols).map(|c| square(r, c)).sum::<f64>().sqrt(),
        false => (0..weight.rows).map(|r| square(r, c)).sum::<f64>().sqrt(),
    };
    let factor = |length: f64| match exact {
        true if length > 0.0 => f64::from(norm) / length,
        true => 1.0,
        false => (f64::from(norm) / length).min(1.0),
    };
    let scaled = |r: usize, c: usize| w.at(r, c) * factor(length(r, c));
    at.put(weight, scaled);
}
