//! Steps of iterative shrinkage towards sparse codes.

use super::kernel::*;
use super::math::soft;
use crate::op::Shrinkage;

compile_for_each_isa!(
    run = kernel(
        code: &Panels, differences: [&Panels; 3], shrinkage: Shrinkage, out: &Panels, share: Taking<'_>
    )
);

/// `differences`: overlap, correlation and prediction.
#[inline(always)]
fn kernel<T: Target>(
    code: &Panels,
    [overlap, correlation, prediction]: [&Panels; 3],
    Shrinkage { rate, sparsity, pull }: Shrinkage,
    out: &Panels,
    share: Taking<'_>,
) {
    let threshold = rate * sparsity;
    for panel in share.of(out.count()) {
        let rows = 0..out.rows;
        // SAFETY: the operands are only read, and this panel is this worker's.
        let (z, s, c, f, out) = unsafe {
            (
                code.panel(panel, rows.clone()),
                overlap.panel(panel, rows.clone()),
                correlation.panel(panel, rows.clone()),
                prediction.panel(panel, rows.clone()),
                out.panel_mut(panel, rows),
            )
        };
        for ((((z, s), c), f), out) in z.iter().zip(s).zip(c).zip(f).zip(out) {
            let mut lanes = Lanes::ZERO;
            for i in 0..WIDTH {
                let slope = 2.0 * (s.0[i] - c.0[i]) + 2.0 * pull * (z.0[i] - f.0[i]);
                let v = z.0[i] - rate * slope;
                lanes.0[i] = soft(v, threshold);
            }
            *out = lanes;
        }
    }
}
