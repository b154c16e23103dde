//! Matrix products with the tail of the operation applied to each tile while it is in registers or the first cache.

use super::isa::Target;
use super::storage::{Lanes, Panels, WIDTH};
use super::workers::Share;

/// What is done with a tile of M rows x 16 columns of a product.
pub(super) trait Tail {
    /// `tile` holds the rows from `row` on of panel `panel`.
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize);
}

/// Number of tiles in a panel of `rows` rows.
fn tiles<T: Target>(rows: usize) -> usize {
    rows.div_ceil(T::ROWS)
}

/// The units of work of [`rows_product`].
pub(super) fn units<T: Target>(x: &Panels, w: &Panels) -> usize {
    w.count() * tiles::<T>(x.rows)
}

/// Tiles `units` of X W, where the columns of W lie in panels. Each element is summed over k in ascending order,
/// whatever the tiling, so that its bits depend neither on the instruction set nor on the number of workers.
///
/// # Safety
/// Nobody writes X or W meanwhile; the tail's promise for the tiles of these units.
#[inline(always)]
pub(super) unsafe fn rows_product<T: Target>(x: &Panels, w: &Panels, units: Share<'_>, tail: &impl Tail) {
    let tiles = tiles::<T>(x.rows);
    // SAFETY: the caller's promise.
    let all = unsafe { x.panel(0, 0..x.rows * x.count()) };
    for unit in units {
        let (panel, tile) = (unit / tiles, unit % tiles);
        // SAFETY: the caller's promise.
        let columns = unsafe { w.panel(panel, 0..w.rows) };
        let mut row = tile * T::ROWS;
        let end = (row + T::ROWS).min(x.rows);
        while row < end {
            row += match end - row {
                12.. => rows_tile::<T, 12>(all, x.rows, row, columns, panel, tail),
                8..=11 => rows_tile::<T, 8>(all, x.rows, row, columns, panel, tail),
                6..=7 => rows_tile::<T, 6>(all, x.rows, row, columns, panel, tail),
                4..=5 => rows_tile::<T, 4>(all, x.rows, row, columns, panel, tail),
                2..=3 => rows_tile::<T, 2>(all, x.rows, row, columns, panel, tail),
                _ => rows_tile::<T, 1>(all, x.rows, row, columns, panel, tail),
            };
        }
    }
}

/// M rows of one panel of the product, with their tail; returns M.
#[inline(always)]
fn rows_tile<T: Target, const M: usize>(
    x: &[Lanes],
    rows: usize,
    row: usize,
    columns: &[Lanes],
    panel: usize,
    tail: &impl Tail,
) -> usize {
    let mut tile = sums::<T, M>(x, rows, row, columns);
    tail.apply::<T>(&mut tile, panel, row);
    M
}

/// The sums of a tile.
#[inline(always)]
fn sums<T: Target, const M: usize>(x: &[Lanes], rows: usize, row: usize, columns: &[Lanes]) -> [Lanes; M] {
    let mut sums = [T::zero(); M];
    for (x, w) in x.chunks_exact(rows).zip(columns.chunks(WIDTH)) {
        let x = &x[row..row + M];
        for (k, w) in w.iter().enumerate() {
            let w = T::load(w);
            for r in 0..M {
                sums[r] = T::accumulate(x[r].0[k % WIDTH], w, sums[r]);
            }
        }
    }
    sums.map(T::store)
}

/// A 16 x 16 block of Xᵀ D, where `x` and `d` are the panels of X and D that hold its rows and columns.
#[inline(always)]
pub(super) fn block_product<T: Target>(x: &[Lanes], d: &[Lanes]) -> [Lanes; WIDTH] {
    let mut block = [Lanes::ZERO; WIDTH];
    if T::ROWS >= 12 {
        block = block_rows::<T, 16>(x, d, 0);
    } else {
        block[..6].copy_from_slice(&block_rows::<T, 6>(x, d, 0));
        block[6..12].copy_from_slice(&block_rows::<T, 6>(x, d, 6));
        block[12..].copy_from_slice(&block_rows::<T, 4>(x, d, 12));
    }
    block
}

/// M rows of a block of Xᵀ D, from `start` on.
#[inline(always)]
fn block_rows<T: Target, const M: usize>(x: &[Lanes], d: &[Lanes], start: usize) -> [Lanes; M] {
    let mut rows = [T::zero(); M];
    for (x, d) in x.iter().zip(d) {
        let d = T::load(d);
        for r in 0..M {
            rows[r] = T::accumulate(x.0[start + r], d, rows[r]);
        }
    }
    rows.map(T::store)
}
