//! Sequences up to their ends.

use super::kernel::*;

compile_for_each_isa!(
    run = kernel(
        input: &Panels, lengths: &Panels, each: usize, beyond: f32, out: &Panels, share: Taking<'_>
    )
);

#[inline(always)]
fn kernel<T: Target>(input: &Panels, lengths: &Panels, each: usize, beyond: f32, out: &Panels, share: Taking<'_>) {
    for r in share.of(out.rows) {
        // SAFETY: lengths are only read.
        let length = unsafe { lengths.at(r, 0) };
        // The number of steps t with t < length; a NaN has none.
        let steps = if length > 0.0 { length.ceil() as usize } else { 0 };
        let end = steps.saturating_mul(each);
        for panel in 0..out.count() {
            let (start, width) = (panel * WIDTH, out.width(panel));
            // SAFETY: the input is only read, and this row of the result is this worker's.
            let (x, lanes) = unsafe { (&input.panel(panel, r..r + 1)[0], &mut out.panel_mut(panel, r..r + 1)[0]) };
            *lanes = *x;
            let kept = end.saturating_sub(start).min(width);
            lanes.0[kept..width].fill(beyond);
        }
    }
}
