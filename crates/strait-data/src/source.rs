//! Where rows come from.

use crate::halves::HalfKind;
use crate::{Result, Values};

/// Rows of numbers that are read in windows.
pub(crate) trait Source: Send + Sync {
    /// Reads whole rows from row `first` on, in double precision. A missing value is [`MISSING`].
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()>;

    /// The same in single precision.
    fn read_single(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let mut wide = vec![0.0; out.len()];
        self.read(first, &mut wide)?;
        out.iter_mut().zip(wide).for_each(|(out, x)| *out = x as f32);
        Ok(())
    }

    /// All rows, where they lie in memory or in a mapped file as training takes them.
    fn direct(&self) -> Option<Values<'_>> {
        None
    }

    /// Which numbers of 16 bits all are, if they are such.
    fn half(&self) -> Option<HalfKind> {
        None
    }

    /// Whether a number loses nothing in single precision.
    fn is_single(&self) -> bool {
        false
    }
}

/// A missing value: the NaN by which R marks one.
pub(crate) const MISSING: f64 = f64::from_bits(0x7ff8_0000_0000_07a2);

/// Whether a value is missing, and not another NaN.
pub(crate) fn is_missing(x: f64) -> bool {
    x.to_bits() == MISSING.to_bits()
}

/// No rows at all: what stands in a table until its source is known.
impl Source for () {
    fn read(&self, _: usize, _: &mut [f64]) -> Result<()> {
        Ok(())
    }
}
