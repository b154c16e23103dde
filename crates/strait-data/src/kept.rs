//! Rows that were made and are kept: in memory, or in a temporary file if they are many.

use std::fs::File;
use std::io::{BufWriter, Write};

use memmap2::Mmap;

use crate::{Rows, Values};

/// Up to this size rows stay in memory; more goes to a temporary file, which is mapped.
const IN_MEMORY: usize = 128 << 20;

/// Rows of numbers that were made, such as the features of a machine. Up to 128 MiB they are kept in memory, more in a temporary file
/// that has no name and is gone when the rows are.
///
/// ```
/// let mut keeper = strait_data::Keeper::default();
/// keeper.push(&[1.0, 2.0])?;
/// keeper.push(&[3.0, 4.0])?;
/// assert_eq!(keeper.finish(2)?.rows().at(1, 0), 3.0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Kept {
    width: usize,
    values: Where,
}

enum Where {
    Memory(Vec<f32>),
    Mapped(Mmap),
}

impl Kept {
    /// Rows in memory.
    pub fn memory(values: Vec<f32>, width: usize) -> Self {
        Self { width, values: Where::Memory(values) }
    }

    /// The rows.
    pub fn rows(&self) -> Rows<'_> {
        let numbers = self.numbers();
        Rows { count: numbers.len() / self.width, width: self.width, values: Values::Numbers(numbers) }
    }

    pub(crate) fn numbers(&self) -> &[f32] {
        match &self.values {
            Where::Memory(values) => values,
            // A map begins at a page.
            Where::Mapped(map) => bytemuck::cast_slice(map),
        }
    }
}

/// Collects rows that are to be kept.
#[derive(Default)]
pub struct Keeper {
    memory: Vec<f32>,
    file: Option<BufWriter<File>>,
}

impl Keeper {
    /// Appends numbers.
    ///
    /// # Errors
    /// If there is no room for them.
    pub fn push(&mut self, numbers: &[f32]) -> std::io::Result<()> {
        if self.file.is_none() && 4 * (self.memory.len() + numbers.len()) > IN_MEMORY {
            let mut file = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
            file.write_all(bytemuck::cast_slice(&std::mem::take(&mut self.memory)))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytemuck::cast_slice(numbers)),
            None => {
                self.memory.try_reserve(numbers.len()).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
                self.memory.extend_from_slice(numbers);
                Ok(())
            }
        }
    }

    /// The rows of this width.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn finish(self, width: usize) -> std::io::Result<Kept> {
        let values = match self.file {
            None => Where::Memory(self.memory),
            Some(file) => {
                let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
                // SAFETY: the file has no name, so that no other program can change or cut it.
                Where::Mapped(unsafe { Mmap::map(&file)? })
            }
        };
        Ok(Kept { width, values })
    }
}
