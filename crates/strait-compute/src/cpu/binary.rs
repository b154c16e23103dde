//! Products of matrices that hold nothing but zeros and ones, as states of binary units do.
//!
//! X W is then a sum of rows of W, and four neighbouring rows have only sixteen different sums. A panel of W makes tables of
//! these, and each row of X looks its terms up, four by four: one addition instead of four multiply-adds (the method of
//! the four Russians). Sums go over the terms in ascending order, four by four, whatever the tiling.

use std::sync::atomic::{AtomicBool, Ordering};

use super::kernel::*;
use super::lanes::ALL_LANES;
use super::matmul::Tail;
use super::tiling::{Tiled, for_each_tile};
use super::workers::Share;
use crate::Result;

/// Terms that one look-up adds.
const TOGETHER: usize = 4;
/// Look-ups for the terms of a panel of X.
const LOOKUPS: usize = WIDTH / TOGETHER;
/// Panels of X whose tables exist at once: they fill half the first cache.
const PART: usize = 4;
/// Rows of a block, whose sums lie in the first cache beside the tables.
const BLOCK: usize = 128;
/// Rows of X from which on the tables of W pay.
pub(super) const FEWEST: usize = 32;

/// The sums of each choice of four rows of a panel of W.
type Table = [Lanes; 1 << TOGETHER];

/// For each panel of a matrix, and each of its rows, where in their four tables its terms are found: places of 16 bits, in
/// bytes.
pub(super) struct Lookups {
    places: Shared<u64>,
}

impl Lookups {
    /// Room for those of a matrix.
    pub(super) fn new(rows: usize, cols: usize, tensor: &str) -> Result<Self> {
        Ok(Self { places: Shared::new(0, rows * cols.div_ceil(WIDTH), tensor)? })
    }

    /// Looks at panels of the matrix, and says in `others` if it holds other numbers than zero and one.
    ///
    /// # Safety
    /// Nobody writes the matrix, or uses these panels of the look-ups, meanwhile.
    #[inline(always)]
    pub(super) unsafe fn take<T: Target>(&self, x: &Panels, panels: Share<'_>, others: &AtomicBool) {
        for panel in panels {
            let all = panel * x.rows..(panel + 1) * x.rows;
            // SAFETY: the caller's promise.
            let (lanes, places) = unsafe { (x.panel(panel, 0..x.rows), self.places.slice_mut(all)) };
            for (lanes, places) in lanes.iter().zip(places) {
                if others.load(Ordering::Relaxed) {
                    return;
                }
                let ones = T::equal(lanes, 1.0);
                if ones | T::equal(lanes, 0.0) != ALL_LANES {
                    return others.store(true, Ordering::Relaxed);
                }
                let mut four = 0;
                for i in 0..LOOKUPS {
                    let sum = ones >> (TOGETHER * i) & ((1 << TOGETHER) - 1);
                    four |= (u64::from(sum) * size_of::<Lanes>() as u64) << (16 * i);
                }
                *places = four;
            }
        }
    }
}

/// The units of work of [`binary_product`].
pub(super) fn units(x: &Panels, w: &Panels) -> usize {
    blocks(x, w) * w.count()
}

/// How many blocks the rows of X are cut into: enough units to keep many cores busy.
fn blocks(x: &Panels, w: &Panels) -> usize {
    const UNITS: usize = 32;
    x.rows.div_ceil((x.rows * w.count()).div_ceil(UNITS).clamp(FEWEST, BLOCK))
}

/// Tiles `units` of X W, where the columns of W lie in panels.
///
/// # Safety
/// Nobody writes W or the look-ups of X meanwhile; the tail's promise for the tiles of these units.
#[inline(always)]
pub(super) unsafe fn binary_product<T: Target>(
    x: &Panels,
    lookups: &Lookups,
    w: &Panels,
    units: Share<'_>,
    tail: &impl Tail,
) {
    let each = x.rows.div_ceil(blocks(x, w)).next_multiple_of(T::ROWS);
    let mut tables = [[Lanes::ZERO; 1 << TOGETHER]; PART * LOOKUPS];
    let mut sums = [Lanes::ZERO; BLOCK + 12];
    for unit in units {
        let (block, panel) = (unit / w.count(), unit % w.count());
        let rows = (block * each).min(x.rows)..((block + 1) * each).min(x.rows);
        if rows.is_empty() {
            continue;
        }
        sums[..rows.len()].fill(Lanes::ZERO);
        for start in (0..x.count()).step_by(PART) {
            let of_x = start..(start + PART).min(x.count());
            let terms = start * WIDTH..(of_x.end * WIDTH).min(w.rows);
            // SAFETY: the caller's promise.
            let (columns, places) = unsafe {
                let all = of_x.start * x.rows..of_x.end * x.rows;
                (w.panel(panel, terms), lookups.places.slice(all))
            };
            fill::<T>(&mut tables, columns);
            let (first, panels, stride) = (rows.start, of_x.len(), x.rows);
            let job = &mut Adding { first, panels, places, stride, tables: &tables, sums: &mut sums };
            for_each_tile::<T>(rows.clone(), job);
        }
        tail.apply::<T>(&mut sums[..rows.len()], panel, rows.start);
    }
}

/// Makes the tables of these rows of a panel of W.
#[inline(always)]
fn fill<T: Target>(tables: &mut [Table], w: &[Lanes]) {
    for (table, w) in tables.iter_mut().zip(w.chunks(TOGETHER)) {
        for (i, row) in w.iter().enumerate() {
            let row = T::load(row);
            let (known, new) = table.split_at_mut(1 << i);
            for (known, new) in known.iter().zip(new) {
                *new = T::store(T::accumulate(1.0, T::load(known), row));
            }
        }
    }
}

/// Adds what is in the tables for some panels of X.
struct Adding<'a> {
    /// The row to which the first of the sums belongs.
    first: usize,
    panels: usize,
    /// Their look-ups, each panel's so many after those of the one before.
    places: &'a [u64],
    stride: usize,
    tables: &'a [Table; PART * LOOKUPS],
    sums: &'a mut [Lanes; BLOCK + 12],
}

impl Tiled for Adding<'_> {
    #[inline(always)]
    fn tile<T: Target, const M: usize>(&mut self, row: usize) {
        let sums = &mut self.sums[row - self.first..][..M];
        let mut new = [T::zero(); M];
        for r in 0..M {
            new[r] = T::load(&sums[r]);
        }
        for panel in 0..self.panels {
            let places = &self.places[panel * self.stride + row..][..M];
            let tables = &self.tables[panel * LOOKUPS..][..LOOKUPS];
            for i in 0..LOOKUPS {
                for r in 0..M {
                    // SAFETY: `Lookups::take` wrote the place of a sum in its table.
                    let sum = unsafe { &*tables[i].as_ptr().byte_add((places[r] >> (16 * i)) as u16 as usize) };
                    new[r] = T::accumulate(1.0, T::load(sum), new[r]);
                }
            }
        }
        for r in 0..M {
            sums[r] = T::store(new[r]);
        }
    }
}
