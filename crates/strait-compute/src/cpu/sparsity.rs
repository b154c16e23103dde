//! Sparse and contractive codes: the largest values of a row, sums over columns, and penalties on outputs.

use super::isa::{Target, compile_for_each_isa};
use super::math::{ln, times_derivative};
use super::storage::{Lanes, Panels, Shared, WIDTH};
use super::workers::Taking;
use crate::{Activation, Step};

compile_for_each_isa!(top_k = top_k_kernel(input: &Panels, k: usize, out: &Panels, share: Taking<'_>));
compile_for_each_isa!(
    column_means = column_means_kernel(
        input: &Panels, times: Option<&Panels>, out: &Panels, step: &Step, share: Taking<'_>
    )
);
compile_for_each_isa!(
    contraction = contraction_kernel(
        layer: (&Panels, &Panels, Activation), penalty: f32, squares: &Panels, costs: &Panels, step: &Step,
        share: Taking<'_>
    )
);
compile_for_each_isa!(penalty = penalty_kernel(job: &Penalty<'_>, step: &Step, share: Taking<'_>));

/// Numbers that are ordered as the values are.
#[inline(always)]
fn key(value: f32) -> u32 {
    // Both zeros are equal.
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The key of the k-th largest value is found bit by bit, with a count for each.
#[inline(always)]
fn top_k_kernel<T: Target>(input: &Panels, k: usize, out: &Panels, share: Taking<'_>) {
    for r in share.of(out.rows) {
        // SAFETY: the input is only read.
        let row = |panel: usize| unsafe { &input.panel(panel, r..r + 1)[0].0[..input.width(panel)] };
        let count = |least: u32| {
            let in_panel = |panel: usize| row(panel).iter().map(|&x| u32::from(key(x) >= least)).sum::<u32>();
            (0..input.count()).map(in_panel).sum::<u32>() as usize
        };
        let threshold = (0..32)
            .rev()
            .map(|bit| 1u32 << bit)
            .fold(0, |threshold, bit| if count(threshold | bit) >= k { threshold | bit } else { threshold });
        let above = threshold.checked_add(1).map_or(0, count);
        let mut equal = k - above;
        for panel in 0..out.count() {
            let mut lanes = Lanes::ZERO;
            for (lane, &x) in lanes.0.iter_mut().zip(row(panel)) {
                let kept = key(x) > threshold || key(x) == threshold && equal > 0;
                equal -= usize::from(kept && key(x) == threshold);
                *lane = if kept { x } else { 0.0 };
            }
            // SAFETY: this row is this worker's.
            unsafe { out.panel_mut(panel, r..r + 1)[0] = lanes };
        }
    }
}

#[inline(always)]
fn column_means_kernel<T: Target>(
    input: &Panels,
    times: Option<&Panels>,
    out: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
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
        sums.0.iter_mut().for_each(|sum| *sum /= step.rows as f32);
        // SAFETY: this panel is this worker's.
        unsafe { out.panel_mut(panel, 0..1)[0] = sums };
    }
}

/// See [`Op::Contraction`](crate::Op::Contraction).
#[inline(always)]
fn contraction_kernel<T: Target>(
    (weight, output, activation): (&Panels, &Panels, Activation),
    penalty: f32,
    squares: &Panels,
    costs: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    let factor = 2.0 * penalty / step.rows as f32;
    for panel in share.of(weight.count()) {
        let (mut square, mut cost) = (Lanes::ZERO, Lanes::ZERO);
        // SAFETY: weights and outputs are only read.
        for w in unsafe { weight.panel(panel, 0..weight.rows) } {
            for c in 0..WIDTH {
                square.0[c] += w.0[c] * w.0[c];
            }
        }
        // SAFETY: as above.
        for y in unsafe { output.panel(panel, 0..step.rows as usize) } {
            let mut slope = [1.0; WIDTH];
            times_derivative::<T, WIDTH>(activation, &mut slope, &y.0);
            for c in 0..WIDTH {
                cost.0[c] += slope[c] * slope[c];
            }
        }
        cost.0.iter_mut().for_each(|sum| *sum *= factor);
        cost.0[costs.width(panel)..].fill(0.0);
        // SAFETY: this panel is this worker's in both.
        unsafe {
            squares.panel_mut(panel, 0..1)[0] = square;
            costs.panel_mut(panel, 0..1)[0] = cost;
        }
    }
}

/// See [`PenaltyKind`](crate::PenaltyKind).
#[derive(Clone, Copy)]
pub(super) enum Sparsity<'a> {
    L1 { weight: f32 },
    Target { weight: f32, target: f32, means: &'a Panels },
    Contractive { weight: f32, squares: &'a Panels },
}

/// See [`Op::Penalty`](crate::Op::Penalty).
pub(super) struct Penalty<'a> {
    pub(super) kind: Sparsity<'a>,
    pub(super) output: &'a Panels,
    pub(super) activation: Activation,
    pub(super) delta: &'a Panels,
    /// The numbers of this penalty in the metrics of this step: two for each row.
    pub(super) metrics: (&'a Shared<f32>, usize),
}

#[inline(always)]
fn penalty_kernel<T: Target>(job: &Penalty<'_>, step: &Step, share: Taking<'_>) {
    for r in share.of(job.output.rows) {
        let mut loss = 0.0;
        if r < step.rows as usize {
            for panel in 0..job.output.count() {
                loss += penalty_of_panel::<T>(job, r, panel);
            }
        }
        let start = job.metrics.1 + 2 * r;
        // SAFETY: the numbers of this row are this worker's.
        unsafe { job.metrics.0.slice_mut(start..start + 2).copy_from_slice(&[loss, 0.0]) };
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
        Sparsity::L1 { weight } => {
            for c in 0..WIDTH {
                slope.0[c] = if y.0[c] == 0.0 { 0.0 } else { weight.copysign(y.0[c]) };
                part.0[c] = weight * y.0[c].abs();
            }
        }
        Sparsity::Contractive { weight, squares } => {
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
        Sparsity::Target { weight, target: rho, means } => {
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
