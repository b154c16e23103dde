//! The operations that go row by row: `gather`, `scatter`, `loss` and `row sums`.

use super::isa::{Target, compile_for_each_isa};
use super::math::{activate, exp, ln, times_derivative};
use super::storage::{Lanes, Panels, Shared, WIDTH};
use super::workers::Taking;
use crate::op::LossKind;
use crate::{Activation, Shift, Step};

/// A data set, row-major.
pub(super) enum Data<'a> {
    Bytes(&'a Shared<u8>),
    Rows(&'a Shared<f32>),
}

impl Data<'_> {
    /// Reads the values from `start` on.
    ///
    /// # Safety
    /// Nobody writes the data set meanwhile.
    #[inline(always)]
    unsafe fn read(&self, start: usize, to: &mut [f32]) {
        let range = start..start + to.len();
        match self {
            Self::Bytes(data) => {
                // SAFETY: the caller's promise.
                for (x, &byte) in to.iter_mut().zip(unsafe { data.slice(range) }) {
                    *x = f32::from(byte) / 255.0;
                }
            }
            // SAFETY: the caller's promise.
            Self::Rows(data) => to.copy_from_slice(unsafe { data.slice(range) }),
        }
    }
}

/// Which of a data set's columns are taken: those from `first` on.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) first: usize,
    /// Columns of the data set.
    pub(super) of: usize,
}

/// out\[r] = data\[index\[offset + r]], shifted where that is wanted; rows behind the active ones become 0.
pub(super) fn gather(
    data: &Data<'_>,
    index: Option<&Shared<u32>>,
    columns: Columns,
    shift: Option<Shift>,
    out: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    for r in share.of(out.rows) {
        let position = step.offset as usize + r;
        let row = (r < step.rows as usize).then(|| {
            // SAFETY: the index is only read.
            index.map_or(position, |index| unsafe { index.slice(position..position + 1)[0] as usize })
        });
        let shift = shift.map(|shift| (shift, shift.of(step, r)));
        for panel in 0..out.count() {
            let mut lanes = Lanes::ZERO;
            if let Some(row) = row {
                let start = row * columns.of + columns.first;
                let lanes = &mut lanes.0[..out.width(panel)];
                match shift {
                    // SAFETY: the data set is only read.
                    None => unsafe { data.read(start + panel * WIDTH, lanes) },
                    Some((shift, by)) => {
                        for (c, x) in lanes.iter_mut().enumerate() {
                            if let Some(from) = shift.source(by, out.cols, panel * WIDTH + c) {
                                // SAFETY: the data set is only read.
                                unsafe { data.read(start + from, std::slice::from_mut(x)) };
                            }
                        }
                    }
                }
            }
            // SAFETY: this row is this worker's.
            unsafe { out.panel_mut(panel, r..r + 1)[0] = lanes };
        }
    }
}

/// data\[offset + r] = input\[r]
pub(super) fn scatter(input: &Panels, data: &Shared<f32>, step: &Step, share: Taking<'_>) {
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

/// out\[:, to + c] = input\[:, first + c]
pub(super) fn copy_columns(
    (input, first): (&Panels, usize),
    (out, to): (&Panels, usize),
    columns: usize,
    share: Taking<'_>,
) {
    for r in share.of(out.rows) {
        for c in 0..columns {
            // SAFETY: the input is only read, and this row of the result is this worker's.
            unsafe { *out.at_mut(r, to + c) = input.at(r, first + c) };
        }
    }
}

/// See [`Op::Loss`](crate::Op::Loss).
pub(super) struct Loss<'a> {
    pub(super) kind: LossKind,
    pub(super) input: &'a Panels,
    pub(super) target: &'a Panels,
    pub(super) output: Option<&'a Panels>,
    pub(super) delta: Option<&'a Panels>,
    /// The numbers of this loss in the metrics of this step: two for each row.
    pub(super) metrics: (&'a Shared<f32>, usize),
}

compile_for_each_isa!(loss = loss_kernel(job: &Loss<'_>, step: &Step, share: Taking<'_>));
compile_for_each_isa!(
    row_sums = row_sums_kernel(
        input: &Panels, columns: Option<&Panels>, metrics: (&Shared<f32>, usize), step: &Step, share: Taking<'_>
    )
);

#[inline(always)]
fn loss_kernel<T: Target>(job: &Loss<'_>, step: &Step, share: Taking<'_>) {
    for r in share.of(job.input.rows) {
        let [loss, squared] = loss_of_row::<T>(job, r, r < step.rows as usize);
        let start = job.metrics.1 + 2 * r;
        // SAFETY: the numbers of this row are this worker's.
        unsafe { job.metrics.0.slice_mut(start..start + 2).copy_from_slice(&[loss, squared]) };
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

#[inline(always)]
fn row_sums_kernel<T: Target>(
    input: &Panels,
    columns: Option<&Panels>,
    metrics: (&Shared<f32>, usize),
    step: &Step,
    share: Taking<'_>,
) {
    for r in share.of(input.rows) {
        let mut sums = Lanes::ZERO;
        for panel in 0..input.count() {
            // SAFETY: the operands are only read.
            let (x, factors) = unsafe {
                (input.panel(panel, r..r + 1)[0], columns.map_or(Lanes([1.0; WIDTH]), |c| c.panel(panel, 0..1)[0]))
            };
            for c in 0..input.width(panel) {
                sums.0[c] += x.0[c] * factors.0[c];
            }
        }
        let sum = if r < step.rows as usize { sums.0.iter().sum() } else { 0.0 };
        let start = metrics.1 + 2 * r;
        // SAFETY: the numbers of this row are this worker's.
        unsafe { metrics.0.slice_mut(start..start + 2).copy_from_slice(&[sum, 0.0]) };
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
