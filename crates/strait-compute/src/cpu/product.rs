//! Matrix products with the tail of the operation applied to each tile while it is in registers or the first cache.

use std::ops::Range;

use super::isa::Target;
use super::storage::{Lanes, Panels, WIDTH};
use super::workers::Share;

/// What is done with a tile of M rows x 16 columns of a product.
pub(super) trait Tail {
    /// `tile` holds the rows from `row` on of panel `panel`.
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize);

    /// Tells, before it is computed, that such a tile follows.
    #[inline(always)]
    fn announce<T: Target>(&self, _panel: usize, _row: usize) {}
}

/// Rows of X that stay in the second cache while the panels of W stream by.
const BLOCK: usize = 96;
/// Panels of 16 terms that are summed at once: so many that W's part of them stays in the first cache.
const TERMS: usize = 16;
/// Terms from which on the sums are cut into parts.
const LONG: usize = 4 * TERMS;
/// Terms that are added to sums in registers without a branch between them.
const UNROLLED: usize = 4;
/// How many terms ahead of its use a row of W is asked for, where it comes from the second cache.
const AHEAD: usize = 24;
/// Panels of W that take turns with one part of X, where the sums are cut.
const GROUP: usize = 4;

/// How the product of X and W is cut into units of work: blocks of rows by groups of panels.
struct Blocking {
    rows: usize,
    panels: usize,
    groups: usize,
}

impl Blocking {
    fn of<T: Target>(x: &Panels, w: &Panels) -> Self {
        /// Units that keep many cores busy.
        const UNITS: usize = 64;
        let panels = if x.count() > LONG { GROUP } else { 1 };
        let groups = w.count().div_ceil(panels);
        let rows = (x.rows * groups).div_ceil(UNITS).clamp(1, BLOCK);
        // As equal as whole tiles can be.
        let blocks = x.rows.div_ceil(rows);
        let rows = x.rows.div_ceil(blocks).next_multiple_of(T::ROWS);
        Self { rows, panels, groups }
    }
}

/// The units of work of [`rows_product`].
pub(super) fn units<T: Target>(x: &Panels, w: &Panels) -> usize {
    let blocking = Blocking::of::<T>(x, w);
    x.rows.div_ceil(blocking.rows) * blocking.groups
}

/// Tiles `units` of X W, where the columns of W lie in panels. Each element is summed over k in ascending order,
/// whatever the tiling, so that its bits depend neither on the instruction set nor on the number of workers.
///
/// # Safety
/// Nobody writes X or W meanwhile; the tail's promise for the tiles of these units.
#[inline(always)]
pub(super) unsafe fn rows_product<T: Target>(x: &Panels, w: &Panels, units: Share<'_>, tail: &impl Tail) {
    let blocking = Blocking::of::<T>(x, w);
    // SAFETY: the caller's promise.
    let all = unsafe { x.lanes.slice(0..x.lanes.len()) };
    for unit in units {
        let (block, group) = (unit / blocking.groups, unit % blocking.groups);
        let rows = block * blocking.rows..((block + 1) * blocking.rows).min(x.rows);
        let panels = group * blocking.panels..((group + 1) * blocking.panels).min(w.count());
        if x.count() <= LONG {
            for panel in panels {
                // SAFETY: the caller's promise.
                let columns = unsafe { w.panel(panel, 0..w.rows) };
                for_each_tile::<T>(rows.clone(), &mut Whole { x: all, stride: x.stride(), columns, panel, tail });
            }
            continue;
        }
        let mut sums = [[Lanes::ZERO; BLOCK + 12]; GROUP];
        let parts = x.count().div_ceil(TERMS);
        for part in 0..parts {
            let x_part = &all[part * TERMS * x.stride()..((part + 1) * TERMS * x.stride()).min(all.len())];
            let terms = part * TERMS * WIDTH..((part + 1) * TERMS * WIDTH).min(w.rows);
            for (panel, sums) in panels.clone().zip(&mut sums) {
                // SAFETY: the caller's promise.
                let columns = unsafe { w.panel(panel, terms.clone()) };
                let whole = Whole { x: x_part, stride: x.stride(), columns, panel, tail };
                let job = &mut Part { whole, first: rows.start, sums, last: part + 1 == parts };
                for_each_tile::<T>(rows.clone(), job);
            }
        }
    }
}

/// Something that is done with tiles of M rows.
trait Tiled {
    fn tile<T: Target, const M: usize>(&mut self, row: usize);
}

/// Cuts rows into tiles of the largest sizes that fit.
#[inline(always)]
fn for_each_tile<T: Target>(rows: Range<usize>, job: &mut impl Tiled) {
    let mut row = rows.start;
    while row < rows.end {
        let left = (rows.end - row).min(T::ROWS);
        row += match left {
            12.. => tile::<T, 12>(job, row),
            8..=11 => tile::<T, 8>(job, row),
            6..=7 => tile::<T, 6>(job, row),
            4..=5 => tile::<T, 4>(job, row),
            2..=3 => tile::<T, 2>(job, row),
            _ => tile::<T, 1>(job, row),
        };
    }
}

#[inline(always)]
fn tile<T: Target, const M: usize>(job: &mut impl Tiled, row: usize) -> usize {
    job.tile::<T, M>(row);
    M
}

/// A panel of the product, summed at once.
struct Whole<'a, Tail> {
    /// The panels of X, `stride` apart.
    x: &'a [Lanes],
    stride: usize,
    /// The panel of W.
    columns: &'a [Lanes],
    panel: usize,
    tail: &'a Tail,
}

impl<A: Tail> Tiled for Whole<'_, A> {
    #[inline(always)]
    fn tile<T: Target, const M: usize>(&mut self, row: usize) {
        let mut tile = sums::<T, M>([Lanes::ZERO; M], self.x, self.stride, row, self.columns);
        self.tail.apply::<T>(&mut tile, self.panel, row);
    }
}

/// A part of the terms of a panel of the product.
struct Part<'a, 'b, Tail> {
    whole: Whole<'a, Tail>,
    /// The row to which the first of the sums belongs.
    first: usize,
    sums: &'b mut [Lanes; BLOCK + 12],
    last: bool,
}

impl<A: Tail> Tiled for Part<'_, '_, A> {
    #[inline(always)]
    fn tile<T: Target, const M: usize>(&mut self, row: usize) {
        let Whole { x, stride, columns, panel, tail } = self.whole;
        let before = &mut self.sums[row - self.first..][..M];
        let mut start = [Lanes::ZERO; M];
        start.copy_from_slice(before);
        let mut tile = sums::<T, M>(start, x, stride, row, columns);
        if self.last {
            tail.apply::<T>(&mut tile, panel, row);
        } else {
            before.copy_from_slice(&tile);
        }
    }
}

/// The sums of a tile, added to `start`.
#[inline(always)]
fn sums<T: Target, const M: usize>(
    start: [Lanes; M],
    x: &[Lanes],
    stride: usize,
    row: usize,
    columns: &[Lanes],
) -> [Lanes; M] {
    let mut sums = [T::zero(); M];
    for r in 0..M {
        sums[r] = T::load(&start[r]);
    }
    for (x, w) in x.chunks_exact(stride).zip(columns.chunks(WIDTH)) {
        let x = &x[row..row + M];
        // The rows of the next panel lie so far away that the processor does not foresee them.
        (0..M).for_each(|r| T::prefetch(x.as_ptr().wrapping_add(stride + r)));
        let (whole, rest) = w.as_chunks::<UNROLLED>();
        for (i, w) in whole.iter().enumerate() {
            for (k, w) in w.iter().enumerate() {
                T::prefetch(std::ptr::from_ref(w).wrapping_add(AHEAD));
                sums = add_term::<T, M>(sums, x, i * UNROLLED + k, w);
            }
        }
        for (k, w) in rest.iter().enumerate() {
            sums = add_term::<T, M>(sums, x, whole.len() * UNROLLED + k, w);
        }
    }
    stored::<T, M>(&sums)
}

/// Adds the products of one term: of row `w` of W with column k of X.
#[inline(always)]
fn add_term<T: Target, const M: usize>(mut sums: [T::Sums; M], x: &[Lanes], k: usize, w: &Lanes) -> [T::Sums; M] {
    let w = T::load(w);
    for r in 0..M {
        sums[r] = T::accumulate(x[r].0[k % WIDTH], w, sums[r]);
    }
    sums
}

/// A 16 x 16 block of Xᵀ D, where `x` and `d` are the panels of X and D that hold its rows and columns. `before` is
/// called before each of the parts that the block is cut into, while the processor still works on the one before.
#[inline(always)]
pub(super) fn block_product<T: Target>(x: &[Lanes], d: &[Lanes], mut before: impl FnMut()) -> [Lanes; WIDTH] {
    let mut block = [Lanes::ZERO; WIDTH];
    if T::ROWS >= 12 {
        before();
        block = block_rows::<T, 16>(x, d, 0);
    } else {
        before();
        block[..6].copy_from_slice(&block_rows::<T, 6>(x, d, 0));
        before();
        block[6..12].copy_from_slice(&block_rows::<T, 6>(x, d, 6));
        before();
        block[12..].copy_from_slice(&block_rows::<T, 4>(x, d, 12));
    }
    block
}

/// M rows of a block of Xᵀ D, from `start` on.
#[inline(always)]
fn block_rows<T: Target, const M: usize>(x: &[Lanes], d: &[Lanes], start: usize) -> [Lanes; M] {
    let mut rows = [T::zero(); M];
    let (x, d) = (x.as_chunks::<UNROLLED>(), d.as_chunks::<UNROLLED>());
    for (x, d) in x.0.iter().zip(d.0) {
        for (x, d) in x.iter().zip(d) {
            rows = add_row::<T, M>(rows, x, start, d);
        }
    }
    for (x, d) in x.1.iter().zip(d.1) {
        rows = add_row::<T, M>(rows, x, start, d);
    }
    stored::<T, M>(&rows)
}

/// Adds the products of one row of X, of which M lanes from `start` on count, with that of D.
#[inline(always)]
fn add_row<T: Target, const M: usize>(mut rows: [T::Sums; M], x: &Lanes, start: usize, d: &Lanes) -> [T::Sums; M] {
    let d = T::load(d);
    for r in 0..M {
        rows[r] = T::accumulate(x.0[start + r], d, rows[r]);
    }
    rows
}

/// The sums in memory. A loop: `map` would be compiled apart, without the instruction set.
#[inline(always)]
fn stored<T: Target, const M: usize>(sums: &[T::Sums; M]) -> [Lanes; M] {
    let mut lanes = [Lanes::ZERO; M];
    for r in 0..M {
        lanes[r] = T::store(sums[r]);
    }
    lanes
}
