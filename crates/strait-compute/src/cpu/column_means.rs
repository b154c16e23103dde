//! Means of columns over a minibatch.

use super::kernel::*;

compile_for_each_isa!(
    run = kernel(
        input: &Panels, times: Option<&Panels>, out: &Panels, step: &Step, share: Taking<'_>
    )
);

#[inline(always)]
fn kernel<T: Target>(input: &Panels, times: Option<&Panels>, out: &Panels, step: &Step, share: Taking<'_>) {
    let rows = 0..step.rows as usize;
    for panel in share.of(out.count()) {
        let mut sums = Lanes::ZERO;
        // SAFETY: the operands are only read.
        let (x, y) = unsafe { (input.panel(panel, rows.clone()), times.map(|y| y.panel(panel, rows.clone()))) };
        for (r, x) in x.iter().enumerate() {
            for c in 0..WIDTH {
                sums.0[c] += x.0[c] * y.map_or(1.0, |y| y[r].0[c]);
            }
        }
        sums.0.iter_mut().for_each(|sum| *sum /= step.all_rows());
        // SAFETY: this panel is this worker's.
        unsafe { out.panel_mut(panel, 0..1)[0] = sums };
    }
}
