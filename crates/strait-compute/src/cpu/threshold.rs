//! Sparse weights.

use super::kernel::*;
use super::math::soft;

compile_for_each_isa!(run = kernel(weight: &Values, threshold: f32, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(weight: &Values, threshold: f32, share: Taking<'_>) {
    let panels = &weight.panels;
    for panel in share.of(panels.count()) {
        // SAFETY: this panel is this worker's.
        for lanes in unsafe { panels.panel_mut(panel, 0..panels.rows) } {
            row_by_row();
            for c in 0..WIDTH {
                lanes.0[c] = soft(lanes.0[c], threshold);
            }
        }
        // SAFETY: this panel is this worker's, in the copies as well.
        (0..weight.blocks()).for_each(|block| unsafe { weight.renew(block, panel) });
    }
}
