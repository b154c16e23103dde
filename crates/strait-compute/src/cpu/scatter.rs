//! Minibatches into a data set.

use super::kernel::*;

/// data\[offset + r] = input\[r]
pub(super) fn run(input: &Panels, data: &Shared<f32>, step: &Step, share: Taking<'_>) {
    for r in share.of(step.rows as usize) {
        let start = (step.offset as usize + r) * input.cols;
        // SAFETY: this row of the data set is this worker's.
        let out = unsafe { data.slice_mut(start..start + input.cols) };
        for panel in 0..input.count() {
            let width = input.width(panel);
            // SAFETY: the input is only read.
            let lanes = unsafe { &input.panel(panel, r..r + 1)[0] };
            out[panel * WIDTH..][..width].copy_from_slice(&lanes.0[..width]);
        }
    }
}
