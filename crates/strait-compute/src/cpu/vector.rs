//! Algebra on parameter vectors, `combine` and `dot`, and `standardize`.

use super::isa::{Target, compile_for_each_isa, multiply_add, row_by_row};
use super::storage::{Lanes, Panels, Shared, Values, WIDTH};
use super::workers::Taking;
use crate::op::DOT_PARTS;

compile_for_each_isa!(
    combine = combine_kernel(x: &Values, y: &Values, factors: (f32, f32), out: &Values, share: Taking<'_>)
);
compile_for_each_isa!(dot = dot_kernel(x: &Values, y: &Values, metrics: &Shared<f32>, start: usize, share: Taking<'_>));

compile_for_each_isa!(
    standardize = standardize_kernel(
        input: &Panels, shift: Option<&Panels>, scale: Option<&Panels>, out: &Panels, share: Taking<'_>
    )
);

/// out = (x − m) s
#[inline(always)]
fn standardize_kernel<T: Target>(
    input: &Panels,
    shift: Option<&Panels>,
    scale: Option<&Panels>,
    out: &Panels,
    share: Taking<'_>,
) {
    for panel in share.of(out.count()) {
        let rows = 0..out.rows;
        // SAFETY: the operands are only read, and this panel of the result is this worker's.
        let (x, out) = unsafe { (input.panel(panel, rows.clone()), out.panel_mut(panel, rows)) };
        let columns = |numbers: Option<&Panels>, none: f32| {
            // SAFETY: as above.
            numbers.map_or(Lanes([none; WIDTH]), |numbers| unsafe { numbers.panel(panel, 0..1)[0] })
        };
        let (shift, scale) = (columns(shift, 0.0), columns(scale, 1.0));
        for (x, out) in x.iter().zip(out) {
            row_by_row();
            let mut row = *x;
            for c in 0..WIDTH {
                row.0[c] = (row.0[c] - shift.0[c]) * scale.0[c];
            }
            *out = row;
        }
    }
}

/// out = α x + β y, where a scalar of zero drops its operand, whatever that holds; out may be x or y.
#[inline(always)]
fn combine_kernel<T: Target>(x: &Values, y: &Values, (alpha, beta): (f32, f32), out: &Values, share: Taking<'_>) {
    for i in share.of(out.panels.lanes.len()) {
        // SAFETY: these lanes are this worker's, and the copies end the borrows before the write.
        let (x, y) = unsafe { (x.panels.lanes.slice(i..i + 1)[0], y.panels.lanes.slice(i..i + 1)[0]) };
        let mut sum = x;
        for c in 0..WIDTH {
            let ax = if alpha == 0.0 { 0.0 } else { alpha * x.0[c] };
            sum.0[c] = if beta == 0.0 { ax } else { multiply_add::<T>(beta, y.0[c], ax) };
        }
        // SAFETY: these lanes are this worker's.
        unsafe { out.panels.lanes.slice_mut(i..i + 1)[0] = sum };
    }
    if out.has_copies() {
        share.worker.meet();
        for i in share.second(out.blocks()) {
            // SAFETY: all workers have finished the sums, and these blocks are this worker's in the copies.
            (0..out.panels.count()).for_each(|panel| unsafe { out.renew(i, panel) });
        }
    }
}

/// Partial sums of Σ x y over fixed parts of the vector, so that they do not depend on the number of workers.
#[inline(always)]
fn dot_kernel<T: Target>(x: &Values, y: &Values, metrics: &Shared<f32>, start: usize, share: Taking<'_>) {
    let length = x.panels.lanes.len();
    for part in share.of(DOT_PARTS) {
        let range = part * length / DOT_PARTS..(part + 1) * length / DOT_PARTS;
        // SAFETY: the vectors are only read.
        let (x, y) = unsafe { (x.panels.lanes.slice(range.clone()), y.panels.lanes.slice(range)) };
        let mut sum = [0f64; WIDTH];
        for (x, y) in x.iter().zip(y) {
            for c in 0..WIDTH {
                sum[c] += f64::from(x.0[c]) * f64::from(y.0[c]);
            }
        }
        // SAFETY: this part of the metrics is this worker's.
        unsafe { metrics.slice_mut(start + part..start + part + 1)[0] = sum.iter().sum::<f64>() as f32 };
    }
}
