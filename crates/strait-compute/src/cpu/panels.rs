//! Matrices in memory that workers share.
//!
//! Tensors that operations compute with are stored as *panels*: 16 columns wide, one panel after the other, each
//! with all its rows: element (r, c) is lane `c mod 16` of [`Lanes`] number `c / 16 * stride + r`. Lanes behind the
//! last column are zero. The panels are an odd number of lanes apart, so that the same row of many panels does not fall
//! into the same set of a cache. In this one layout
//!
//! * the panel of a weight matrix that a tile of outputs needs is contiguous, and so are the 16 x 16 blocks that a
//!   gradient updates, in W and in its transposed copy alike;
//! * activations serve as either operand of a product without being packed.

use std::cell::UnsafeCell;
use std::ops::Range;

use super::lanes::{Lanes, WIDTH};
use crate::{Error, Result};

/// Memory that the workers of one operation share. They write disjoint parts of it between two barriers.
pub(super) struct Shared<T> {
    cells: Box<[UnsafeCell<T>]>,
}

// SAFETY: all access goes through `slice` and `slice_mut`, whose callers promise that no two workers touch the same
// element between two barriers unless both only read it.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T: Copy> Shared<T> {
    /// `length` copies of `value`, or an error that names the tensor.
    pub(super) fn new(value: T, length: usize, tensor: &str) -> Result<Self> {
        let mut cells = Vec::new();
        cells.try_reserve_exact(length).map_err(|_| Error::HostMemory {
            tensor: tensor.to_owned(),
            bytes: length.saturating_mul(size_of::<T>()),
        })?;
        cells.resize_with(length, || UnsafeCell::new(value));
        Ok(Self { cells: cells.into_boxed_slice() })
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Takes all values.
    ///
    /// # Safety
    /// Nobody else uses the memory meanwhile.
    pub(super) unsafe fn fill(&self, values: &[T]) {
        // SAFETY: the caller's promise.
        unsafe { self.slice_mut(0..self.len()) }.copy_from_slice(values);
    }

    /// Reads.
    ///
    /// # Safety
    /// Nobody writes these elements while the slice lives.
    #[inline(always)]
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &[T] {
        let cells = &self.cells[range];
        // SAFETY: `UnsafeCell<T>` has the layout of `T`; the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
    }

    /// Writes.
    ///
    /// # Safety
    /// Nobody else reads or writes these elements while the slice lives.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn slice_mut(&self, range: Range<usize>) -> &mut [T] {
        let cells = &self.cells[range];
        // SAFETY: `UnsafeCell::raw_get` gives a pointer that may be written; the caller keeps everybody else away.
        unsafe { std::slice::from_raw_parts_mut(UnsafeCell::raw_get(cells.as_ptr()), cells.len()) }
    }
}

/// The numbers of an operation in the metrics of a step.
#[derive(Clone, Copy)]
pub(super) struct StepMetrics<'a> {
    pub(super) numbers: &'a Shared<f32>,
    /// Where they start.
    pub(super) start: usize,
}

impl StepMetrics<'_> {
    /// Writes what the operation has for a row.
    ///
    /// # Safety
    /// As [`Shared::slice_mut`], for the row's two numbers.
    #[inline(always)]
    pub(super) unsafe fn report(&self, row: usize, loss: f32, error: f32) {
        let start = self.start + 2 * row;
        // SAFETY: the caller's promise.
        unsafe { self.numbers.slice_mut(start..start + 2).copy_from_slice(&[loss, error]) };
    }
}

/// A matrix in panels.
pub(super) struct Panels {
    pub(super) lanes: Shared<Lanes>,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

/// Rows that are read together: what they are made into stays in the cache while panel after panel is put there.
pub(super) const READ: usize = 32;

impl Panels {
    pub(super) fn new(rows: usize, cols: usize, tensor: &str) -> Result<Self> {
        Ok(Self { lanes: Shared::new(Lanes::ZERO, (rows | 1) * cols.div_ceil(WIDTH), tensor)?, rows, cols })
    }

    /// Lanes from a row of a panel to that of the next panel.
    #[inline(always)]
    pub(super) fn stride(&self) -> usize {
        self.rows | 1
    }

    /// Number of panels.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.cols.div_ceil(WIDTH)
    }

    /// Columns of the panel that exist.
    #[inline(always)]
    pub(super) fn width(&self, panel: usize) -> usize {
        WIDTH.min(self.cols - panel * WIDTH)
    }

    /// Where the rows `rows` of a panel lie.
    #[inline(always)]
    pub(super) fn range(&self, panel: usize, rows: Range<usize>) -> Range<usize> {
        panel * self.stride() + rows.start..panel * self.stride() + rows.end
    }

    /// Reads rows of a panel.
    ///
    /// # Safety
    /// As [`Shared::slice`].
    #[inline(always)]
    pub(super) unsafe fn panel(&self, panel: usize, rows: Range<usize>) -> &[Lanes] {
        // SAFETY: the caller's promise.
        unsafe { self.lanes.slice(self.range(panel, rows)) }
    }

    /// Writes rows of a panel.
    ///
    /// # Safety
    /// As [`Shared::slice_mut`].
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn panel_mut(&self, panel: usize, rows: Range<usize>) -> &mut [Lanes] {
        // SAFETY: the caller's promise.
        unsafe { self.lanes.slice_mut(self.range(panel, rows)) }
    }

    /// Reads one element.
    ///
    /// # Safety
    /// As [`Shared::slice`].
    #[inline(always)]
    pub(super) unsafe fn at(&self, row: usize, col: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { self.panel(col / WIDTH, row..row + 1)[0].0[col % WIDTH] }
    }

    /// One element, to be written.
    ///
    /// # Safety
    /// As [`Shared::slice_mut`].
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn at_mut(&self, row: usize, col: usize) -> &mut f32 {
        // SAFETY: the caller's promise.
        unsafe { &mut self.panel_mut(col / WIDTH, row..row + 1)[0].0[col % WIDTH] }
    }

    /// The memory of rows of a panel, to be asked for before it is used.
    #[inline(always)]
    pub(super) fn lines(&self, panel: usize, rows: Range<usize>) -> &[UnsafeCell<Lanes>] {
        &self.lanes.cells[self.range(panel, rows)]
    }

    /// Takes row-major values.
    ///
    /// # Safety
    /// Nobody else uses the matrix meanwhile.
    pub(super) unsafe fn write(&self, values: &[f32]) {
        for panel in 0..self.count() {
            let width = self.width(panel);
            // SAFETY: the caller's promise.
            let lanes = unsafe { self.panel_mut(panel, 0..self.rows) };
            for (lanes, row) in lanes.iter_mut().zip(values.chunks_exact(self.cols)) {
                lanes.0[..width].copy_from_slice(&row[panel * WIDTH..][..width]);
            }
        }
    }

    /// Gives row-major values.
    ///
    /// # Safety
    /// Nobody writes the matrix meanwhile.
    pub(super) unsafe fn read(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.cols];
        for (number, rows) in values.chunks_mut((READ * self.cols).max(1)).enumerate() {
            // SAFETY: the caller's promise.
            unsafe { self.read_rows(number * READ, rows) };
        }
        values
    }

    /// Gives the values of some rows, row by row.
    ///
    /// # Safety
    /// Nobody writes the matrix meanwhile.
    pub(super) unsafe fn read_rows(&self, first: usize, values: &mut [f32]) {
        let count = values.len() / self.cols;
        for panel in 0..self.count() {
            let width = self.width(panel);
            // SAFETY: the caller's promise.
            let lanes = unsafe { self.panel(panel, first..first + count) };
            if width == WIDTH {
                // A whole line at a time.
                for (lanes, row) in lanes.iter().zip(values.chunks_exact_mut(self.cols)) {
                    row[panel * WIDTH..][..WIDTH].copy_from_slice(&lanes.0);
                }
            } else {
                for (lanes, row) in lanes.iter().zip(values.chunks_exact_mut(self.cols)) {
                    row[panel * WIDTH..][..width].copy_from_slice(&lanes.0[..width]);
                }
            }
        }
    }
}
