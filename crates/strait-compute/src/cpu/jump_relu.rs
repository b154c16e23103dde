//! Units with thresholds. Lists are short: one worker makes them.

use super::by_column::Order;
use super::kernel::*;
use super::largest::Entries;
use crate::op::StraightThrough;

compile_for_each_isa!(run = kernel(input: &Panels, threshold: &Panels, out: &Panels, share: Taking<'_>));

/// out = x where x > θ; out may be x.
#[inline(always)]
fn kernel<T: Target>(input: &Panels, threshold: &Panels, out: &Panels, share: Taking<'_>) {
    for panel in share.of(out.count()) {
        // SAFETY: thresholds are only read.
        let threshold = unsafe { threshold.panel(panel, 0..1)[0] };
        for row in 0..out.rows {
            row_by_row();
            // SAFETY: this panel is this worker's, and the copy ends the borrow before the write.
            let mut lanes = unsafe { input.panel(panel, row..row + 1)[0] };
            for c in 0..WIDTH {
                lanes.0[c] = if lanes.0[c] <= threshold.0[c] { 0.0 } else { lanes.0[c] };
            }
            // SAFETY: as above.
            unsafe { out.panel_mut(panel, row..row + 1)[0] = lanes };
        }
    }
}

compile_for_each_isa!(
    run_bias = of_bias(bias: &Panels, threshold: &Panels, bandwidth: f32, out: &Panels, share: Taking<'_>)
);

#[inline(always)]
fn of_bias<T: Target>(bias: &Panels, threshold: &Panels, bandwidth: f32, out: &Panels, share: Taking<'_>) {
    for panel in share.of(out.count()) {
        // SAFETY: operands are only read, and this panel is this worker's.
        let (b, threshold, out) = unsafe {
            (bias.panel(panel, 0..1)[0], threshold.panel(panel, 0..1)[0], &mut out.panel_mut(panel, 0..1)[0])
        };
        for c in 0..bias.width(panel) {
            out.0[c] = b.0[c] - threshold.0[c].max(0.0) + 0.5 * bandwidth;
        }
    }
}

/// See [`Op::JumpReluListed`](crate::Op::JumpReluListed).
pub(super) fn run_listed(
    input: Entries<'_>,
    threshold: &Panels,
    bandwidth: f32,
    [out, active]: [&Panels; 2],
    step: &Step,
    share: Taking<'_>,
) {
    if share.worker.index != 0 {
        return;
    }
    let (half, mut count) = (0.5 * bandwidth, 0u32);
    for row in 0..out.rows {
        for part in 0..out.count() {
            // SAFETY: operands are only read, and the whole work is this worker's.
            let (v, columns, out) = unsafe {
                let entries = (input.values.panel(part, row..row + 1), input.columns.panel(part, row..row + 1));
                (entries.0[0], entries.1[0], &mut out.panel_mut(part, row..row + 1)[0])
            };
            for c in 0..input.values.width(part) {
                out.0[c] = 0.0;
                if v.0[c] > half || v.0[c].is_nan() {
                    // SAFETY: as above.
                    out.0[c] = v.0[c] + (unsafe { threshold.at(0, columns.0[c] as usize) }.max(0.0) - half);
                    count += u32::from(row < step.rows as usize);
                }
            }
        }
    }
    // SAFETY: as above.
    unsafe { *active.at_mut(0, 0) = count as f32 / step.all_rows() };
}

/// See [`Op::JumpReluBackward`](crate::Op::JumpReluBackward).
pub(super) struct Backward<'a> {
    pub(super) input: &'a Panels,
    pub(super) order: Order<'a>,
    pub(super) threshold: &'a Panels,
    pub(super) active: &'a Panels,
    pub(super) straight: StraightThrough,
    pub(super) derivatives: &'a Panels,
    pub(super) gradient: &'a Panels,
}

pub(super) fn run_backward(job: &Backward<'_>, step: &Step, share: Taking<'_>) {
    let StraightThrough { bandwidth, weight, mean } = job.straight;
    let c = job.input.cols;
    for panel in share.of(job.gradient.count()) {
        for column in panel * WIDTH..panel * WIDTH + job.gradient.width(panel) {
            // SAFETY: operands are only read.
            let (threshold, active) = unsafe { (job.threshold.at(0, column).max(0.0), job.active.at(0, 0)) };
            let pull = 2.0 * weight * (active / mean - 1.0) / mean;
            let mut sum = 0.0;
            // SAFETY: operands are only read, and the entries of this column are this worker's.
            unsafe {
                for place in job.order.range(column) {
                    let entry = job.order.entries.at(0, place) as usize;
                    let (v, delta) = (job.input.at(entry / c, entry % c), job.derivatives.at_mut(entry / c, entry % c));
                    if v < bandwidth {
                        sum -= (threshold * *delta + pull) / bandwidth;
                    }
                    if v <= 0.5 * bandwidth {
                        *delta = 0.0;
                    }
                }
                *job.gradient.at_mut(0, column) = sum / step.all_rows();
            }
        }
    }
}
