//! The way back through layers on rows of few numbers. A unit of work are some rows.

use std::cell::Cell;

use super::kernel::*;
use super::largest::Entries;

/// Rows of a unit of work.
const ROWS: usize = 16;

/// See [`Op::SparseBackprop`](crate::Op::SparseBackprop).
pub(super) struct SparseBackprop<'a> {
    pub(super) delta: &'a Panels,
    pub(super) input: Entries<'a>,
    pub(super) out: &'a Panels,
}

thread_local! {
    /// The sums of a worker's entries, lane by lane, in memory that it keeps.
    static SUMS: Cell<Option<Vec<Lanes>>> = const { Cell::new(None) };
}

compile_for_each_isa!(run = kernel(job: &SparseBackprop<'_>, weight: &Panels, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &SparseBackprop<'_>, weight: &Panels, share: Taking<'_>) {
    let &SparseBackprop { delta, input: Entries { values, columns }, out } = job;
    let mut kept = SUMS.take().unwrap_or_default();
    let each = values.count() * WIDTH;
    kept.resize(kept.len().max(ROWS * each), Lanes::ZERO);
    for unit in share.of(out.rows.div_ceil(ROWS)) {
        let rows = unit * ROWS..((unit + 1) * ROWS).min(out.rows);
        kept[..rows.len() * each].fill(Lanes::ZERO);
        for panel in 0..delta.count() {
            // SAFETY: operands are only read.
            let (lines, delta) = unsafe { (weight.panel(panel, 0..weight.rows), delta.panel(panel, rows.clone())) };
            for (number, row) in rows.clone().enumerate() {
                let d = &delta[number];
                for part in 0..values.count() {
                    // SAFETY: operands are only read.
                    let (x, at) =
                        unsafe { (values.panel(part, row..row + 1)[0], columns.panel(part, row..row + 1)[0]) };
                    if row + 1 < rows.end {
                        // SAFETY: as above.
                        let next = unsafe { columns.panel(part, row + 1..row + 2)[0] };
                        for c in 0..WIDTH {
                            T::prefetch(&raw const lines[next.0[c] as usize]);
                        }
                    }
                    let sums = &mut kept[number * each + part * WIDTH..][..WIDTH];
                    for (c, sum) in sums.iter_mut().enumerate().take(values.width(part)) {
                        row_by_row();
                        // Lists may have room for many more entries than rows have.
                        if x.0[c] == 0.0 {
                            continue;
                        }
                        let line = &lines[at.0[c] as usize];
                        for lane in 0..WIDTH {
                            sum.0[lane] = multiply_add::<T>(d.0[lane], line.0[lane], sum.0[lane]);
                        }
                    }
                }
            }
        }
        for (number, row) in rows.enumerate() {
            for part in 0..out.count() {
                let sums = &kept[number * each + part * WIDTH..][..WIDTH];
                // SAFETY: operands are only read, and this row is this worker's.
                let (x, out) = unsafe { (values.panel(part, row..row + 1)[0], out.panel_mut(part, row..row + 1)) };
                let mut lanes = Lanes::ZERO;
                for c in 0..values.width(part) {
                    row_by_row();
                    lanes.0[c] = if x.0[c] == 0.0 { 0.0 } else { sums[c].0.iter().sum() };
                }
                out[0] = lanes;
            }
        }
    }
    SUMS.set(Some(kept));
}
