//! What recurrent layers have in common on their way there and back.

use std::ops::Range;

use super::kernel::*;
use super::matmul::BLOCK;
use super::strips::Strip;
use crate::Cell;

/// What a layer leaves behind for its way back; see [`Trace`](crate::Trace).
#[derive(Clone, Copy)]
pub(super) struct Trace<'a> {
    pub(super) gates: &'a Panels,
    pub(super) cells: &'a Panels,
    pub(super) previous: &'a Panels,
}

/// What there and back have in common.
#[derive(Clone, Copy)]
pub(super) struct Sequence<'a> {
    pub(super) cell: Cell,
    pub(super) steps: usize,
    pub(super) reversed: bool,
    pub(super) lengths: Option<&'a Panels>,
    pub(super) memory: &'a Panels,
    /// H
    pub(super) units: usize,
}

/// What comes from below in each step, and what in all of them; or the derivatives with respect to these.
#[derive(Clone, Copy)]
pub(super) struct Below<'a> {
    pub(super) inputs: Option<&'a Panels>,
    pub(super) constant: Option<&'a Panels>,
}

impl Sequence<'_> {
    /// Step number `number` of the way there.
    #[inline(always)]
    pub(super) fn step(&self, number: usize) -> usize {
        if self.reversed { self.steps - 1 - number } else { number }
    }

    /// The step behind step number `number`.
    #[inline(always)]
    pub(super) fn next(&self, number: usize) -> Option<usize> {
        if number + 1 < self.steps { Some(self.step(number + 1)) } else { None }
    }

    /// Whether step t is one of a row's own.
    #[inline(always)]
    pub(super) fn lasts(&self, row: usize, t: usize) -> bool {
        match self.lengths {
            None => true,
            // SAFETY: lengths are only read.
            Some(lengths) => (t as f32) < unsafe { lengths.at(row, 0) },
        }
    }

    /// Rows of a block, which one worker takes through all steps, and how many blocks there are: one for each worker, unless that would be too
    /// large for the second cache.
    pub(super) fn blocks<T: Target>(&self, workers: usize) -> (usize, usize) {
        let rows = self.memory.rows.div_ceil(workers).min(BLOCK / T::ROWS * T::ROWS);
        (rows, self.memory.rows.div_ceil(rows))
    }

    /// Sets columns of the working memory to 0.
    #[inline(always)]
    pub(super) fn clear(&self, rows: Range<usize>, columns: Range<usize>) {
        for row in rows {
            for col in columns.clone().step_by(WIDTH) {
                Strip::<false>::at(self.memory, col, WIDTH.min(columns.end - col)).put(row, &Lanes::ZERO);
            }
        }
    }
}
