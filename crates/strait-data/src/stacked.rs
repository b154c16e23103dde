//! Arrays one below the other.

use crate::Result;
use crate::array::Array;
use crate::halves::HalfKind;
use crate::source::Source;

/// Arrays of one width and one type, the rows of each behind those of the one before.
pub(crate) struct Stacked {
    arrays: Vec<Array>,
    /// The first row of each array, and the number of all rows.
    starts: Vec<usize>,
}

impl Stacked {
    pub(crate) fn new(arrays: Vec<Array>) -> Self {
        let mut starts = vec![0];
        starts.extend(arrays.iter().scan(0, |sum, array| {
            *sum += array.rows();
            Some(*sum)
        }));
        Self { arrays, starts }
    }

    /// Reads rows array by array.
    fn each<T>(
        &self,
        mut first: usize,
        mut out: &mut [T],
        read: impl Fn(&Array, usize, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        let width = self.arrays[0].width();
        while !out.is_empty() {
            let array = self.starts.partition_point(|&start| start <= first) - 1;
            let rows = (self.starts[array + 1] - first).min(out.len() / width);
            let (part, rest) = out.split_at_mut(rows * width);
            read(&self.arrays[array], first - self.starts[array], part)?;
            (first, out) = (first + rows, rest);
        }
        Ok(())
    }
}

impl Source for Stacked {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        self.each(first, out, |array, first, out| array.read(first, out))
    }

    fn read_single(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.each(first, out, |array, first, out| array.read_single(first, out))
    }

    fn half(&self) -> Option<HalfKind> {
        self.arrays[0].half()
    }

    fn is_single(&self) -> bool {
        self.arrays[0].is_single()
    }
}
