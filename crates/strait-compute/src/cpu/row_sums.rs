//! Sums of rows, for the host.

use super::kernel::*;

compile_for_each_isa!(
    run = kernel(
        input: &Panels, columns: Option<&Panels>, metrics: StepMetrics<'_>, step: &Step, share: Taking<'_>
    )
);

#[inline(always)]
fn kernel<T: Target>(
    input: &Panels,
    columns: Option<&Panels>,
    metrics: StepMetrics<'_>,
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
        // SAFETY: the numbers of this row are this worker's.
        unsafe { metrics.report(r, sum, 0.0) };
    }
}
