use super::*;

/// Products of vectors.
pub(super) fn run(at: &Replay<'_>, x: Tensor, y: Tensor, out: Tensor) {
    let (x, y) = (at.get(x), at.get(y));
    at.put(out, |r, c| x.at(r, c) * y.at(r, c));
}
