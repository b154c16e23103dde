//! Copies of tensors in 16 bits, as products of rounded operands read them.
//!
//! A product Σₖ l(m, k) r(k, n) takes 32 terms at a time, two terms side by side in each word of 32 bits:
//!
//! * its *left* operand lies in strips of 32 terms, one after the other, each with a line for every row m: the
//!   words of a line are the strip's pairs of terms;
//! * its *right* operand lies in panels of 16 columns, each with a line for every pair of terms: the words of a line are
//!   the panel's columns.
//!
//! Sixteen lines of either kind, which follow each other, are a tile of AMX, and the operands of VDPBF16PS. Rows, columns
//! and terms that do not exist are zero.

use std::sync::OnceLock;

use super::isa::row_by_row;
use super::lanes::{Lanes, WIDTH, transpose_block, transpose_four};
use super::panels::{Panels, Shared};
use crate::Result;

/// Terms of a strip.
pub(super) const STRIP: usize = 2 * WIDTH;

/// Thirty-two numbers of 16 bits, in pairs: a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u32; WIDTH]);

/// What a copy of a matrix A is in a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// A on the left: the terms are its columns.
    Left,
    /// Aᵀ on the left: the terms are its rows.
    LeftTransposed,
    /// −Aᵀ on the left.
    MinusLeftTransposed,
    /// A on the right: the terms are its rows.
    Right,
    /// Aᵀ on the right: the terms are its columns.
    RightTransposed,
}

impl Layout {
    const ALL: [Self; 5] =
        [Self::Left, Self::LeftTransposed, Self::MinusLeftTransposed, Self::Right, Self::RightTransposed];

    fn on_the_left(self) -> bool {
        matches!(self, Self::Left | Self::LeftTransposed | Self::MinusLeftTransposed)
    }

    /// Whether it is Aᵀ that is multiplied.
    pub(super) fn transposed(self) -> bool {
        matches!(self, Self::LeftTransposed | Self::MinusLeftTransposed | Self::RightTransposed)
    }

    /// Whether the terms are rows of A. Products over the rows of a minibatch leave out those that are not in use.
    pub(super) fn sums_rows(self) -> bool {
        matches!(self, Self::LeftTransposed | Self::MinusLeftTransposed | Self::Right)
    }
}

/// One part of a copy.
pub(super) struct Lines {
    pub(super) lines: Shared<Line>,
    /// Lines from one strip or panel to the next: an odd number, as those of [`Panels`].
    pub(super) stride: usize,
}

impl Lines {
    fn new(rows: usize, cols: usize, layout: Layout, tensor: &str) -> Result<Self> {
        let (rows, cols) = if layout.transposed() { (cols, rows) } else { (rows, cols) };
        let (count, stride) = if layout.on_the_left() {
            (cols.div_ceil(STRIP), rows.next_multiple_of(WIDTH) | 1)
        } else {
            (cols.div_ceil(WIDTH), (rows.next_multiple_of(STRIP) / 2) | 1)
        };
        Ok(Self { lines: Shared::new(Line([0; WIDTH]), count * stride, tensor)?, stride })
    }

    /// Takes a 16 x 16 block of the operand, with row `16 i` and column `16 j` first, as the words of a right operand if
    /// it is one, else as those of its transpose.
    ///
    /// # Safety
    /// Nobody else uses this block meanwhile.
    #[inline(always)]
    unsafe fn put(&self, words: &[Line; WIDTH / 2], left: bool, i: usize, j: usize) {
        if left {
            let start = j / 2 * self.stride + WIDTH * i;
            // SAFETY: the caller's promise, for this half of the lines.
            let lines = unsafe { self.lines.slice_mut(start..start + WIDTH) };
            let first = WIDTH / 2 * (j % 2);
            for r in (0..WIDTH).step_by(4) {
                for p in (0..WIDTH / 2).step_by(4) {
                    row_by_row();
                    let four = std::array::from_fn(|k| std::array::from_fn(|l| f32::from_bits(words[p + k].0[r + l])));
                    for (k, row) in transpose_four(four).iter().enumerate() {
                        lines[r + k].0[first + p..first + p + 4].copy_from_slice(&row.map(f32::to_bits));
                    }
                }
            }
        } else {
            let start = j * self.stride + WIDTH / 2 * i;
            // SAFETY: the caller's promise.
            unsafe { self.lines.slice_mut(start..start + WIDTH / 2) }.copy_from_slice(words);
        }
    }
}

/// A copy in 16 bits: the rounded values, and what rounding took from them where that is kept too.
pub(super) struct Bf16Copy {
    pub(super) high: Lines,
    low: OnceLock<Lines>,
}

impl Bf16Copy {
    fn new(panels: &Panels, layout: Layout, tensor: &str) -> Result<Self> {
        Ok(Self { high: Lines::new(panels.rows, panels.cols, layout, tensor)?, low: OnceLock::new() })
    }

    /// What rounding took from the values.
    pub(super) fn low(&self) -> &Lines {
        self.low.get().unwrap_or_else(|| unreachable!("the plan has made this part"))
    }
}

/// The copies of a tensor that are in use.
#[derive(Default)]
pub(super) struct Copies {
    copies: [OnceLock<Bf16Copy>; Layout::ALL.len()],
}

impl Copies {
    /// Whether there are any.
    #[inline(always)]
    pub(super) fn exist(&self) -> bool {
        self.copies.iter().any(|copy| copy.get().is_some())
    }

    /// The copy in this layout.
    pub(super) fn get(&self, layout: Layout) -> &Bf16Copy {
        self.copies[layout as usize].get().unwrap_or_else(|| unreachable!("the plan has made this copy"))
    }

    /// Makes room for the copy in this layout, and for its low part.
    pub(super) fn make(&self, panels: &Panels, layout: Layout, low: bool, tensor: &str) -> Result<()> {
        let place = &self.copies[layout as usize];
        if place.get().is_none() {
            // Should another thread be quicker, its copy stays.
            let _ = place.set(Bf16Copy::new(panels, layout, tensor)?);
        }
        let part = &self.get(layout).low;
        if low && part.get().is_none() {
            let _ = part.set(Lines::new(panels.rows, panels.cols, layout, tensor)?);
        }
        Ok(())
    }

    /// Takes the block of the matrix with row `16 i` and column `16 j` first into all copies.
    ///
    /// # Safety
    /// Nobody writes this block of the matrix, or uses it in the copies, meanwhile.
    #[inline(always)]
    pub(super) unsafe fn renew(&self, panels: &Panels, i: usize, j: usize) {
        for layout in Layout::ALL {
            if self.copies[layout as usize].get().is_some() {
                // SAFETY: the caller's promise.
                unsafe { self.pack(panels, layout, panels.rows, i, j) };
            }
        }
    }

    /// Takes a block of the matrix into one copy, with zeros for rows from `active` on.
    ///
    /// # Safety
    /// As [`Copies::renew`].
    #[inline(always)]
    pub(super) unsafe fn pack(&self, panels: &Panels, layout: Layout, active: usize, i: usize, j: usize) {
        let copy = self.get(layout);
        let rows = WIDTH * i..(WIDTH * (i + 1)).min(active);
        let mut block = [Lanes::ZERO; WIDTH];
        if !rows.is_empty() {
            // SAFETY: the caller's promise.
            block[..rows.len()].copy_from_slice(unsafe { panels.panel(j, rows) });
        }
        // Pairs are made of neighbouring rows, which are whole vectors, and turned afterwards where that is wanted.
        if !layout.sums_rows() {
            let mut turned = [Lanes::ZERO; WIDTH];
            transpose_block(&block, &mut turned);
            block = turned;
        }
        let (i, j) = if layout.transposed() { (j, i) } else { (i, j) };
        let signs = if layout == Layout::MinusLeftTransposed { 0x8000_8000 } else { 0 };
        // SAFETY: the caller's promise.
        unsafe { copy.high.put(&paired(&block, signs), layout.on_the_left(), i, j) };
        if let Some(low) = copy.low.get() {
            for row in &mut block {
                row_by_row();
                let mut rest = *row;
                for c in 0..WIDTH {
                    rest.0[c] -= f32::from_bits(rounded(rest.0[c]));
                }
                *row = rest;
            }
            // SAFETY: the caller's promise.
            unsafe { low.put(&paired(&block, signs), layout.on_the_left(), i, j) };
        }
    }
}

/// Pairs of neighbouring rows, rounded, with these signs flipped.
#[inline(always)]
fn paired(block: &[Lanes; WIDTH], signs: u32) -> [Line; WIDTH / 2] {
    let mut lines = [Line([0; WIDTH]); WIDTH / 2];
    for (line, rows) in lines.iter_mut().zip(block.chunks_exact(2)) {
        let (first, second) = (rows[0], rows[1]);
        let mut words = [0; WIDTH];
        for c in 0..WIDTH {
            words[c] = (rounded(first.0[c]) >> 16 | rounded(second.0[c])) ^ signs;
        }
        line.0 = words;
    }
    lines
}

/// The bits of x rounded to bf16, nearest and ties to even, as those of an f32.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    // A NaN must neither become infinite nor lose its last bit.
    (if x.is_nan() { bits | 0x0040_0000 } else { nearest }) & 0xffff_0000
}

#[cfg(test)]
mod tests {
    use super::rounded;

    /// All upper halves, with lower halves at and around the tie.
    #[test]
    fn rounding_is_that_of_the_crate_half() {
        for high in 0..=u16::MAX {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let x = f32::from_bits(u32::from(high) << 16 | low);
                let (found, expected) = (f32::from_bits(rounded(x)), half::bf16::from_f32(x).to_f32());
                assert_eq!(found.is_nan(), expected.is_nan(), "{x:e}");
                assert!(found.is_nan() || found.to_bits() == expected.to_bits(), "{x:e}: {found:e}, not {expected:e}");
            }
        }
    }
}
