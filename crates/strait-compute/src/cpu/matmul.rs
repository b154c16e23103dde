//! Matrix products with the tail of the operation applied to each tile while it is in registers or the first cache.

use std::cell::Cell;
use std::ops::Range;

use super::block::Block;
use super::kernel::*;
use super::tile::{Left, sums};
use super::tiling::{Tiled, for_each_tile};
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
pub(super) const BLOCK: usize = 96;
/// Panels of 16 terms that are summed at once, chosen so that the part of W that they use stays in the L1 cache.
const TERMS: usize = 16;
/// Terms from which on the sums are cut into parts.
const LONG: usize = 4 * TERMS;
/// Panels for which a worker has to use a block of X so that packing it pays.
const WORTH: usize = 16;
/// Numbers of a block that may be packed.
const LARGEST: usize = 1 << 21;
/// Panels of W that take turns with one part of X, where the sums are cut.
pub(super) const GROUP: usize = 4;

thread_local! {
    /// A worker's packed block, in memory that it keeps.
    static PACKED: Cell<Option<Block>> = const { Cell::new(None) };
}

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
    let (stride, terms) = (x.stride(), w.rows);
    let visits = x.rows.div_ceil(blocking.rows).min(Share::VISITS);
    let packs = blocking.rows * terms <= LARGEST && units.each() * blocking.panels >= WORTH * visits;
    let mut packed = PACKED.take().unwrap_or_default();
    let mut which = None;
    if packs {
        packed.reserve(blocking.rows, terms);
    }
    for unit in units {
        let (block, group) = (unit / blocking.groups, unit % blocking.groups);
        let rows = block * blocking.rows..((block + 1) * blocking.rows).min(x.rows);
        if packs && which != Some(block) {
            // SAFETY: the caller's promise.
            unsafe { packed.pack::<T>(x, rows.clone(), terms) };
            which = Some(block);
        }
        let left = if packs { Left::Packed(&packed) } else { Left::Panels { lanes: all, stride } };
        let panels = group * blocking.panels..((group + 1) * blocking.panels).min(w.count());
        // SAFETY: the caller's promise.
        unsafe { group_product::<T>(left, w, rows, panels, tail) };
    }
    PACKED.set(Some(packed));
}

/// The product of some rows of X, [`BLOCK`] at most, with W: the work of one worker. X may have further columns, and be written by the
/// tail.
///
/// # Safety
/// Nobody else uses these rows of X, or writes W, meanwhile; the tail's promise for these rows.
#[inline(always)]
pub(super) unsafe fn own_product<T: Target>(x: &Panels, w: &Panels, rows: Range<usize>, tail: &impl Tail) {
    let mut packed = PACKED.take().unwrap_or_default();
    packed.reserve(rows.len(), w.rows);
    // SAFETY: the caller's promise. What is read is packed before the tail writes.
    unsafe { packed.pack::<T>(x, rows.clone(), w.rows) };
    for first in (0..w.count()).step_by(GROUP) {
        let panels = first..(first + GROUP).min(w.count());
        // SAFETY: the caller's promise.
        unsafe { group_product::<T>(Left::Packed(&packed), w, rows.clone(), panels, tail) };
    }
    PACKED.set(Some(packed));
}

/// Some panels, [`GROUP`] at most where sums are long, of the product of a block of rows with W.
///
/// # Safety
/// As [`rows_product`].
#[inline(always)]
pub(super) unsafe fn group_product<T: Target>(
    left: Left<'_>,
    w: &Panels,
    rows: Range<usize>,
    panels: Range<usize>,
    tail: &impl Tail,
) {
    let terms = w.rows;
    if terms <= LONG * WIDTH {
        for panel in panels {
            // SAFETY: the caller's promise.
            let columns = unsafe { w.panel(panel, 0..terms) };
            for_each_tile::<T>(rows.clone(), &mut Whole { left, from: 0, columns, panel, tail });
        }
        return;
    }
    let mut sums = [[Lanes::ZERO; BLOCK + 12]; GROUP];
    let parts = terms.div_ceil(WIDTH).div_ceil(TERMS);
    for part in 0..parts {
        let from = part * TERMS * WIDTH;
        let of_part = from..(from + TERMS * WIDTH).min(terms);
        for (panel, sums) in panels.clone().zip(&mut sums) {
            // SAFETY: the caller's promise.
            let columns = unsafe { w.panel(panel, of_part.clone()) };
            let whole = Whole { left, from, columns, panel, tail };
            let job = &mut Part { whole, first: rows.start, sums, last: part + 1 == parts };
            for_each_tile::<T>(rows.clone(), job);
        }
    }
}

/// A panel of the product, summed at once.
struct Whole<'a, Tail> {
    left: Left<'a>,
    /// The first of the terms.
    from: usize,
    /// These terms of the panel of W.
    columns: &'a [Lanes],
    panel: usize,
    tail: &'a Tail,
}

impl<A: Tail> Tiled for Whole<'_, A> {
    #[inline(always)]
    fn tile<T: Target, const M: usize>(&mut self, row: usize) {
        let mut tile = sums::<T, M>([Lanes::ZERO; M], self.left, row, self.from, self.columns);
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
        let Whole { left, from, columns, panel, tail } = self.whole;
        let before = &mut self.sums[row - self.first..][..M];
        let mut start = [Lanes::ZERO; M];
        start.copy_from_slice(before);
        let mut tile = sums::<T, M>(start, left, row, from, columns);
        if self.last {
            tail.apply::<T>(&mut tile, panel, row);
        } else {
            before.copy_from_slice(&tile);
        }
    }
}
