//! Derivatives through activations.

use super::kernel::*;
use super::math::times_derivative;
use crate::Activation;

compile_for_each_isa!(
    run = kernel(delta: &Panels, output: &Panels, activation: Activation, out: &Panels, share: Taking<'_>)
);

/// out = δ act′(y); out may be δ.
#[inline(always)]
fn kernel<T: Target>(delta: &Panels, output: &Panels, activation: Activation, out: &Panels, share: Taking<'_>) {
    for i in share.of(out.lanes.len()) {
        // SAFETY: these lanes are this worker's, and the copies end the borrows before the write.
        let (mut slope, y) = unsafe { (delta.lanes.slice(i..i + 1)[0], output.lanes.slice(i..i + 1)[0]) };
        times_derivative::<T, WIDTH>(activation, &mut slope.0, &y.0);
        // SAFETY: these lanes are this worker's.
        unsafe { out.lanes.slice_mut(i..i + 1)[0] = slope };
    }
}
