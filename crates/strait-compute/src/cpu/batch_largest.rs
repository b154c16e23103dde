//! The largest entries of all rows together, which are too few to be shared.

use std::cell::Cell;

use super::candidates::rank;
use super::kernel::*;

thread_local! {
    /// The ranks of the entries, in memory that the worker keeps.
    static RANKED: Cell<Option<Vec<u64>>> = const { Cell::new(None) };
}

/// See [`Op::BatchLargest`](crate::Op::BatchLargest).
pub(super) fn run(
    input: &Panels,
    threshold: &Panels,
    k: usize,
    rate: f32,
    out: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    // Always the same worker, since each keeps memory of its own.
    if share.worker.index != 0 {
        return;
    }
    let mut ranked = RANKED.take().unwrap_or_default();
    ranked.clear();
    ranked.reserve(input.rows * input.cols);
    let rows = step.rows as usize;
    for row in 0..rows {
        for j in 0..input.cols {
            // SAFETY: the input is only read.
            let value = unsafe { input.at(row, j) };
            if value > 0.0 || value.is_nan() {
                ranked.push(rank(value, row * input.cols + j));
            }
        }
    }
    let wanted = k * rows;
    let mut least = ranked.iter().min().copied();
    if ranked.len() > wanted {
        let (_, smallest, _) = ranked.select_nth_unstable_by(wanted - 1, |a, b| b.cmp(a));
        least = Some(*smallest);
    }
    for row in 0..out.rows {
        for j in 0..out.cols {
            // SAFETY: the whole work is this worker's.
            let (value, out) = unsafe { (input.at(row, j), out.at_mut(row, j)) };
            let stays = row < rows && least.is_some_and(|least| rank(value, row * input.cols + j) >= least);
            *out = if stays { value } else { 0.0 };
        }
    }
    if let Some(least) = least {
        let entry = !(least as u32) as usize;
        for column in 0..threshold.cols {
            // SAFETY: as above.
            let (smallest, at) =
                unsafe { (input.at(entry / input.cols, entry % input.cols), threshold.at_mut(0, column)) };
            *at += rate * (smallest - *at);
        }
    }
    RANKED.set(Some(ranked));
}
