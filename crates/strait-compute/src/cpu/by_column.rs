//! Which entries each column has: a counting sort, which is too little to be shared.

use std::cell::Cell;

use super::kernel::*;
use super::largest::Entries;

/// See [`ByColumn`](crate::ByColumn). Matrices of one row are as long as their numbers.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) starts: &'a Panels,
    pub(super) entries: &'a Panels,
}

impl Order<'_> {
    /// Columns.
    #[inline(always)]
    pub(super) fn columns(&self) -> usize {
        self.starts.cols - 1
    }

    /// The entries of a column: where they are in the list.
    ///
    /// # Safety
    /// Nobody writes the order meanwhile.
    #[inline(always)]
    pub(super) unsafe fn range(&self, column: usize) -> std::ops::Range<usize> {
        // SAFETY: the caller's promise.
        unsafe { self.starts.at(0, column) as usize..self.starts.at(0, column + 1) as usize }
    }
}

thread_local! {
    /// Where the next entry of each column goes, in memory that the worker keeps.
    static NEXT: Cell<Option<Vec<u32>>> = const { Cell::new(None) };
}

pub(super) fn run(rows: Entries<'_>, out: Order<'_>, step: &Step, share: Taking<'_>) {
    let columns = out.columns();
    // Always the same worker, since each keeps memory of its own.
    if share.worker.index == 0 {
        let mut next = NEXT.take().unwrap_or_default();
        next.clear();
        next.resize(columns + 1, 0);
        each(rows, step, |_, column| next[column + 1] += 1);
        for column in 0..columns {
            next[column + 1] += next[column];
        }
        for (column, &start) in next.iter().enumerate() {
            // SAFETY: the whole work is this worker's.
            unsafe { *out.starts.at_mut(0, column) = start as f32 };
        }
        each(rows, step, |entry, column| {
            // SAFETY: as above.
            unsafe { *out.entries.at_mut(0, next[column] as usize) = entry as f32 };
            next[column] += 1;
        });
        for place in next[columns] as usize..out.entries.cols {
            // SAFETY: as above.
            unsafe { *out.entries.at_mut(0, place) = 0.0 };
        }
        NEXT.set(Some(next));
    }
}

/// Calls `take` with every entry of the active rows that is not 0, and its column.
#[inline(always)]
fn each(rows: Entries<'_>, step: &Step, mut take: impl FnMut(usize, usize)) {
    let k = rows.values.cols;
    for row in 0..step.rows as usize {
        for part in 0..rows.values.count() {
            // SAFETY: operands are only read.
            let (x, at) =
                unsafe { (rows.values.panel(part, row..row + 1)[0], rows.columns.panel(part, row..row + 1)[0]) };
            for c in 0..rows.values.width(part) {
                if x.0[c] != 0.0 {
                    take(row * k + part * WIDTH + c, at.0[c] as usize);
                }
            }
        }
    }
}
