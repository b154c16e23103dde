//! Biases of units that were not used for a while. A unit of work is a panel.

use super::by_column::Order;
use super::kernel::*;

/// See [`Op::UnusedBias`](crate::Op::UnusedBias).
pub(super) fn run(
    order: Order<'_>,
    bias: &Panels,
    since: &Panels,
    limit: f32,
    out: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    for panel in share.of(out.count()) {
        for column in panel * WIDTH..panel * WIDTH + out.width(panel) {
            // SAFETY: operands are only read, and this panel is this worker's.
            unsafe {
                let rows = since.at_mut(0, column);
                *rows = if order.range(column).is_empty() { *rows + step.all_rows() } else { 0.0 };
                *out.at_mut(0, column) = if *rows >= limit { bias.at(0, column) } else { f32::MIN };
            }
        }
    }
}
