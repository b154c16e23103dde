//! `update`: an optimiser's rule for a gradient that is there.

use super::gradient::{Destination, update};
use super::isa::{Target, compile_for_each_isa};
use super::storage::{Panels, WIDTH};
use super::workers::Taking;
use crate::Step;

compile_for_each_isa!(
    apply = apply_kernel(gradient: &Panels, target: Destination<'_>, cost: f32, step: &Step, share: Taking<'_>)
);

/// θ follows g, 16 x 16 elements at a time.
#[inline(always)]
fn apply_kernel<T: Target>(gradient: &Panels, target: Destination<'_>, cost: f32, step: &Step, share: Taking<'_>) {
    let across = gradient.rows.div_ceil(WIDTH);
    for unit in share.of(across * gradient.count()) {
        let (panel, row) = (unit / across, unit % across * WIDTH);
        // SAFETY: the gradient is only read.
        let block = unsafe { gradient.panel(panel, row..(row + WIDTH).min(gradient.rows)) };
        // SAFETY: these rows, and their block of the copies, are this worker's.
        unsafe { update::<T>(target, block, panel, row, step, cost) };
    }
}
