//! A block of rows as the tiles of a product read them.

use std::ops::Range;

use super::isa::Target;
use super::lanes::{ALL_LANES, Lanes, WIDTH, transpose_four};
use super::panels::Panels;
use super::tiling::{Tiled, for_each_tile};

/// A block of rows laid down tile by tile, the numbers of a term side by side. Each is broadcast to a register, and those of
/// many lines of memory, at the same place in each, would get in each other's way.
///
/// Terms that are zero in all rows of a tile are left out: of images and documents most are. A product with zero adds
/// nothing, so that no bit of a sum depends on it, as long as the other factor is finite.
#[derive(Default)]
pub(super) struct Block {
    /// The first of the rows.
    first: usize,
    /// Terms of a row.
    terms: usize,
    /// A tile's numbers start where they would if no term were left out.
    numbers: Vec<f32>,
    /// The terms that each tile keeps, from where its first row's would start.
    kept: Vec<u32>,
    /// How many these are, where the tile's first row is.
    counts: Vec<usize>,
}

/// A tile's numbers.
pub(super) enum Tile<'a, const M: usize> {
    /// Those of all terms.
    Whole(&'a [[f32; M]]),
    /// Those of some terms, and which.
    Kept(&'a [[f32; M]], &'a [u32]),
}

impl Block {
    /// Makes room for so many rows of so many terms.
    pub(super) fn reserve(&mut self, rows: usize, terms: usize) {
        self.numbers.resize(self.numbers.len().max(rows * terms), 0.0);
        self.kept.resize(self.kept.len().max(rows * terms), 0);
        self.counts.resize(self.counts.len().max(rows), 0);
    }

    /// Packs the first columns, as many as there are terms, of these rows of a matrix.
    ///
    /// # Safety
    /// Nobody writes these rows meanwhile.
    #[inline(always)]
    pub(super) unsafe fn pack<T: Target>(&mut self, matrix: &Panels, rows: Range<usize>, terms: usize) {
        (self.first, self.terms) = (rows.start, terms);
        self.counts[..rows.len()].fill(0);
        // Panel by panel, so that memory is read line after line.
        for from in (0..terms).step_by(WIDTH) {
            // SAFETY: the caller's promise.
            let panel = unsafe { matrix.panel(from / WIDTH, rows.clone()) };
            for_each_tile::<T>(rows.clone(), &mut Packing { panel, from, block: self });
        }
    }

    /// The numbers of the terms `terms` in the tile whose first row this is.
    #[inline(always)]
    pub(super) fn tile<const M: usize>(&self, row: usize, terms: Range<usize>) -> Tile<'_, M> {
        let start = (row - self.first) * self.terms;
        let count = self.counts[row - self.first];
        let numbers = self.numbers[start..][..count * M].as_chunks::<M>().0;
        if count == self.terms {
            return Tile::Whole(&numbers[terms]);
        }
        let kept = &self.kept[start..][..count];
        if terms.len() == self.terms {
            return Tile::Kept(numbers, kept);
        }
        let place = |term: usize| kept.partition_point(|&kept| (kept as usize) < term);
        let places = place(terms.start)..place(terms.end);
        Tile::Kept(&numbers[places.clone()], &kept[places])
    }
}

/// What [`Block::pack`] does with a panel.
struct Packing<'a> {
    /// The block's rows of it.
    panel: &'a [Lanes],
    /// The first of its terms.
    from: usize,
    block: &'a mut Block,
}

impl Tiled for Packing<'_> {
    #[inline(always)]
    fn tile<T: Target, const M: usize>(&mut self, row: usize) {
        let x = &self.panel[row - self.block.first..][..M];
        let width = WIDTH.min(self.block.terms - self.from);
        let block = &mut *self.block;
        let mut nonzero = 0;
        for x in x {
            nonzero |= T::nonzero(x);
            if nonzero == ALL_LANES {
                break;
            }
        }
        // Lanes behind the last column may hold what is no number.
        nonzero &= (1 << width) - 1;
        if nonzero == 0 {
            return;
        }
        let first = row - block.first;
        let start = first * block.terms;
        let count = block.counts[first];
        let numbers = &mut block.numbers[start..][..block.terms * M].as_chunks_mut::<M>().0[count..];
        let kept = &mut block.kept[start..][..block.terms][count..];
        if let (ALL_LANES, Some(numbers)) = (nonzero, numbers.first_chunk_mut()) {
            turn::<M>(x, numbers);
            for (lane, kept) in kept[..WIDTH].iter_mut().enumerate() {
                *kept = (self.from + lane) as u32;
            }
        } else {
            let mut columns = [[0.0; M]; WIDTH];
            turn::<M>(x, &mut columns);
            let mut left = nonzero;
            for (numbers, kept) in numbers.iter_mut().zip(kept) {
                if left == 0 {
                    break;
                }
                let lane = left.trailing_zeros() as usize % WIDTH;
                *numbers = columns[lane];
                *kept = (self.from + lane) as u32;
                left &= left - 1;
            }
        }
        block.counts[first] = count + nonzero.count_ones() as usize;
    }
}

/// Gives the columns of some rows.
#[inline(always)]
fn turn<const M: usize>(x: &[Lanes], columns: &mut [[f32; M]; WIDTH]) {
    for (k, columns) in columns.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        for r in (0..M).step_by(4) {
            let mut four = [[0.0; 4]; 4];
            for (four, x) in four.iter_mut().zip(&x[r..]) {
                four.copy_from_slice(&x.0[4 * k..4 * k + 4]);
            }
            let turned = transpose_four(four);
            for (column, turned) in columns.iter_mut().zip(&turned) {
                for (number, turned) in column[r..].iter_mut().zip(turned) {
                    *number = *turned;
                }
            }
        }
    }
}
