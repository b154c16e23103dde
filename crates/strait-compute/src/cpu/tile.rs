//! Tiles of products, summed in registers.

use super::block::{Block, Tile};
use super::kernel::*;
use super::nonzero::{Rows, columns};

/// Terms that are added to sums in registers without a branch between them.
const UNROLLED: usize = 4;
/// How many terms ahead of its use a row of W is asked for, where it comes from the second cache.
const AHEAD: usize = 24;

/// A block of rows of X, as its tiles read it.
#[derive(Clone, Copy)]
pub(super) enum Left<'a> {
    /// The panels of X.
    Panels {
        lanes: &'a [Lanes],
        stride: usize,
    },
    Packed(&'a Block),
}

/// The sums of a tile, added to `start`: of the terms in `columns`, the first of which is term `from`.
#[inline(always)]
pub(super) fn sums<T: Target, const M: usize>(
    start: [Lanes; M],
    left: Left<'_>,
    row: usize,
    from: usize,
    columns: &[Lanes],
) -> [Lanes; M] {
    let mut sums = [T::zero(); M];
    for r in 0..M {
        sums[r] = T::load(&start[r]);
    }
    match left {
        Left::Packed(block) => match block.tile::<M>(row, from..from + columns.len()) {
            Tile::Whole(x) => sums = add_all::<T, _, _, M>(sums, x, columns, |x, r| x[r], |w| w),
            Tile::Kept(x, terms) => {
                sums = add_all::<T, _, _, M>(sums, x, terms, |x, r| x[r], |&term| &columns[term as usize - from]);
            }
        },
        Left::Panels { lanes, stride } => {
            let panels = lanes[from / WIDTH * stride..].chunks_exact(stride);
            for (x, w) in panels.zip(columns.chunks(WIDTH)) {
                let x = &x[row..row + M];
                // The rows of the next panel lie so far away that the processor does not foresee them.
                (0..M).for_each(|r| T::prefetch(x.as_ptr().wrapping_add(stride + r)));
                let (whole, rest) = w.as_chunks::<UNROLLED>();
                for (i, w) in whole.iter().enumerate() {
                    for (k, w) in w.iter().enumerate() {
                        T::prefetch(std::ptr::from_ref(w).wrapping_add(AHEAD));
                        sums = add::<T, M>(sums, w, |r| x[r].0[(i * UNROLLED + k) % WIDTH]);
                    }
                }
                for (k, w) in rest.iter().enumerate() {
                    sums = add::<T, M>(sums, w, |r| x[r].0[(whole.len() * UNROLLED + k) % WIDTH]);
                }
            }
        }
    }
    stored::<T, M>(&sums)
}

/// Adds the products of a row with M numbers, one for each of the sums.
#[inline(always)]
fn add<T: Target, const M: usize>(mut sums: [T::Sums; M], w: &Lanes, x: impl Fn(usize) -> f32) -> [T::Sums; M] {
    let w = T::load(w);
    for r in 0..M {
        sums[r] = T::accumulate(x(r), w, sums[r]);
    }
    sums
}

/// Adds the products of pairs, of which `number` takes M numbers from one and `row` a row from the other.
#[inline(always)]
fn add_all<'a, T: Target, X, W, const M: usize>(
    mut sums: [T::Sums; M],
    x: &[X],
    w: &'a [W],
    number: impl Fn(&X, usize) -> f32,
    row: impl Fn(&'a W) -> &'a Lanes,
) -> [T::Sums; M] {
    let (x, rest_of_x) = if T::UNROLLS { x.as_chunks::<UNROLLED>() } else { (&[][..], x) };
    let (w, rest_of_w) = if T::UNROLLS { w.as_chunks::<UNROLLED>() } else { (&[][..], w) };
    for (x, w) in x.iter().zip(w) {
        for (x, w) in x.iter().zip(w) {
            sums = add::<T, M>(sums, row(w), |r| number(x, r));
        }
    }
    for (x, w) in rest_of_x.iter().zip(rest_of_w) {
        sums = add::<T, M>(sums, row(w), |r| number(x, r));
    }
    sums
}

/// A 16 x 16 block of Xᵀ D, where `x` and `d` are the panels of X and D that hold its rows and columns, and `nonzero` the
/// rows of X that count, if that is not all of them. `before` is called before each of the parts that the block is cut into,
/// while the processor still works on the one before.
#[inline(always)]
pub(super) fn block_product<T: Target>(
    x: &[Lanes],
    d: &[Lanes],
    nonzero: Option<Rows<'_>>,
    mut before: impl FnMut(),
) -> [Lanes; WIDTH] {
    let mut block = [Lanes::ZERO; WIDTH];
    if T::ROWS >= 12 {
        before();
        if nonzero.is_none() {
            return block_rows::<T, WIDTH>(x, d, 0, None);
        }
        group::<T, 8>(x, d, nonzero, 0, &mut block);
        before();
        group::<T, 8>(x, d, nonzero, 1, &mut block);
    } else {
        // Spelled out: a loop, whose parts differ in size, costs 4 % of a step.
        before();
        group::<T, 6>(x, d, nonzero, 0, &mut block);
        before();
        group::<T, 6>(x, d, nonzero, 1, &mut block);
        before();
        group::<T, 4>(x, d, nonzero, 2, &mut block);
    }
    block
}

/// The rows of a block that belong to a group of M columns of X.
#[inline(always)]
fn group<T: Target, const M: usize>(
    x: &[Lanes],
    d: &[Lanes],
    nonzero: Option<Rows<'_>>,
    group: usize,
    block: &mut [Lanes; WIDTH],
) {
    let columns = columns::<T>(group);
    let some = nonzero.map(|rows| rows[group]);
    block[columns.clone()].copy_from_slice(&block_rows::<T, M>(x, d, columns.start, some));
}

/// M rows of a block of Xᵀ D, from `start` on, summed over all terms or some.
#[inline(always)]
fn block_rows<T: Target, const M: usize>(x: &[Lanes], d: &[Lanes], start: usize, some: Option<&[u32]>) -> [Lanes; M] {
    let sums = [T::zero(); M];
    let sums = match some {
        None => add_all::<T, _, _, M>(sums, x, d, |x, r| x.0[start + r], |d| d),
        Some(terms) => {
            let number = |&term: &u32, r: usize| x[term as usize].0[start + r];
            add_all::<T, _, _, M>(sums, terms, terms, number, |&term| &d[term as usize])
        }
    };
    stored::<T, M>(&sums)
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
