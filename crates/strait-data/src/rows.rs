//! A data set as rows.

use crate::{Error, Halves, Result};

/// How far a value may lie outside of 0..1 and count as rounding: data scaled to 0..1 elsewhere often reach 1.0000001.
pub const ROUNDING: f32 = 1e-6;

/// The values of a data set, row after row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// Bytes, each of which stands for `byte / 255`.
    Bytes(&'a [u8]),
    /// Numbers.
    Numbers(&'a [f32]),
    /// Numbers of 16 bits, all of which are finite.
    Halves(Halves<'a>),
}

/// A data set: `count` rows of `width` values, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    /// Number of rows, at least one.
    pub count: usize,
    /// Values in a row, at least one.
    pub width: usize,
    /// The values.
    pub values: Values<'a>,
}

impl<'a> Rows<'a> {
    /// Rows of bytes, each of which stands for `byte / 255`.
    ///
    /// # Errors
    /// [`Error::Rows`] if the bytes do not form at least one whole row.
    pub fn bytes(bytes: &'a [u8], width: usize) -> Result<Self> {
        Ok(Self { count: count(bytes.len(), width)?, width, values: Values::Bytes(bytes) })
    }

    /// Rows of numbers.
    ///
    /// ```
    /// use strait_data::Rows;
    /// let rows = Rows::numbers(&[0.0, 0.5, 1.0, 0.25], 2)?;
    /// assert_eq!(rows.count, 2);
    /// assert!(Rows::numbers(&[0.0, f32::NAN], 2).is_err());
    /// # Ok::<(), strait_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Rows`] if the numbers do not form at least one whole row, [`Error::NotFinite`] with the place of the
    /// first NaN or infinity.
    pub fn numbers(numbers: &'a [f32], width: usize) -> Result<Self> {
        let count = count(numbers.len(), width)?;
        match numbers.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(Error::NotFinite { row: i / width, column: i % width, value: numbers[i] }),
            None => Ok(Self { count, width, values: Values::Numbers(numbers) }),
        }
    }

    /// The first `count` rows, or all if there are fewer; at least one.
    pub fn first(self, count: usize) -> Self {
        let count = count.clamp(1, self.count);
        let values = match self.values {
            Values::Bytes(bytes) => Values::Bytes(&bytes[..count * self.width]),
            Values::Numbers(numbers) => Values::Numbers(&numbers[..count * self.width]),
            Values::Halves(numbers) => Values::Halves(numbers.range(0..count * self.width)),
        };
        Self { count, values, ..self }
    }

    /// Whether a value lies in 0..1, up to [`ROUNDING`].
    pub fn is_probability(value: f32) -> bool {
        (-ROUNDING..=1.0 + ROUNDING).contains(&value)
    }

    /// Bytes of a row, as a data set's tensor holds it.
    pub fn row_bytes(&self) -> usize {
        match self.values {
            Values::Bytes(_) => self.width,
            Values::Numbers(_) | Values::Halves(_) => 4 * self.width,
        }
    }

    /// These rows alone.
    ///
    /// # Panics
    /// If the range is empty or reaches beyond the last row.
    pub fn range(self, range: std::ops::Range<usize>) -> Self {
        assert!(!range.is_empty() && range.end <= self.count, "{range:?} of {} rows", self.count);
        let place = range.start * self.width..range.end * self.width;
        let values = match self.values {
            Values::Bytes(bytes) => Values::Bytes(&bytes[place]),
            Values::Numbers(numbers) => Values::Numbers(&numbers[place]),
            Values::Halves(numbers) => Values::Halves(numbers.range(place)),
        };
        Self { count: range.len(), values, ..self }
    }

    /// The value in row `row` and column `column`.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn at(&self, row: usize, column: usize) -> f32 {
        assert!(row < self.count && column < self.width, "row {row}, column {column} of {self:?}");
        match self.values {
            Values::Bytes(bytes) => f32::from(bytes[row * self.width + column]) / 255.0,
            Values::Numbers(numbers) => numbers[row * self.width + column],
            Values::Halves(Halves::F16(numbers)) => numbers[row * self.width + column].to_f32(),
            Values::Halves(Halves::Bf16(numbers)) => numbers[row * self.width + column].to_f32(),
        }
    }

    /// All values as numbers.
    pub fn to_numbers(&self) -> Vec<f32> {
        match self.values {
            Values::Bytes(bytes) => bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
            Values::Numbers(numbers) => numbers.to_vec(),
            Values::Halves(numbers) => numbers.widened().collect(),
        }
    }

    /// The variance, summed over the columns: the mean squared distance of a row from the mean row.
    ///
    /// ```
    /// use strait_data::Rows;
    /// assert_eq!(Rows::numbers(&[0.0, 5.0, 2.0, 5.0], 2)?.variance(), 1.0);
    /// # Ok::<(), strait_data::Error>(())
    /// ```
    pub fn variance(&self) -> f64 {
        let mean = self.mean();
        let mut sum = 0.0;
        self.each_row(|row| {
            sum += row.iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum::<f64>();
        });
        sum / self.count as f64
    }

    /// Calls `each` with the numbers of one row after the other.
    pub fn each_row(&self, mut each: impl FnMut(&[f32])) {
        match self.values {
            Values::Numbers(numbers) => numbers.chunks_exact(self.width).for_each(each),
            Values::Bytes(bytes) => {
                let mut row = vec![0.0; self.width];
                for bytes in bytes.chunks_exact(self.width) {
                    row.iter_mut().zip(bytes).for_each(|(x, &byte)| *x = f32::from(byte) / 255.0);
                    each(&row);
                }
            }
            Values::Halves(numbers) => {
                let mut row = vec![0.0; self.width];
                for first in (0..self.count * self.width).step_by(self.width) {
                    let own = numbers.range(first..first + self.width).widened();
                    row.iter_mut().zip(own).for_each(|(x, number)| *x = number);
                    each(&row);
                }
            }
        }
    }

    /// The first number that fails a test; bytes pass all.
    pub fn first_number(&self, fails: impl Fn(f32) -> bool) -> Option<f32> {
        match self.values {
            Values::Bytes(_) => None,
            Values::Numbers(numbers) => numbers.iter().copied().find(|x| fails(*x)),
            Values::Halves(numbers) => numbers.widened().find(|x| fails(*x)),
        }
    }

    /// The means of the columns.
    pub fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        self.each_row(|row| mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x)));
        mean.iter_mut().for_each(|sum| *sum /= self.count as f64);
        mean
    }
}

fn count(values: usize, width: usize) -> Result<usize> {
    if width == 0 || values == 0 || !values.is_multiple_of(width) {
        return Err(Error::Rows { values, width });
    }
    Ok(values / width)
}
