use super::*;

/// Means of columns over a minibatch.
pub(super) fn run(at: &Replay<'_>, input: Tensor, times: Option<Tensor>, out: Tensor) {
    let active = at.active();
    let (x, y) = (at.get(input), times.map(|times| at.get(times)));
    let term = |r: usize, c: usize| x.at(r, c) * y.as_ref().map_or(1.0, |y| y.at(r, c));
    let mean = |_, c: usize| (0..active).map(|r| term(r, c)).sum::<f64>() / at.all();
    at.set(out, matrix(1, out.cols, mean));
}
