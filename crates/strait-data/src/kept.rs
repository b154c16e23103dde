//! Rows that were made and are kept: in memory, or in a temporary file if they are many.

use crate::spill::{Spill, Spilled};
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
    numbers: Spilled<f32>,
}

impl Kept {
    /// Rows in memory.
    pub fn memory(numbers: Vec<f32>, width: usize) -> Self {
        Self { width, numbers: Spilled::Memory(numbers) }
    }

    /// The rows.
    pub fn rows(&self) -> Rows<'_> {
        let count = self.numbers.len() / self.width;
        Rows { count, width: self.width, values: Values::Numbers(&self.numbers) }
    }
}

/// Collects rows that are to be kept.
pub struct Keeper(Spill<f32>);

impl Default for Keeper {
    fn default() -> Self {
        Self(Spill::new(IN_MEMORY))
    }
}

impl Keeper {
    /// Appends numbers.
    ///
    /// # Errors
    /// If there is no room for them.
    pub fn push(&mut self, numbers: &[f32]) -> std::io::Result<()> {
        self.0.push(numbers)
    }

    /// The rows of this width.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn finish(self, width: usize) -> std::io::Result<Kept> {
        Ok(Kept { width, numbers: self.0.finish()? })
    }
}
