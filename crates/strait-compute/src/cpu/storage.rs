//! The contents of tensors, with the copies that products read.

use std::ops::Deref;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::bf16::Copies;
use super::lanes::{WIDTH, transpose_block};
use super::panels::{Panels, Shared};
use crate::Result;

/// A tensor of numbers, with the copies of it that products read.
pub(super) struct Values {
    pub(super) panels: Panels,
    /// The transposed copy. Whoever writes the tensor renews it.
    pub(super) transposed: OnceLock<Panels>,
    /// Copies in 16 bits. Whoever writes a weight renews its copies; those of other tensors are made in each step anew.
    pub(super) bf16: Copies,
}

impl Values {
    pub(super) fn new(rows: usize, cols: usize, tensor: &str) -> Result<Self> {
        let panels = Panels::new(rows, cols, tensor)?;
        Ok(Self { panels, transposed: OnceLock::new(), bf16: Copies::default() })
    }

    /// Whether there are copies that a writer has to renew.
    #[inline(always)]
    pub(super) fn has_copies(&self) -> bool {
        self.transposed.get().is_some() || self.bf16.exist()
    }

    /// Blocks of 16 rows.
    pub(super) fn blocks(&self) -> usize {
        self.panels.rows.div_ceil(WIDTH)
    }

    /// Brings what the copies hold of one panel's rows `16 i` to `16 i + 15` up to date.
    ///
    /// # Safety
    /// Nobody writes this block of the matrix, and nobody else uses it in the copies, meanwhile.
    #[inline(always)]
    pub(super) unsafe fn renew(&self, i: usize, panel: usize) {
        if let Some(copy) = self.transposed.get() {
            let rows = i * WIDTH..((i + 1) * WIDTH).min(self.panels.rows);
            let columns = panel * WIDTH..panel * WIDTH + self.panels.width(panel);
            // SAFETY: the caller's promise.
            let (block, out) = unsafe { (self.panels.panel(panel, rows), copy.panel_mut(i, columns)) };
            transpose_block(block, out);
        }
        // SAFETY: the caller's promise.
        unsafe { self.bf16.renew(&self.panels, i, panel) };
    }

    /// Brings all copies up to date.
    ///
    /// # Safety
    /// Nobody else uses the tensor meanwhile.
    pub(super) unsafe fn renew_all(&self) {
        for panel in 0..self.panels.count() {
            // SAFETY: the caller's promise.
            (0..self.blocks()).for_each(|i| unsafe { self.renew(i, panel) });
        }
    }
}

/// The rows of a data set. They are filled from other threads while routines that do not use them run; the gate keeps those waiting that
/// would fill rows that are in use.
pub(super) struct Data<T> {
    cells: Shared<T>,
    gate: RwLock<()>,
}

impl<T: Copy> Data<T> {
    pub(super) fn new(value: T, length: usize, tensor: &str) -> Result<Self> {
        Ok(Self { cells: Shared::new(value, length, tensor)?, gate: RwLock::new(()) })
    }

    /// Until the guard is dropped, nobody fills the rows.
    pub(super) fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the guard is dropped, no routine uses the rows.
    pub(super) fn filling(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes parts one behind the other, to the start.
    pub(super) fn write_parts<'a>(&self, parts: impl Iterator<Item = &'a [T]>)
    where
        T: 'a,
    {
        let _filling = self.filling();
        let mut place = 0;
        for part in parts {
            let end = (place + part.len()).min(self.len());
            // SAFETY: all who use the rows hold the gate open for readers, and so wait until this guard is dropped.
            unsafe { self.slice_mut(place..end) }.copy_from_slice(&part[..end - place]);
            place = end;
        }
    }
}

impl<T> Deref for Data<T> {
    type Target = Shared<T>;

    fn deref(&self) -> &Shared<T> {
        &self.cells
    }
}

/// The contents of a tensor.
#[expect(clippy::large_enum_variant, reason = "there are dozens of tensors, each behind a pointer")]
pub(super) enum Storage {
    Values(Values),
    Rows(Data<f32>),
    Bytes(Data<u8>),
    Index(Shared<u32>),
}
