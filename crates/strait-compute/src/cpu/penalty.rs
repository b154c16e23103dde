//! Penalties on the outputs of layers.

use super::kernel::*;
use super::math::{ln, times_derivative};
use crate::Activation;

compile_for_each_isa!(run = kernel(job: &Penalty<'_>, step: &Step, share: Taking<'_>));

/// See [`PenaltyKind`](crate::PenaltyKind).
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    L1 { weight: f32 },
    Sparsity { weight: f32, target: f32, means: &'a Panels },
    Contractive { weight: f32, squares: &'a Panels },
}

/// See [`Op::Penalty`](crate::Op::Penalty).
pub(super) struct Penalty<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) output: &'a Panels,
    pub(super) activation: Activation,
    pub(super) delta: &'a Panels,
    /// The numbers of this penalty in the metrics of this step: two for each row.
    pub(super) metrics: StepMetrics<'a>,
}

#[inline(always)]
fn kernel<T: Target>(job: &Penalty<'_>, step: &Step, share: Taking<'_>) {
    for r in share.of(job.output.rows) {
        let mut loss = 0.0;
        if r < step.rows as usize {
            for panel in 0..job.output.count() {
                loss += penalty_of_panel::<T>(job, r, panel);
            }
        }
        // SAFETY: the numbers of this row are this worker's.
        unsafe { job.metrics.report(r, loss, 0.0) };
    }
}

/// Adds the derivatives, and gives the penalty.
#[inline(always)]
fn penalty_of_panel<T: Target>(job: &Penalty<'_>, r: usize, panel: usize) -> f32 {
    let width = job.output.width(panel);
    // SAFETY: the outputs are only read, and this row of the derivatives is this worker's.
    let (y, delta) = unsafe { (job.output.panel(panel, r..r + 1)[0], &mut job.delta.panel_mut(panel, r..r + 1)[0]) };
    let (mut slope, mut part) = (Lanes::ZERO, Lanes::ZERO);
    match job.kind {
        Kind::L1 { weight } => {
            for c in 0..WIDTH {
                slope.0[c] = if y.0[c] == 0.0 { 0.0 } else { weight.copysign(y.0[c]) };
                part.0[c] = weight * y.0[c].abs();
            }
        }
        Kind::Contractive { weight, squares } => {
            // SAFETY: the squares are only read.
            let squares = unsafe { squares.panel(panel, 0..1)[0] };
            let mut first = [1.0; WIDTH];
            times_derivative::<T, WIDTH>(job.activation, &mut first, &y.0);
            for c in 0..WIDTH {
                // The second derivative over the first.
                let bend = match job.activation {
                    Activation::Logistic => 1.0 - 2.0 * y.0[c],
                    Activation::Tanh => -2.0 * y.0[c],
                    _ => 0.0,
                };
                part.0[c] = weight * squares.0[c] * first[c] * first[c];
                // Below it is multiplied by the first derivative once more.
                slope.0[c] = 2.0 * weight * squares.0[c] * first[c] * bend;
            }
        }
        Kind::Sparsity { weight, target: rho, means } => {
            // SAFETY: the means are only read.
            let means = unsafe { means.panel(panel, 0..1)[0] };
            for c in 0..WIDTH {
                let mean = means.0[c].clamp(1e-6, 1.0 - 1e-6);
                let (on, off) = (rho / mean, (1.0 - rho) / (1.0 - mean));
                slope.0[c] = weight * (off - on);
                part.0[c] = weight * (rho * ln::<T>(on) + (1.0 - rho) * ln::<T>(off));
            }
        }
    }
    times_derivative::<T, WIDTH>(job.activation, &mut slope.0, &y.0);
    for c in 0..width {
        delta.0[c] += slope.0[c];
    }
    part.0[..width].iter().sum()
}
