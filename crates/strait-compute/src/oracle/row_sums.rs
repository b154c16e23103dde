use super::*;

/// Sums of rows, for the host.
pub(super) fn run(at: &mut Replay<'_>, input: Tensor, columns: Option<Tensor>) {
    let active = at.active();
    let (x, columns) = (at.get(input), columns.map(|columns| at.get(columns)));
    for r in 0..input.rows {
        let factor = |c: usize| columns.as_ref().map_or(1.0, |columns| columns.at(0, c));
        let sum: f64 = (0..input.cols).map(|c| x.at(r, c) * factor(c)).sum();
        at.metrics.extend([if r < active { sum as f32 } else { 0.0 }, 0.0]);
    }
}
