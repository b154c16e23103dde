//! Layers on rows of few numbers. A unit of work is a panel of outputs of some rows.

use super::kernel::*;
use super::largest::Entries;
use super::math::activate;
use crate::Activation;

/// Rows of a unit of work.
const ROWS: usize = 64;

/// See [`Op::SparseLinear`](crate::Op::SparseLinear).
pub(super) struct SparseLinear<'a> {
    pub(super) input: Entries<'a>,
    pub(super) bias: &'a Panels,
    pub(super) activation: Activation,
    pub(super) out: &'a Panels,
}

compile_for_each_isa!(run = kernel(job: &SparseLinear<'_>, weight: &Panels, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &SparseLinear<'_>, weight: &Panels, share: Taking<'_>) {
    let &SparseLinear { input: Entries { values, columns }, bias, activation, out } = job;
    let chunks = out.rows.div_ceil(ROWS);
    for unit in share.of(out.count() * chunks) {
        let (panel, chunk) = (unit / chunks, unit % chunks);
        let rows = chunk * ROWS..((chunk + 1) * ROWS).min(out.rows);
        // SAFETY: operands are only read, and these rows of the panel are this worker's.
        let (lines, bias, out) = unsafe {
            (weight.panel(panel, 0..weight.rows), bias.panel(panel, 0..1)[0], out.panel_mut(panel, rows.clone()))
        };
        for (row, out) in rows.clone().zip(out) {
            row_by_row();
            let mut sums = T::load(&bias);
            for part in 0..values.count() {
                // SAFETY: operands are only read.
                let (x, at) = unsafe { (values.panel(part, row..row + 1)[0], columns.panel(part, row..row + 1)[0]) };
                if row + 1 < rows.end {
                    // SAFETY: as above.
                    let next = unsafe { columns.panel(part, row + 1..row + 2)[0] };
                    for c in 0..WIDTH {
                        T::prefetch(&raw const lines[next.0[c] as usize]);
                    }
                }
                for c in 0..values.width(part) {
                    // Lists may have room for many more entries than rows have.
                    if x.0[c] == 0.0 {
                        continue;
                    }
                    sums = T::accumulate(x.0[c], T::load(&lines[at.0[c] as usize]), sums);
                }
            }
            let mut lanes = T::store(sums);
            activate::<T, WIDTH>(activation, &mut lanes.0);
            *out = lanes;
        }
    }
}
