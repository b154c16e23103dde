//! What training refuses of a data set, and what a user should know of it.

use std::path::Path;
use std::sync::Arc;

use super::Data;
use crate::formats::raw::Text;
use crate::summary::Summary;
use crate::view::Filled;
use crate::{Error, Missing, Options, Result};

/// The cure of missing values, at the end of a message.
pub(crate) const FILLS: &str = "; --missing mean fills such gaps";

/// What training would refuse of a file, and what it takes but a user should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// What would be refused.
    pub refused: Vec<String>,
    /// What a user should know.
    pub warnings: Vec<String>,
}

impl Data {
    /// Whether training can take the columns.
    pub(crate) fn usable(&self) -> Result<()> {
        if let Some(message) = &self.refusal {
            return Err(Error::format(&self.path, message.clone()));
        }
        match self.texts.iter().next() {
            Some((&column, text)) => Err(Error::format(&self.path, self.refused_text(column, text))),
            None => Ok(()),
        }
    }

    fn refused_text(&self, column: usize, text: &Text) -> String {
        format!(
            "row {}, column {}: `{:.60}` is not a number; name the column as --labels, leave it out or make its categories \
             columns by --categories",
            text.row,
            self.column_name(column),
            text.sample
        )
    }

    /// All that training would refuse, in the order of the columns; and what it takes, but a user should know.
    ///
    /// # Errors
    /// If the file cannot be read to its end.
    pub fn check(&self) -> Result<Check> {
        let mut check = Check::default();
        check.refused.extend(self.refusal.clone());
        check.refused.extend(self.texts.iter().map(|(&column, text)| self.refused_text(column, text)));
        if !self.is_dense() {
            return Ok(check);
        }
        let summary = self.summary()?;
        let gaps = [(summary.missing, "missing"), (summary.nan, "NaN")];
        let others = [(summary.infinite, "infinite"), (summary.too_large, "too large for single precision")];
        let gaps = gaps.into_iter().filter(|_| !self.fills).map(|(found, what)| (found, what, FILLS));
        for (found, what, cure) in gaps.chain(others.map(|(found, what)| (found, what, ""))) {
            if let Some([row, column]) = found.first {
                let (count, name) = (found.count, self.column_name(column));
                check.refused.push(format!("{count} values are {what}, the first in row {row}, column {name}{cure}"));
            }
        }
        check.refused.extend(self.unfillable(&summary).filter(|_| self.fills));
        check.warnings = self.warnings_of(&summary);
        Ok(check)
    }

    /// What a user should know of the values: columns that are constant, and columns whose differences single precision loses.
    ///
    /// # Errors
    /// If the file cannot be read to its end.
    pub fn warnings(&self) -> Result<Vec<String>> {
        // Single precision loses nothing of what was single before.
        if self.source.is_single() || !self.is_dense() {
            return Ok(Vec::new());
        }
        Ok(self.warnings_of(&self.summary()?))
    }

    fn warnings_of(&self, summary: &Summary) -> Vec<String> {
        let listed = |columns: &[usize]| {
            let names: Vec<String> = columns.iter().take(5).map(|&column| self.column_name(column)).collect();
            format!("{}{}", names.join(", "), if columns.len() > names.len() { ", ..." } else { "" })
        };
        let mut warnings = Vec::new();
        let constant = summary.constant();
        if !constant.is_empty() && self.count > 1 {
            warnings.push(format!("{} columns never change: {}", constant.len(), listed(&constant)));
        }
        let coarse = summary.coarse();
        if let Some(&first) = coarse.first() {
            let column = &summary.columns[first];
            warnings.push(format!(
                "single precision is too coarse for {} columns: {}; numbers near {:e} lie {} apart, but the values deviate by \
                 {:.4} only; scale the data by --scale standard, which subtracts the mean in double precision",
                coarse.len(),
                listed(&coarse),
                column.maximum,
                column.spacing(),
                column.deviation()
            ));
        }
        warnings
    }

    /// Why gaps cannot be filled, if they cannot.
    fn unfillable(&self, summary: &Summary) -> Option<String> {
        let empty = (0..self.width()).find(|&column| summary.columns[column].finite == 0 && !self.is_text(column))?;
        Some(format!("column {} has no value, and so no mean to fill its gaps", self.column_name(empty)))
    }

    /// Fills gaps with the means of their columns.
    ///
    /// # Errors
    /// If a column with gaps has no value, or the file cannot be read.
    pub fn with_means(self) -> Result<Self> {
        self.completed(&Options { missing: Missing::Mean, ..Options::default() })
    }

    /// Fills gaps with what stands for them in other data: the means of the rows trained on.
    pub fn filled_as(mut self, other: &Self) -> Self {
        if let Some(fill) = other.fill.clone().filter(|fill| fill.len() == self.width()) {
            self.set_source(Arc::new(Filled { source: self.source.clone(), means: fill.to_vec() }));
            self.fill = Some(fill);
        }
        self
    }

    /// Fills gaps as the options say.
    pub(crate) fn completed(self, options: &Options) -> Result<Self> {
        if options.missing == Missing::Refuse || self.ratings.is_some() || self.is_pixels() {
            return Ok(self);
        }
        let summary = self.summary()?;
        let gaps = summary.missing.count + summary.nan.count > 0;
        if let Some(message) = self.unfillable(&summary).filter(|_| gaps) {
            return Err(Error::format(&self.path, message));
        }
        let means: Vec<f64> = summary.columns.iter().map(|column| column.mean).collect();
        let mut data = self;
        data.fill = Some(means.as_slice().into());
        if !gaps {
            return Ok(data);
        }
        data.notes.push(format!(
            "{} missing values are filled with the means of their columns",
            summary.missing.count + summary.nan.count
        ));
        data.set_source(Arc::new(Filled { source: data.source.clone(), means }));
        Ok(data)
    }

    /// Whether rows of the other data can stand beside these: as many columns, of the same names.
    pub(crate) fn fits(&self, other: &Self, path: &Path) -> Result<()> {
        if self.width() != other.width() {
            let message = format!("it has {} columns, but {} has {}", other.width(), self.path.display(), self.width());
            return Err(Error::format(path, message));
        }
        if let (Some(ours), Some(theirs)) = (&self.names, &other.names)
            && let Some(column) = (0..ours.len()).find(|&column| ours[column] != theirs[column])
        {
            let message = format!(
                "its column {column} is named `{}`, but that of {} `{}`",
                theirs[column],
                self.path.display(),
                ours[column]
            );
            return Err(Error::format(path, message));
        }
        Ok(())
    }
}
