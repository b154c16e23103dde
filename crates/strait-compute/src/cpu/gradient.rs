//! Gradients of weights and biases: products over the rows of a minibatch, with the optimiser's update applied to each block.

use super::kernel::*;
use std::cell::{Cell, UnsafeCell};
use std::ops::Range;

use super::bf16_product::Bf16Product;
use super::matmul::Tail;
use super::multiplier::Multiplier;
use super::nonzero::NonzeroRows;
use super::tile::block_product;
use super::update::{Destination, update};

/// See [`Op::Gradient`](crate::Op::Gradient).
pub(super) struct Gradient<'a> {
    pub(super) positive: (&'a Panels, &'a Panels),
    pub(super) negative: Option<(&'a Panels, &'a Panels)>,
    pub(super) weight: Destination<'a>,
    pub(super) bias: Option<Destination<'a>>,
    pub(super) input_bias: Option<Destination<'a>>,
    pub(super) plus: Option<Plus<'a>>,
    pub(super) positions: usize,
    pub(super) scale: f32,
}

impl Gradient<'_> {
    /// The rows over which sums go.
    #[inline(always)]
    fn terms(&self, step: &Step) -> Range<usize> {
        0..step.rows as usize * self.positions
    }

    /// What a sum is multiplied with.
    #[inline(always)]
    fn factor(&self, step: &Step) -> f32 {
        self.scale / step.all_rows()
    }
}

/// See [`Addend`](crate::Addend).
#[derive(Clone, Copy)]
pub(super) enum Plus<'a> {
    /// W and a cost for each of its columns.
    Decay(&'a Panels, &'a Panels),
    Gradient(&'a Panels),
}

thread_local! {
    /// What a worker knows of the zeros in the statistics of both phases, in memory that it keeps.
    static NONZERO: Cell<Option<[NonzeroRows; 2]>> = const { Cell::new(None) };
}

compile_for_each_isa!(run = kernel(job: &Gradient<'_>, step: &Step, share: Taking<'_>));

compile_for_each_multiplier!(
    run_bf16 = kernel_bf16(job: &Gradient<'_>, product: &Bf16Product<'_>, step: &Step, share: Taking<'_>)
);

#[inline(always)]
fn kernel<T: Target>(job: &Gradient<'_>, step: &Step, share: Taking<'_>) {
    let active = job.terms(step);
    let factor = job.factor(step);
    let (x, d) = job.positive;
    let across = x.count();
    let units = share.of(across * d.count());
    let uses = units.each() / across;
    let [mut of_positive, mut of_negative] = NONZERO.take().unwrap_or_default();
    of_positive.of(x, active.len(), uses);
    if let Some((v, _)) = job.negative {
        of_negative.of(v, active.len(), uses);
    }
    for unit in units {
        let (j, i) = (unit / across, unit % across);
        // SAFETY: the statistics are only read.
        let (x_panel, d_panel) = unsafe { (x.panel(i, active.clone()), d.panel(j, active.clone())) };
        // The parameters come from memory while the products keep the processor busy, a few lines at a time.
        let mut lines = CacheLines::of(job.weight, j, i * WIDTH..i * WIDTH + x.width(i));
        let each = if job.negative.is_some() { 8 } else { 22 };
        let mut block =
            block_product::<T>(x_panel, d_panel, of_positive.rows::<T>(i, x_panel), || lines.prefetch::<T>(each));
        match job.negative {
            None => block.iter_mut().for_each(|row| *row = scaled::<T>(factor, T::load(row))),
            Some((v, h)) => {
                // SAFETY: the statistics are only read.
                let (v, h) = unsafe { (v.panel(i, active.clone()), h.panel(j, active.clone())) };
                let minus = block_product::<T>(v, h, of_negative.rows::<T>(i, v), || lines.prefetch::<T>(each));
                for (row, minus) in block.iter_mut().zip(&minus) {
                    *row = scaled::<T>(factor, T::accumulate(-1.0, T::load(row), T::load(minus)));
                }
            }
        }
        // SAFETY: this block is this worker's.
        unsafe { finish::<T>(job, &mut block[..x.width(i)], i, j, step) };
    }
    NONZERO.set(Some([of_positive, of_negative]));
}

/// The same with operands of 16 bits; `product` is Xᵀ D, or what the negative phase has more than the positive one.
#[inline(always)]
fn kernel_bf16<T: Target, M: Multiplier>(
    job: &Gradient<'_>,
    product: &Bf16Product<'_>,
    step: &Step,
    share: Taking<'_>,
) {
    // SAFETY: the statistics are only read, and each worker has its own blocks of the results.
    unsafe { product.with_tail::<T, M>(share.of(product.units()), &GradientTail { job, step }) }
}

struct GradientTail<'a> {
    job: &'a Gradient<'a>,
    step: &'a Step,
}

impl Tail for GradientTail<'_> {
    #[inline(always)]
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize) {
        let factor = self.job.factor(self.step);
        tile.iter_mut().for_each(|row| *row = scaled::<T>(factor, T::load(row)));
        // SAFETY: this block is this worker's.
        unsafe { finish::<T>(self.job, tile, row / WIDTH, panel, self.step) };
    }

    #[inline(always)]
    fn announce<T: Target>(&self, panel: usize, row: usize) {
        let rows = row..(row + WIDTH).min(self.job.positive.0.cols);
        CacheLines::of(self.job.weight, panel, rows).prefetch::<T>(4 * WIDTH);
    }
}

/// The sums times a number. Spelled out in vectors: compilers for AVX-512 would rather gather a column of a block.
#[inline(always)]
fn scaled<T: Target>(factor: f32, sums: T::Sums) -> Lanes {
    T::store(T::accumulate(factor, sums, T::zero()))
}

/// Updates block (i, j) of the weights with its gradient, and the biases that belong to its worker.
///
/// # Safety
/// The block of the weights, of their copies and of their optimiser's state is this worker's; so is panel j of the bias if
/// i = 0, and panel i of the input bias if j = 0.
#[inline(always)]
unsafe fn finish<T: Target>(job: &Gradient<'_>, block: &mut [Lanes], i: usize, j: usize, step: &Step) {
    let active = job.terms(step);
    let factor = job.factor(step);
    let (x, d) = job.positive;
    let rows = i * WIDTH..i * WIDTH + block.len();
    match job.plus {
        None => {}
        // The first part of a batch adds it for all of them.
        Some(Plus::Decay(..)) if step.first > 0 => {}
        Some(Plus::Decay(weight, costs)) => {
            // SAFETY: nobody else writes this block, and the update below comes later.
            let (weights, costs) = unsafe { (weight.panel(j, rows), costs.panel(j, 0..1)[0]) };
            for (row, weights) in block.iter_mut().zip(weights) {
                row_by_row();
                for c in 0..WIDTH {
                    row.0[c] += costs.0[c] * weights.0[c];
                }
            }
        }
        Some(Plus::Gradient(other)) => {
            // SAFETY: the other gradient is only read.
            for (row, other) in block.iter_mut().zip(unsafe { other.panel(j, rows) }) {
                row_by_row();
                for c in 0..WIDTH {
                    row.0[c] += other.0[c];
                }
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { update::<T>(job.weight, block, j, i * WIDTH, step, step.weight_cost) };
    if let Some(bias) = job.bias.filter(|_| i == 0) {
        // SAFETY: the statistics are only read.
        let panels = unsafe { (d.panel(j, active.clone()), job.negative.map(|(_, h)| h.panel(j, active.clone()))) };
        let mean = [column_means(panels.0, panels.1, factor)];
        // SAFETY: the caller's promise.
        unsafe { update::<T>(bias, &mean, j, 0, step, 0.0) };
    }
    if let Some(bias) = job.input_bias.filter(|_| j == 0) {
        // SAFETY: the statistics are only read.
        let panels = unsafe { (x.panel(i, active.clone()), job.negative.map(|(v, _)| v.panel(i, active.clone()))) };
        let mean = [column_means(panels.0, panels.1, factor)];
        // SAFETY: the caller's promise.
        unsafe { update::<T>(bias, &mean, i, 0, step, 0.0) };
    }
}

/// The lines of memory that an update of some rows of a panel touches.
struct CacheLines<'a> {
    /// The parameter or gradient, the optimiser's state, and the transposed copy.
    places: [Option<&'a [UnsafeCell<Lanes>]>; 4],
    next: usize,
}

impl<'a> CacheLines<'a> {
    #[inline(always)]
    fn of(target: Destination<'a>, panel: usize, rows: Range<usize>) -> Self {
        let (written, state) = match target {
            Destination::Store(gradient) => (gradient, [None, None]),
            Destination::Momentum(parameter, velocity) => (parameter, [Some(velocity), None]),
            Destination::Adam(parameter, first, second) => (parameter, [Some(first), Some(second)]),
        };
        let lines = |values: &'a Values| values.panels.lines(panel, rows.clone());
        let columns = panel * WIDTH..panel * WIDTH + written.panels.width(panel);
        let copy = written.transposed.get().map(|copy| copy.lines(rows.start / WIDTH, columns));
        Self { places: [Some(lines(written)), state[0].map(lines), state[1].map(lines), copy], next: 0 }
    }

    /// Asks for the next few of them.
    #[inline(always)]
    fn prefetch<T: Target>(&mut self, count: usize) {
        for line in self.next..self.next + count {
            if let Some(lanes) =
                self.places.get(line / WIDTH).copied().flatten().and_then(|lines| lines.get(line % WIDTH))
            {
                T::prefetch(lanes.get());
            }
        }
        self.next += count;
    }
}

/// The means of a panel's columns, or those of the negative phase less those of the positive one.
#[inline(always)]
fn column_means(positive: &[Lanes], negative: Option<&[Lanes]>, factor: f32) -> Lanes {
    let sum = |rows: &[Lanes]| {
        let mut sum = Lanes::ZERO;
        for row in rows {
            for c in 0..WIDTH {
                sum.0[c] += row.0[c];
            }
        }
        sum
    };
    let plus = sum(positive);
    let minus = negative.map(sum);
    let mut mean = Lanes::ZERO;
    for c in 0..WIDTH {
        mean.0[c] = factor * minus.map_or(plus.0[c], |minus| minus.0[c] - plus.0[c]);
    }
    mean
}
