//! Rows that were converted once.

use std::io::Write;

use memmap2::Mmap;

use crate::data::Data;
use crate::{Error, Result, Values};

/// Up to this size rows stay in memory; more goes to a temporary file.
const IN_MEMORY: usize = 256 << 20;

/// Numbers that are converted at a time.
const WINDOW: usize = 1 << 20;

/// Where converted rows are.
pub(crate) enum Resident {
    Memory(Vec<f32>),
    Mapped(Mmap),
    /// They are taken from where they lie.
    Elsewhere,
}

impl Resident {
    pub(crate) fn of(data: &Data) -> Result<Self> {
        let (count, width) = (data.count(), data.width());
        let memory = || Error::memory(data.path());
        let size = count.checked_mul(width).ok_or_else(memory)?;
        if size <= IN_MEMORY / 4 {
            let mut values = Vec::new();
            values.try_reserve_exact(size).map_err(|_| memory())?;
            values.resize(size, 0.0);
            let rows = (WINDOW / width).max(1);
            for (i, window) in values.chunks_mut(rows * width).enumerate() {
                data.read(i * rows, window)?;
            }
            return Ok(Self::Memory(values));
        }
        let temporary = |cause: std::io::Error| {
            Error::format(data.path(), format!("its rows cannot be kept in a temporary file ({cause})"))
        };
        let mut file = tempfile::tempfile().map_err(temporary)?;
        data.windows((WINDOW / width).max(1), |_, rows| {
            let Values::Numbers(numbers) = rows.values else { return Ok(()) };
            file.write_all(bytemuck::cast_slice(numbers)).map_err(temporary)
        })?;
        // SAFETY: the file has no name, so that no other program can change or cut it.
        Ok(Self::Mapped(unsafe { Mmap::map(&file) }.map_err(temporary)?))
    }

    pub(crate) fn values(&self) -> Values<'_> {
        match self {
            Self::Memory(values) => Values::Numbers(values),
            // A map begins at a page.
            Self::Mapped(map) => Values::Numbers(bytemuck::cast_slice(map)),
            Self::Elsewhere => Values::Numbers(&[]),
        }
    }
}
