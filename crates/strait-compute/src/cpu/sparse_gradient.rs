//! Gradients of weights that multiply, or give, rows of few numbers. A unit of work are the weights of sixteen columns of these rows: all that
//! belongs to them is touched once.

use std::cell::Cell;

use super::by_column::Order;
use super::kernel::*;
use super::lanes::transpose_block;
use super::update::{Destination, update};

/// See [`Op::SparseGradient`](crate::Op::SparseGradient).
pub(super) struct SparseGradient<'a> {
    pub(super) values: &'a Panels,
    pub(super) order: Order<'a>,
    pub(super) dense: &'a Panels,
    pub(super) weight: Destination<'a>,
    pub(super) bias: Option<Destination<'a>>,
    /// The derivatives with respect to the entries, and the weights, whose rows have length 1.
    pub(super) along: Option<(&'a Panels, &'a Panels)>,
}

/// An entry of a column: its row, and its number divided by the rows of the minibatch.
#[derive(Clone, Copy)]
struct Entry {
    row: usize,
    value: f32,
}

/// The entries of sixteen columns.
#[derive(Default)]
struct Listed {
    entries: Vec<Entry>,
    /// Where those of each column end.
    ends: [usize; WIDTH],
    /// For each column the mean of its entries, and of these times their derivatives.
    means: [f32; WIDTH],
    along: [f32; WIDTH],
}

thread_local! {
    /// A worker's list, in memory that it keeps.
    static LISTED: Cell<Option<Listed>> = const { Cell::new(None) };
}

compile_for_each_isa!(run = kernel(job: &SparseGradient<'_>, transposed: bool, step: &Step, share: Taking<'_>));

impl Listed {
    /// Lists the entries of these columns.
    ///
    /// # Safety
    /// Nobody writes the operands meanwhile.
    #[inline(always)]
    unsafe fn list(&mut self, job: &SparseGradient<'_>, columns: std::ops::Range<usize>, all: f32) {
        let k = job.values.cols;
        self.entries.clear();
        (self.ends, self.means, self.along) = ([0; WIDTH], [0.0; WIDTH], [0.0; WIDTH]);
        for (c, column) in columns.enumerate() {
            // SAFETY: the caller's promise.
            for place in unsafe { job.order.range(column) } {
                // SAFETY: the caller's promise.
                let entry = unsafe { job.order.entries.at(0, place) } as usize;
                let (row, j) = (entry / k, entry % k);
                // SAFETY: the caller's promise.
                let value = unsafe { job.values.at(row, j) } / all;
                self.entries.push(Entry { row, value });
                self.means[c] += value;
                if let Some((derivatives, _)) = job.along {
                    // SAFETY: the caller's promise.
                    self.along[c] += value * unsafe { derivatives.at(row, j) };
                }
            }
            self.ends[c] = self.entries.len();
        }
    }
}

#[inline(always)]
fn kernel<T: Target>(job: &SparseGradient<'_>, transposed: bool, step: &Step, share: Taking<'_>) {
    let (rows, columns) = (step.rows as usize, job.order.columns());
    let mut listed = LISTED.take().unwrap_or_default();
    // As many as there can be, so that no step allocates.
    listed.entries.reserve(job.dense.rows * job.values.cols.min(WIDTH));
    for unit in share.of(columns.div_ceil(WIDTH)) {
        let own = unit * WIDTH..((unit + 1) * WIDTH).min(columns);
        // SAFETY: operands are only read.
        unsafe { listed.list(job, own.clone(), step.all_rows()) };
        for panel in 0..job.dense.count() {
            // SAFETY: operands are only read.
            let dense = unsafe { job.dense.panel(panel, 0..rows) };
            let mut block = [Lanes::ZERO; WIDTH];
            let mut first = 0;
            for c in 0..own.len() {
                let mut sums = T::zero();
                for entry in &listed.entries[first..listed.ends[c]] {
                    sums = T::accumulate(entry.value, T::load(&dense[entry.row]), sums);
                }
                block[c] = T::store(sums);
                first = listed.ends[c];
            }
            // SAFETY: these weights are this worker's.
            unsafe {
                if transposed {
                    let mut turned = [Lanes::ZERO; WIDTH];
                    transpose_block(&block, &mut turned);
                    let height = job.dense.width(panel);
                    update::<T>(job.weight, &turned[..height], unit, panel * WIDTH, step, step.weight_cost);
                } else {
                    if let Some((_, weight)) = job.along {
                        without_length::<T>(&mut block[..own.len()], weight.panel(panel, own.clone()), &listed.along);
                    }
                    update::<T>(job.weight, &block[..own.len()], panel, own.start, step, step.weight_cost);
                }
            }
        }
        if let Some(bias) = job.bias {
            // SAFETY: this panel of the bias is this worker's.
            unsafe { update::<T>(bias, &[Lanes(listed.means)], unit, 0, step, 0.0) };
        }
    }
    LISTED.set(Some(listed));
}

/// Subtracts from the gradient of each row its weights times a number.
#[inline(always)]
fn without_length<T: Target>(block: &mut [Lanes], weight: &[Lanes], times: &[f32; WIDTH]) {
    for (c, (gradient, weight)) in block.iter_mut().zip(weight).enumerate() {
        *gradient = T::store(T::accumulate(-times[c], T::load(weight), T::load(gradient)));
    }
}
