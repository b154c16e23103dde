//! Sums of vectors.

use super::kernel::*;

compile_for_each_isa!(
    run = kernel(x: &Values, y: &Values, factors: (f32, f32), out: &Values, share: Taking<'_>)
);

/// out = α x + β y, where a scalar of zero drops its operand, whatever that holds; out may be x or y.
#[inline(always)]
fn kernel<T: Target>(x: &Values, y: &Values, (alpha, beta): (f32, f32), out: &Values, share: Taking<'_>) {
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
