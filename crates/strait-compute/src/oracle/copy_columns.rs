use super::*;

/// Some columns of a minibatch into another.
pub(super) fn run(at: &Replay<'_>, input: Tensor, first: usize, out: Tensor, to: usize, columns: usize) {
    let (x, mut y) = (at.get(input), at.get(out).values);
    for r in 0..out.rows {
        y[r * out.cols + to..][..columns].copy_from_slice(&x.row(r)[first..first + columns]);
    }
    at.set(out, y);
}
