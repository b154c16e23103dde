//! The rules of optimisers.

use super::kernel::*;

/// Where a gradient goes; the tensors of an [`Update`](crate::Update).
#[derive(Clone, Copy)]
pub(super) enum Destination<'a> {
    Store(&'a Values),
    Momentum(&'a Values, &'a Values),
    Adam(&'a Values, &'a Values, &'a Values),
}

compile_for_each_isa!(
    run = kernel(gradient: &Panels, target: Destination<'_>, cost: f32, step: &Step, share: Taking<'_>)
);

/// θ follows g, 16 x 16 elements at a time.
#[inline(always)]
fn kernel<T: Target>(gradient: &Panels, target: Destination<'_>, cost: f32, step: &Step, share: Taking<'_>) {
    let across = gradient.rows.div_ceil(WIDTH);
    for unit in share.of(across * gradient.count()) {
        let (panel, row) = (unit / across, unit % across * WIDTH);
        // SAFETY: the gradient is only read.
        let block = unsafe { gradient.panel(panel, row..(row + WIDTH).min(gradient.rows)) };
        // SAFETY: these rows, and their block of the copies, are this worker's.
        unsafe { update::<T>(target, block, panel, row, step, cost) };
    }
}

/// Applies the update to the rows from `row` on of a panel, and to the block of the transposed copy.
///
/// # Safety
/// These rows, and that block, are this worker's.
#[inline(always)]
pub(super) unsafe fn update<T: Target>(
    target: Destination<'_>,
    block: &[Lanes],
    panel: usize,
    row: usize,
    step: &Step,
    cost: f32,
) {
    let rows = row..row + block.len();
    // SAFETY: the caller's promise.
    let lanes = |values: &Values| unsafe { &mut *std::ptr::from_mut(values.panels.panel_mut(panel, rows.clone())) };
    let rate = step.learning_rate;
    // The lanes are worked on in copies, which the compiler knows to be apart.
    let written = match target {
        Destination::Store(gradient) => {
            lanes(gradient).copy_from_slice(block);
            gradient
        }
        Destination::Momentum(parameter, velocity) => {
            let m = step.momentum;
            for ((g, theta), v) in block.iter().zip(lanes(parameter)).zip(lanes(velocity)) {
                row_by_row();
                let (mut new, mut sum) = (*v, *theta);
                for c in 0..WIDTH {
                    new.0[c] = m * new.0[c] - rate * (g.0[c] + cost * sum.0[c]);
                    sum.0[c] += new.0[c];
                }
                (*v, *theta) = (new, sum);
            }
            parameter
        }
        Destination::Adam(parameter, first, second) => {
            let (beta1, beta2) = (step.momentum, step.beta2);
            let rows = block.iter().zip(lanes(parameter)).zip(lanes(first)).zip(lanes(second));
            for (((g, theta), m), s) in rows {
                row_by_row();
                let (mut new, mut first, mut second) = (*theta, *m, *s);
                for c in 0..WIDTH {
                    let g = g.0[c] + cost * new.0[c];
                    first.0[c] = beta1 * first.0[c] + (1.0 - beta1) * g;
                    second.0[c] = beta2 * second.0[c] + (1.0 - beta2) * g * g;
                    let root = (second.0[c] * step.correction2).sqrt() + step.epsilon;
                    new.0[c] -= rate * (first.0[c] * step.correction1) / root;
                }
                (*theta, *m, *s) = (new, first, second);
            }
            parameter
        }
    };
    // SAFETY: the caller's promise.
    unsafe { written.renew(row / WIDTH, panel) };
}
