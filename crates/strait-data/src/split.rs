//! Rows held out of training.

use std::sync::Arc;

use crate::data::Data;
use crate::view::{Column, Columns, Picked};
use crate::{Error, Result};

impl Data {
    /// The rows for training, and those that are `held` out, each in the order of the file.
    ///
    /// ```
    /// use strait_data::{Options, open};
    /// let path = std::env::temp_dir().join(format!("strait-split-{}.csv", std::process::id()));
    /// std::fs::write(&path, "1,2\n3,4\n5,6\n")?;
    /// let (train, test) = open(&path, &Options::default())?.hold_out(&[false, true, false])?;
    /// assert_eq!(train.rows()?.to_numbers(), [1.0, 2.0, 5.0, 6.0]);
    /// assert_eq!(test.rows()?.to_numbers(), [3.0, 4.0]);
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If one of the parts would be empty, or `held` does not say it for each row.
    pub fn hold_out(&self, held: &[bool]) -> Result<(Self, Self)> {
        let wrong = |message: String| Error::format(self.path(), message);
        if held.len() != self.count() {
            return Err(wrong(format!("{} rows, but a choice for {}", self.count(), held.len())));
        }
        let rows = |wanted: bool| -> Vec<u32> {
            (0..).zip(held).filter(|(_, held)| **held == wanted).map(|(row, _)| row).collect()
        };
        let (train, test) = (rows(false), rows(true));
        if train.is_empty() || test.is_empty() {
            return Err(wrong(format!("{} rows for training and {} held out are too few", train.len(), test.len())));
        }
        Ok((self.picked(train), self.picked(test)))
    }

    /// Holds the rows out in which a column, given by name or by number from 0, is not 0; the column is no longer part of the rows.
    ///
    /// # Errors
    /// If there is no such column, it cannot be read, or one of the parts would be empty.
    pub fn hold_out_by(&self, name: &str) -> Result<(Self, Self)> {
        let column = match &self.names {
            Some(names) => names.iter().position(|other| other == name),
            None => name.parse().ok().filter(|&column: &usize| column < self.width()),
        };
        let column = column
            .filter(|_| self.width() > 1)
            .ok_or_else(|| Error::format(self.path(), format!("it has no column `{name}` to split by")))?;
        let mut held = Vec::with_capacity(self.count());
        self.scan(|_, rows| {
            held.extend(rows.chunks_exact(self.width()).map(|row| row[column] != 0.0));
            Ok(())
        })?;
        self.without(column).hold_out(&held)
    }

    /// These rows alone, which ascend.
    pub(crate) fn picked(&self, rows: Vec<u32>) -> Self {
        let labels = self.labels.as_ref().map(|labels| labels.select(&rows));
        let count = rows.len();
        let mut data =
            self.derived(Arc::new(Picked { source: self.source(), width: self.width(), rows: rows.into() }), count);
        data.labels = labels;
        data
    }

    /// The same rows without a column.
    fn without(&self, column: usize) -> Self {
        let kept: Vec<usize> = (0..self.width()).filter(|&other| other != column).collect();
        let columns = kept.iter().map(|&column| Column::Number(column)).collect();
        let source = Columns { source: self.source(), width: self.width(), columns };
        let mut data = self.derived(Arc::new(source), self.count());
        data.shape = vec![kept.len()];
        data.fill = self.fill.as_ref().map(|fill| kept.iter().map(|&column| fill[column]).collect());
        data.types = kept.iter().map(|&column| self.type_of(column)).collect();
        data.names = self.names.as_ref().map(|names| kept.iter().map(|&column| names[column].clone()).collect());
        data
    }
}
