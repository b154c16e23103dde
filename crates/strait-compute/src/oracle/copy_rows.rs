//! Some rows of a minibatch into another.

use super::*;
use crate::EveryRow;

pub(super) fn run(at: &Replay<'_>, input: EveryRow, out: EveryRow) {
    let (x, mut y) = (at.get(input.tensor), at.get(out.tensor).values);
    let cols = out.tensor.cols;
    for i in 0..out.count() {
        let row = out.first + i * out.every;
        y[row * cols..][..cols].copy_from_slice(x.row(input.first + i * input.every));
    }
    at.set(out.tensor, y);
}
