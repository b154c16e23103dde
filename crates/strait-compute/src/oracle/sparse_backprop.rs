use super::*;

/// The way back through layers on rows of few numbers.
pub(super) fn run(at: &Replay<'_>, delta: Tensor, weight: Tensor, input: SparseRows, out: Tensor) {
    let (d, w, x, columns) = (at.get(delta), at.get(weight), at.get(input.values), at.get(input.columns));
    at.put(out, |r, j| {
        let sum = (0..w.cols).map(|c| d.at(r, c) * w.at(columns.at(r, j) as usize, c)).sum::<f64>();
        if x.at(r, j) == 0.0 { 0.0 } else { sum }
    });
}
