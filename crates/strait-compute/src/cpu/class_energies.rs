//! Free energies of rows with each label.

use super::kernel::*;
use super::math::activate;
use crate::Activation;

compile_for_each_isa!(
    run = kernel(
        inputs: &Panels, weight: &Panels, bias: &Panels, out: &Panels, share: Taking<'_>
    )
);

#[inline(always)]
fn kernel<T: Target>(inputs: &Panels, weight: &Panels, bias: &Panels, out: &Panels, share: Taking<'_>) {
    let first = weight.rows - out.cols;
    for r in share.of(out.rows) {
        for class in 0..out.cols {
            let mut sums = Lanes::ZERO;
            for panel in 0..inputs.count() {
                // SAFETY: the operands are only read.
                let (t, w) = unsafe {
                    (&inputs.panel(panel, r..r + 1)[0], &weight.panel(panel, first + class..first + class + 1)[0])
                };
                let mut soft = Lanes::ZERO;
                for c in 0..WIDTH {
                    soft.0[c] = t.0[c] + w.0[c];
                }
                activate::<T, WIDTH>(Activation::Softplus, &mut soft.0);
                for c in 0..inputs.width(panel) {
                    sums.0[c] += soft.0[c];
                }
            }
            // SAFETY: the bias is only read, and this row is this worker's.
            unsafe { *out.at_mut(r, class) = bias.at(0, first + class) + sums.0.iter().sum::<f32>() };
        }
    }
}
