//! Sums of rows, for the host.

use super::kernel::*;

compile_for_each_isa!(
    run = kernel(
        input: &Panels, columns: Option<&Panels>, metrics: (&Shared<f32>, usize), step: &Step, share: Taking<'_>
    )
);

#[inline(always)]
fn kernel<T: Target>(
    input: &Panels,
    columns: Option<&Panels>,
    metrics: (&Shared<f32>, usize),
    step: &Step,
    share: Taking<'_>,
) {
    for r in share.of(input.rows) {
        let mut sums = Lanes::ZERO;
        for panel in 0..input.count() {
            // SAFETY: the operands are only read.
            let (x, factors) = unsafe {
                (input.panel(panel, r..r + 1)[0], columns.map_or(Lanes([1.0; WIDTH]), |c| c.panel(panel, 0..1)[0]))
            };
            for c in 0..input.width(panel) {
                sums.0[c] += x.0[c] * factors.0[c];
            }
        }
        let sum = if r < step.rows as usize { sums.0.iter().sum() } else { 0.0 };
        let start = metrics.1 + 2 * r;
        // SAFETY: the numbers of this row are this worker's.
        unsafe { metrics.0.slice_mut(start..start + 2).copy_from_slice(&[sum, 0.0]) };
    }
}
