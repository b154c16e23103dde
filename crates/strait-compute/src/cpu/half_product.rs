//! Products of operands of 16 bits, in blocks of 32 rows by two panels.

use super::halves::{Halves, STRIP};
use super::isa::Target;
use super::multiplier::{Multiplier, Place, Term, Tiles};
use super::product::Tail;
use super::storage::{Lanes, WIDTH};
use super::workers::Share;
use crate::Precision;

/// Rows of a block.
pub(super) const BLOCK: usize = 2 * WIDTH;

/// A sum of products of 16-bit operands.
pub(super) struct HalfProduct<'a> {
    terms: [Option<Term<'a>>; 6],
    /// Rows of the left operands.
    pub(super) rows: usize,
    /// Panels of the right operands.
    pub(super) panels: usize,
    /// How many numbers each element sums, for each term.
    pub(super) inner: usize,
}

impl<'a> HalfProduct<'a> {
    /// An empty sum.
    pub(super) fn new(rows: usize, panels: usize, inner: usize) -> Self {
        Self { terms: [None; 6], rows, panels, inner }
    }

    /// Adds a product. Split operands are multiplied crosswise, but for their low parts.
    pub(super) fn plus(mut self, left: &'a Halves, right: &'a Halves, precision: Precision) -> Self {
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
    pub(super) fn start(&self, unit: usize) -> (usize, usize) {
        let blocks = self.rows.div_ceil(BLOCK);
        (unit % blocks * BLOCK, unit / blocks * 2)
    }

    /// Computes blocks, and calls `done` for each of their tiles with its first row and its panel.
    ///
    /// # Safety
    /// Nobody writes the operands meanwhile.
    #[inline(always)]
    pub(super) unsafe fn blocks<T: Target, M: Multiplier>(
        &self,
        units: Share<'_>,
        mut before: impl FnMut(usize, usize),
        mut done: impl FnMut(&mut [Lanes; WIDTH], usize, usize),
    ) {
        let Some(first) = self.terms[0] else {
            return;
        };
        let count = self.terms.iter().flatten().count();
        let terms = self.terms.map(|term| term.unwrap_or(first));
        let mut sums: Tiles = [[Lanes::ZERO; WIDTH]; 4];
        M::begin();
        for unit in units {
            let (row, panel) = self.start(unit);
            let place = Place { row, panel, strips: self.inner.div_ceil(STRIP) };
            before(row, panel);
            let (high, wide) = (row + WIDTH < self.rows, panel + 1 < self.panels);
            // SAFETY: the operands have room for whole tiles and strips; the caller's promise.
            unsafe {
                match (high, wide) {
                    (true, true) => M::block::<T, 2, 2>(&terms[..count], place, &mut sums),
                    (true, false) => M::block::<T, 2, 1>(&terms[..count], place, &mut sums),
                    (false, true) => M::block::<T, 1, 2>(&terms[..count], place, &mut sums),
                    (false, false) => M::block::<T, 1, 1>(&terms[..count], place, &mut sums),
                }
            }
            for r in 0..1 + usize::from(high) {
                for p in 0..1 + usize::from(wide) {
                    done(&mut sums[2 * r + p], row + WIDTH * r, panel + p);
                }
            }
        }
        M::end();
    }

    /// Computes blocks and applies the tail of an operation to them.
    ///
    /// # Safety
    /// Nobody writes the operands meanwhile; the tail's promise for the tiles of these units.
    #[inline(always)]
    pub(super) unsafe fn with_tail<T: Target, M: Multiplier>(&self, units: Share<'_>, tail: &impl Tail) {
        let done = |tile: &mut [Lanes; WIDTH], row: usize, panel: usize| {
            tail.apply::<T>(&mut tile[..WIDTH.min(self.rows - row)], panel, row);
        };
        // SAFETY: the caller's promise.
        unsafe { self.blocks::<T, M>(units, |_, _| {}, done) }
    }
}
