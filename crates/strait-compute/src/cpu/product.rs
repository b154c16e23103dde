//! Products of vectors.

use super::kernel::*;

compile_for_each_isa!(run = kernel(x: &Panels, y: &Panels, out: &Panels, share: Taking<'_>));

/// out = x y; out may be x or y.
#[inline(always)]
fn kernel<T: Target>(x: &Panels, y: &Panels, out: &Panels, share: Taking<'_>) {
    for i in share.of(out.lanes.len()) {
        // SAFETY: these lanes are this worker's, and the copies end the borrows before the write.
        let (mut product, y) = unsafe { (x.lanes.slice(i..i + 1)[0], y.lanes.slice(i..i + 1)[0]) };
        for c in 0..WIDTH {
            product.0[c] *= y.0[c];
        }
        // SAFETY: these lanes are this worker's.
        unsafe { out.lanes.slice_mut(i..i + 1)[0] = product };
    }
}
