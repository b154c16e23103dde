//! What the columns of a data set hold.

use crate::data::Data;
use crate::source::is_missing;
use crate::{Error, Result};

/// How many values there are of a kind, and where the first is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Their number.
    pub count: u64,
    /// Row and column of the first.
    pub first: Option<[usize; 2]>,
}

impl Found {
    fn add(&mut self, row: usize, column: usize) {
        self.count += 1;
        self.first.get_or_insert([row, column]);
    }
}

/// A column of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnSummary {
    /// Values that are neither missing nor NaN nor infinite.
    pub finite: u64,
    /// The smallest of them.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
    /// Their mean.
    pub mean: f64,
    /// The sum of their squared distances from the mean.
    squares: f64,
    /// Whether all are whole numbers.
    pub whole: bool,
}

impl ColumnSummary {
    /// The deviation of the values from their mean.
    pub fn deviation(&self) -> f64 {
        if self.finite == 0 { 0.0 } else { (self.squares / self.finite as f64).sqrt() }
    }

    /// Whether all values are the same.
    pub fn is_constant(&self) -> bool {
        self.finite > 0 && self.minimum == self.maximum
    }

    /// The distance of numbers in single precision at the largest value.
    pub fn spacing(&self) -> f64 {
        let largest = self.minimum.abs().max(self.maximum.abs()) as f32;
        f64::from(f32::from_bits(largest.to_bits() + 1) - largest)
    }

    /// Whether the steps of single precision are so wide that the values' differences are lost: more than a hundredth of
    /// their deviation.
    pub fn is_coarse(&self) -> bool {
        !self.is_constant() && self.spacing() > 0.01 * self.deviation()
    }

    /// Welford's update.
    fn add(&mut self, x: f64) {
        if self.finite == 0 {
            (self.minimum, self.maximum, self.whole) = (x, x, true);
        }
        self.finite += 1;
        self.minimum = self.minimum.min(x);
        self.maximum = self.maximum.max(x);
        self.whole &= x.fract() == 0.0;
        let before = x - self.mean;
        self.mean += before / self.finite as f64;
        self.squares += before * (x - self.mean);
    }
}

/// What the columns of a data set hold, in double precision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Values that are missing.
    pub missing: Found,
    /// Values that are NaN and not missing.
    pub nan: Found,
    /// Values that are infinite.
    pub infinite: Found,
    /// Values that are finite, but not in single precision.
    pub too_large: Found,
    /// The columns; those that are text are empty.
    pub columns: Vec<ColumnSummary>,
}

impl Summary {
    /// Reads all rows once.
    pub(crate) fn of(data: &Data) -> Result<Self> {
        if !data.is_dense() {
            data.usable()?;
            return Err(Error::format(data.path(), "it has no rows of numbers"));
        }
        let mut summary = Self { columns: vec![ColumnSummary::default(); data.width()], ..Self::default() };
        let is_text: Vec<bool> = (0..data.width()).map(|column| data.is_text(column)).collect();
        data.scan(|first, rows| {
            for (i, row) in rows.chunks_exact(is_text.len()).enumerate() {
                for (column, &x) in row.iter().enumerate() {
                    match x {
                        _ if is_text[column] => {}
                        x if x.is_finite() => {
                            summary.columns[column].add(x);
                            if (x as f32).is_infinite() {
                                summary.too_large.add(first + i, column);
                            }
                        }
                        x if is_missing(x) => summary.missing.add(first + i, column),
                        x if x.is_nan() => summary.nan.add(first + i, column),
                        _ => summary.infinite.add(first + i, column),
                    }
                }
            }
            Ok(())
        })?;
        Ok(summary)
    }

    /// The columns whose values are all the same.
    pub fn constant(&self) -> Vec<usize> {
        self.which(ColumnSummary::is_constant)
    }

    /// The columns whose differences single precision loses.
    pub fn coarse(&self) -> Vec<usize> {
        self.which(ColumnSummary::is_coarse)
    }

    fn which(&self, wanted: fn(&ColumnSummary) -> bool) -> Vec<usize> {
        let columns = self.columns.iter().enumerate().filter(|(_, column)| column.finite > 0 && wanted(column));
        columns.map(|(i, _)| i).collect()
    }
}
