//! Rows that were made and are kept: in memory, or in a temporary file if they are many.

use half::{bf16, f16};

use crate::halves::HalfKind;
use crate::spill::{Spill, Spilled};
use crate::{Halves, Rows, Values};

/// Up to this size rows stay in memory; more goes to a temporary file, which is mapped.
pub(crate) const IN_MEMORY: usize = 128 << 20;

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
    numbers: Numbers,
}

/// Numbers in the precision that holds them.
enum Numbers {
    Single(Spilled<f32>),
    F16(Spilled<f16>),
    Bf16(Spilled<bf16>),
}

impl Kept {
    /// Rows in memory.
    pub fn memory(numbers: Vec<f32>, width: usize) -> Self {
        Self { width, numbers: Numbers::Single(Spilled::Memory(numbers)) }
    }

    /// The rows.
    pub fn rows(&self) -> Rows<'_> {
        let (count, values) = match &self.numbers {
            Numbers::Single(numbers) => (numbers.len(), Values::Numbers(numbers)),
            Numbers::F16(numbers) => (numbers.len(), Values::Halves(Halves::F16(numbers))),
            Numbers::Bf16(numbers) => (numbers.len(), Values::Halves(Halves::Bf16(numbers))),
        };
        Rows { count: count / self.width, width: self.width, values }
    }
}

/// Collects rows that are to be kept.
pub struct Keeper(Collected);

enum Collected {
    Single(Spill<f32>),
    F16(Spill<f16>),
    Bf16(Spill<bf16>),
}

impl Default for Keeper {
    fn default() -> Self {
        Self(Collected::Single(Spill::new(IN_MEMORY)))
    }
}

impl Keeper {
    /// For numbers that are all of 16 bits, and take no more than these.
    pub(crate) fn of(half: Option<HalfKind>) -> Self {
        match half {
            None => Self::default(),
            Some(HalfKind::F16) => Self(Collected::F16(Spill::new(IN_MEMORY))),
            Some(HalfKind::Bf16) => Self(Collected::Bf16(Spill::new(IN_MEMORY))),
        }
    }

    /// Appends numbers.
    ///
    /// # Errors
    /// If there is no room for them.
    pub fn push(&mut self, numbers: &[f32]) -> std::io::Result<()> {
        match &mut self.0 {
            Collected::Single(spill) => spill.push(numbers),
            Collected::F16(spill) => spill.push(&numbers.iter().map(|&x| f16::from_f32(x)).collect::<Vec<_>>()),
            Collected::Bf16(spill) => spill.push(&numbers.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>()),
        }
    }

    /// The rows of this width.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn finish(self, width: usize) -> std::io::Result<Kept> {
        let numbers = match self.0 {
            Collected::Single(spill) => Numbers::Single(spill.finish()?),
            Collected::F16(spill) => Numbers::F16(spill.finish()?),
            Collected::Bf16(spill) => Numbers::Bf16(spill.finish()?),
        };
        Ok(Kept { width, numbers })
    }
}
