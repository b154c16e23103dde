//! What is collected in memory, and beyond a size in a temporary file that is mapped.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::ops::Deref;

use bytemuck::Pod;
use memmap2::Mmap;

/// Elements one behind the other.
pub(crate) enum Spilled<T> {
    Memory(Vec<T>),
    Mapped(Mmap),
}

impl<T: Pod> Deref for Spilled<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Memory(elements) => elements,
            // A map begins at a page, and was written as elements.
            Self::Mapped(map) => bytemuck::cast_slice(map),
        }
    }
}

/// Collects elements: in memory up to so many bytes, more in a temporary file without a name, which is gone when it is closed.
pub(crate) struct Spill<T> {
    most: usize,
    memory: Vec<T>,
    file: Option<BufWriter<File>>,
}

impl<T: Pod> Spill<T> {
    /// Keeps at most `most` bytes in memory.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, memory: Vec::new(), file: None }
    }

    /// What is still in memory.
    pub(crate) fn memory(&self) -> &[T] {
        &self.memory
    }

    pub(crate) fn push(&mut self, elements: &[T]) -> Result<()> {
        if self.file.is_none() && size_of::<T>() * (self.memory.len() + elements.len()) > self.most {
            let mut file = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
            file.write_all(bytemuck::cast_slice(&std::mem::take(&mut self.memory)))?;
            self.file = Some(file);
            tracing::debug!(bytes = self.most, "more rows than are kept in memory go to a temporary file");
        }
        match &mut self.file {
            Some(file) => file.write_all(bytemuck::cast_slice(elements)),
            None => {
                self.memory.try_reserve(elements.len()).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
                self.memory.extend_from_slice(elements);
                Ok(())
            }
        }
    }

    pub(crate) fn finish(self) -> Result<Spilled<T>> {
        let Some(file) = self.file else { return Ok(Spilled::Memory(self.memory)) };
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        // SAFETY: the file has no name, so that no other program can change or cut it.
        Ok(Spilled::Mapped(unsafe { Mmap::map(&file)? }))
    }
}
