//! The largest numbers of rows, of a matrix that is there or of a layer while it is computed.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::bf16_product::Bf16Product;
use super::block::Block;
use super::candidates::Candidates;
use super::kernel::*;
use super::matmul::{BLOCK, GROUP, Tail, group_product};
use super::multiplier::Multiplier;
use super::tile::Left;

/// Rows that a worker takes at once: a multiple of the rows of every kernel's blocks. Each time all weights pass by.
const ROWS: usize = 5 * BLOCK;
/// Panels of weights that stay in the second cache while the blocks of these rows take turns.
const PANELS: usize = 2 * GROUP;

/// Where the entries go; see [`SparseRows`](crate::SparseRows).
#[derive(Clone, Copy)]
pub(super) struct Entries<'a> {
    pub(super) values: &'a Panels,
    pub(super) columns: &'a Panels,
}

thread_local! {
    /// What a worker keeps, in memory that it keeps.
    static CANDIDATES: Cell<Option<Candidates>> = const { Cell::new(None) };
    static PACKED: Cell<Option<Vec<Block>>> = const { Cell::new(None) };
}

compile_for_each_isa!(run = kernel(input: &Panels, out: Entries<'_>, share: Taking<'_>));
compile_for_each_isa!(
    run_layer = of_layer(input: &Panels, weight: &Panels, bias: &Panels, out: Entries<'_>, share: Taking<'_>)
);
compile_for_each_multiplier!(
    run_layer_bf16 = of_layer_bf16(product: &Bf16Product<'_>, bias: &Panels, out: Entries<'_>, share: Taking<'_>)
);

#[inline(always)]
fn kernel<T: Target>(input: &Panels, out: Entries<'_>, share: Taking<'_>) {
    make_room(1, out.values.cols);
    let mut candidates = CANDIDATES.take().unwrap_or_default();
    for row in share.of(input.rows) {
        candidates.begin(row, 1, out.values.cols);
        for panel in 0..input.count() {
            // SAFETY: the input is only read.
            candidates.look::<T>(row, panel, input.width(panel), unsafe { &input.panel(panel, row..row + 1)[0] });
        }
        // SAFETY: this row of the results is this worker's.
        unsafe { candidates.put(row, out.values, out.columns) };
    }
    CANDIDATES.set(Some(candidates));
}

/// Rows of a unit of work, and how many units there are. They change no bit.
fn units(rows: usize, workers: usize) -> (usize, usize) {
    let each = rows.div_ceil(2 * workers).next_multiple_of(BLOCK).min(ROWS);
    (each, rows.div_ceil(each))
}

/// Allocates the candidates of `rows` rows before work is shared out, so that a worker that gets its first rows in a later step does not allocate then.
fn make_room(rows: usize, k: usize) {
    let mut candidates = CANDIDATES.take().unwrap_or_default();
    candidates.begin(0, rows, k);
    CANDIDATES.set(Some(candidates));
}

/// The largest outputs of rectified units.
#[inline(always)]
fn of_layer<T: Target>(input: &Panels, weight: &Panels, bias: &Panels, out: Entries<'_>, share: Taking<'_>) {
    let (each, units) = units(input.rows, share.worker.count());
    make_room(each, out.values.cols);
    let mut packed = PACKED.take().unwrap_or_default();
    packed.resize_with(packed.len().max(ROWS / BLOCK), Block::default);
    packed[..each.div_ceil(BLOCK)].iter_mut().for_each(|block| block.reserve(BLOCK, weight.rows));
    for unit in share.of(units) {
        let rows = unit * each..((unit + 1) * each).min(input.rows);
        let tail = LargestTail::begin(rows.clone(), bias, out);
        let blocks = rows.clone().step_by(BLOCK).map(|first| first..(first + BLOCK).min(rows.end));
        for (block, rows) in packed.iter_mut().zip(blocks.clone()) {
            // SAFETY: the input is only read.
            unsafe { block.pack::<T>(input, rows, weight.rows) };
        }
        for first in (0..weight.count()).step_by(PANELS) {
            for (block, rows) in packed.iter().zip(blocks.clone()) {
                for first in (first..(first + PANELS).min(weight.count())).step_by(GROUP) {
                    let panels = first..(first + GROUP).min(weight.count());
                    // SAFETY: an operation does not write its operands.
                    unsafe { group_product::<T>(Left::Packed(block), weight, rows.clone(), panels, &tail) };
                }
            }
        }
        // SAFETY: these rows of the results are this worker's.
        unsafe { tail.end(rows) };
    }
    PACKED.set(Some(packed));
}

/// The same with operands of 16 bits.
#[inline(always)]
fn of_layer_bf16<T: Target, M: Multiplier>(
    product: &Bf16Product<'_>,
    bias: &Panels,
    out: Entries<'_>,
    share: Taking<'_>,
) {
    let all = out.values.rows;
    let (each, units) = units(all, share.worker.count());
    make_room(each, out.values.cols);
    for unit in share.of(units) {
        let rows = unit * each..((unit + 1) * each).min(all);
        let tail = LargestTail::begin(rows.clone(), bias, out);
        // SAFETY: an operation does not write its operands; these rows of the results are this worker's.
        unsafe {
            product.rows_with_tail::<T, M>(rows.clone(), &tail);
            tail.end(rows);
        }
    }
}

/// Keeps the largest of X W + b of the rows that a worker has taken.
struct LargestTail<'a> {
    bias: &'a Panels,
    out: Entries<'a>,
    candidates: RefCell<Candidates>,
}

impl<'a> LargestTail<'a> {
    #[inline(always)]
    fn begin(rows: Range<usize>, bias: &'a Panels, out: Entries<'a>) -> Self {
        let mut candidates = CANDIDATES.take().unwrap_or_default();
        candidates.begin(rows.start, rows.len(), out.values.cols);
        Self { bias, out, candidates: RefCell::new(candidates) }
    }

    /// Writes the entries.
    ///
    /// # Safety
    /// These rows of the results are this worker's.
    #[inline(always)]
    unsafe fn end(self, rows: Range<usize>) {
        let mut candidates = self.candidates.into_inner();
        for row in rows {
            // SAFETY: the caller's promise.
            unsafe { candidates.put(row, self.out.values, self.out.columns) };
        }
        CANDIDATES.set(Some(candidates));
    }
}

impl Tail for LargestTail<'_> {
    #[inline(always)]
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize) {
        // SAFETY: the bias is only read.
        let bias = unsafe { self.bias.panel(panel, 0..1)[0] };
        let width = self.bias.width(panel);
        let mut candidates = self.candidates.borrow_mut();
        for (r, lanes) in tile.iter_mut().enumerate() {
            row_by_row();
            for c in 0..WIDTH {
                lanes.0[c] += bias.0[c];
            }
            candidates.look::<T>(row + r, panel, width, lanes);
        }
    }
}
