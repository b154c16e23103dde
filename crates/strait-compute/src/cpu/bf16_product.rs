//! Products of operands of 16 bits, in blocks of 32 rows by two panels.

use std::ops::Range;

use super::bf16::{Bf16Copy, STRIP};
use super::isa::Target;
use super::lanes::{Lanes, WIDTH};
use super::matmul::Tail;
use super::multiplier::{Multiplier, Place, Term, Tiles};
use super::workers::Share;
use crate::Precision;

/// Rows of a block.
const BLOCK: usize = 2 * WIDTH;

/// A sum of products of 16-bit operands.
pub(super) struct Bf16Product<'a> {
    terms: [Option<Term<'a>>; 6],
    /// Rows of the left operands.
    rows: usize,
    /// Panels of the right operands.
    panels: usize,
    /// How many numbers each element sums, for each term.
    inner: usize,
}

impl<'a> Bf16Product<'a> {
    /// An empty sum.
    pub(super) fn new(rows: usize, panels: usize, inner: usize) -> Self {
        Self { terms: [None; 6], rows, panels, inner }
    }

    /// Adds a product. Split operands are multiplied crosswise, but for their low parts.
    pub(super) fn plus(mut self, left: &'a Bf16Copy, right: &'a Bf16Copy, precision: Precision) -> Self {
        let mut add = |term| {
            if let Some(place) = self.terms.iter_mut().find(|place| place.is_none()) {
                *place = Some(term);
            }
        };
        add(Term { left: &left.high, right: &right.high });
        if precision == Precision::Split {
            add(Term { left: &left.high, right: right.low() });
            add(Term { left: left.low(), right: &right.high });
        }
        self
    }

    /// Its blocks: those of the same panels follow each other.
    pub(super) fn units(&self) -> usize {
        self.rows.div_ceil(BLOCK) * self.panels.div_ceil(2)
    }

    /// The first row and the first panel of a block.
    #[inline(always)]
    fn start(&self, unit: usize) -> (usize, usize) {
        let blocks = self.rows.div_ceil(BLOCK);
        (unit % blocks * BLOCK, unit / blocks * 2)
    }

    /// Computes blocks and applies the tail of an operation to their tiles.
    ///
    /// # Safety
    /// Nobody writes the operands meanwhile; the tail's promise for the tiles of these units.
    #[inline(always)]
    pub(super) unsafe fn with_tail<T: Target, M: Multiplier>(&self, units: Share<'_>, tail: &impl Tail) {
        let Some((terms, count)) = self.listed() else {
            return;
        };
        let mut sums: Tiles = [[Lanes::ZERO; WIDTH]; 4];
        M::begin();
        for unit in units {
            let (row, panel) = self.start(unit);
            // SAFETY: the caller's promise.
            unsafe { self.block::<T, M>(&terms[..count], [row, panel], &mut sums, tail) };
        }
        M::end();
    }

    /// The same for some rows, from a multiple of [`BLOCK`] on, of all panels.
    ///
    /// # Safety
    /// Nobody writes the operands meanwhile; the tail's promise for these rows.
    #[inline(always)]
    pub(super) unsafe fn rows_with_tail<T: Target, M: Multiplier>(&self, rows: Range<usize>, tail: &impl Tail) {
        let Some((terms, count)) = self.listed() else {
            return;
        };
        let mut sums: Tiles = [[Lanes::ZERO; WIDTH]; 4];
        M::begin();
        for panel in (0..self.panels).step_by(2) {
            for row in rows.clone().step_by(BLOCK) {
                // SAFETY: the caller's promise.
                unsafe { self.block::<T, M>(&terms[..count], [row, panel], &mut sums, tail) };
            }
        }
        M::end();
    }

    /// Its terms, and how many they are, unless there are none.
    #[inline(always)]
    fn listed(&self) -> Option<([Term<'a>; 6], usize)> {
        let first = self.terms[0]?;
        Some((self.terms.map(|term| term.unwrap_or(first)), self.terms.iter().flatten().count()))
    }

    /// Computes a block and applies the tail to its tiles.
    ///
    /// # Safety
    /// Nobody writes the operands meanwhile; the multiplier has begun; the tail's promise for the tiles of this block.
    #[inline(always)]
    unsafe fn block<T: Target, M: Multiplier>(
        &self,
        terms: &[Term<'_>],
        [row, panel]: [usize; 2],
        sums: &mut Tiles,
        tail: &impl Tail,
    ) {
        let place = Place { row, panel, strips: self.inner.div_ceil(STRIP) };
        let (rows, panels) = (BLOCK.min(self.rows - row), 2.min(self.panels - panel));
        for start in (row..row + rows).step_by(WIDTH) {
            (panel..panel + panels).for_each(|panel| tail.announce::<T>(panel, start));
        }
        // SAFETY: the operands have room for whole tiles and strips; the caller's promise.
        unsafe {
            match (rows > WIDTH, panels > 1) {
                (true, true) => M::block::<T, 2, 2>(terms, place, sums),
                (true, false) => M::block::<T, 2, 1>(terms, place, sums),
                (false, true) => M::block::<T, 1, 2>(terms, place, sums),
                (false, false) => M::block::<T, 1, 1>(terms, place, sums),
            }
        }
        for start in (0..rows).step_by(WIDTH) {
            for p in 0..panels {
                let tile = &mut sums[start / WIDTH * 2 + p][..WIDTH.min(rows - start)];
                tail.apply::<T>(tile, panel + p, row + start);
            }
        }
    }
}
