//! Losses, row by row.

use super::kernel::*;
use super::math::{activate, exp, ln, times_derivative};
use crate::Activation;
use crate::op::LossKind;

/// See [`Op::Loss`](crate::Op::Loss).
pub(super) struct Loss<'a> {
    pub(super) kind: LossKind,
    pub(super) input: &'a Panels,
    pub(super) target: &'a Panels,
    pub(super) output: Option<&'a Panels>,
    pub(super) delta: Option<&'a Panels>,
    /// The numbers of this loss in the metrics of this step: two for each row.
    pub(super) metrics: StepMetrics<'a>,
}

compile_for_each_isa!(run = kernel(job: &Loss<'_>, step: &Step, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &Loss<'_>, step: &Step, share: Taking<'_>) {
    for r in share.of(job.input.rows) {
        let [loss, squared] = loss_of_row::<T>(job, r, r < step.rows as usize);
        // SAFETY: the numbers of this row are this worker's.
        unsafe { job.metrics.report(r, loss, squared) };
    }
}

/// The loss and the squared error of one row, whose results it writes.
#[inline(always)]
fn loss_of_row<T: Target>(job: &Loss<'_>, r: usize, active: bool) -> [f32; 2] {
    let normaliser = if job.kind == LossKind::SoftmaxCrossEntropy { log_sum_exp::<T>(job.input, r) } else { 0.0 };
    let mass = if job.kind == LossKind::SoftmaxCrossEntropy { row_sum(job.target, r) } else { 1.0 };
    let (mut loss, mut squared) = (Lanes::ZERO, Lanes::ZERO);
    for panel in 0..job.input.count() {
        let width = job.input.width(panel);
        // SAFETY: the operands are only read.
        let (z, t) = unsafe { (job.input.panel(panel, r..r + 1)[0], job.target.panel(panel, r..r + 1)[0]) };
        let (mut p, mut delta, mut part) = (z, Lanes::ZERO, Lanes::ZERO);
        match job.kind {
            LossKind::SquaredError { activation } => {
                for c in 0..WIDTH {
                    delta.0[c] = 2.0 * (z.0[c] - t.0[c]);
                    part.0[c] = (z.0[c] - t.0[c]) * (z.0[c] - t.0[c]);
                }
                times_derivative::<T, WIDTH>(activation, &mut delta.0, &z.0);
            }
            LossKind::CrossEntropy => {
                part = z;
                activate::<T, WIDTH>(Activation::Softplus, &mut part.0);
                activate::<T, WIDTH>(Activation::Logistic, &mut p.0);
                for c in 0..WIDTH {
                    part.0[c] -= t.0[c] * z.0[c];
                    delta.0[c] = p.0[c] - t.0[c];
                }
            }
            LossKind::SoftmaxCrossEntropy => {
                for c in 0..WIDTH {
                    p.0[c] = exp::<T>(z.0[c] - normaliser);
                    part.0[c] = t.0[c] * (normaliser - z.0[c]);
                    delta.0[c] = p.0[c] * mass - t.0[c];
                }
            }
        }
        for lanes in [&mut p, &mut delta, &mut part] {
            lanes.0[width..].fill(0.0);
        }
        for c in 0..WIDTH {
            loss.0[c] += part.0[c];
            squared.0[c] += (p.0[c] - t.0[c]) * (p.0[c] - t.0[c]);
        }
        if let Some(output) = job.output {
            // SAFETY: this row is this worker's.
            unsafe { output.panel_mut(panel, r..r + 1)[0] = p };
        }
        if let Some(out) = job.delta {
            // SAFETY: this row is this worker's.
            unsafe { out.panel_mut(panel, r..r + 1)[0] = if active { delta } else { Lanes::ZERO } };
        }
    }
    match job.kind {
        _ if !active => [0.0; 2],
        LossKind::SoftmaxCrossEntropy => {
            let mistaken = largest(job.input, r) != largest(job.target, r);
            [loss.0.iter().sum(), f32::from(u8::from(mistaken))]
        }
        _ => [loss.0.iter().sum(), squared.0.iter().sum()],
    }
}

/// ln Σ eᶻ over a row.
#[inline(always)]
fn log_sum_exp<T: Target>(z: &Panels, r: usize) -> f32 {
    // SAFETY: the matrix is only read.
    let row = |panel: usize| unsafe { &z.panel(panel, r..r + 1)[0].0[..z.width(panel)] };
    let panels = || (0..z.count()).map(row);
    let top = panels().flatten().fold(f32::NEG_INFINITY, |top, &z| if z < top { top } else { z });
    let sum: f32 = panels().map(|z| z.iter().map(|z| exp::<T>(z - top)).sum::<f32>()).sum();
    top + ln::<T>(sum)
}

/// Where the largest value of a row is, the first of equal ones.
#[inline(always)]
fn largest(matrix: &Panels, r: usize) -> usize {
    let mut best = (f32::NEG_INFINITY, 0);
    for panel in 0..matrix.count() {
        // SAFETY: the matrix is only read.
        let row = unsafe { &matrix.panel(panel, r..r + 1)[0].0[..matrix.width(panel)] };
        for (c, &x) in row.iter().enumerate() {
            if x > best.0 {
                best = (x, panel * WIDTH + c);
            }
        }
    }
    best.1
}

/// Σ t over a row.
#[inline(always)]
fn row_sum(t: &Panels, r: usize) -> f32 {
    // SAFETY: the matrix is only read, and lanes behind its last column are zero.
    (0..t.count()).map(|panel| unsafe { t.panel(panel, r..r + 1)[0] }.0.iter().sum::<f32>()).sum()
}
