//! The training and the test set of an experiment, from any file.

use std::path::Path;

use super::{Error, Result};
use crate::data::{Data, Missing, Options, Preparation, Rows, Scale, open};
use crate::train::hold_out;
use crate::{say, warn};

/// The share of a file's rows that is held out for testing, where it has no test set of its own.
const TEST_SHARE: f64 = 0.1;

/// The most rows that are held out.
const MOST_TEST_ROWS: f64 = 10_000.0;

/// A training set and a test set of the same columns.
pub struct Sets {
    /// For training.
    pub train: Data,
    /// For testing.
    pub test: Data,
    /// How both are scaled, where they are: fitted on the training set alone.
    pub preparation: Option<Preparation>,
}

impl Sets {
    /// Opens a file or folder of any format that [`open`] knows, and prints what a user should know of it. Its own test set is used
    /// where it has one; else a tenth of the rows, at most 10,000, is drawn and held out, of each class alike where there are labels.
    ///
    /// # Errors
    /// If the data cannot be read, or there are too few rows to hold some out.
    pub fn open(path: &Path, options: &Options, seed: u64) -> Result<Self> {
        let sets = Self::open_with(path, options, None, seed)?;
        sets.warn()?;
        Ok(sets)
    }

    /// The same with another share of the rows held out, and without warnings.
    ///
    /// # Errors
    /// As [`Sets::open`].
    pub fn open_with(path: &Path, options: &Options, share: Option<f64>, seed: u64) -> Result<Self> {
        // Gaps are filled when it is known which rows are trained on.
        let mut data = open(path, &Options { missing: Missing::Refuse, ..options.clone() })?;
        if let Some(test) = data.test.take() {
            return Self::of(data, *test, options.missing);
        }
        if options.missing == Missing::Refuse && !data.is_mapped() {
            // Said before rows are drawn, by their numbers in the file.
            if let Some(refused) = data.check()?.refused.into_iter().next() {
                return Err(Error::Job(format!("{}: {refused}", data.path().display())));
            }
        }
        let share = share.unwrap_or_else(|| TEST_SHARE.min(MOST_TEST_ROWS / data.count() as f64));
        if !(0.0 < share && share < 1.0) {
            return Err(Error::Job(format!("test-share = {share}: it must lie between 0 and 1")));
        }
        let notes = std::mem::take(&mut data.notes);
        notes.iter().for_each(|note| say!("{}: {note}", data.name()));
        let (train, test) = match data.series() {
            Some(_) => data.hold_out_end(share)?,
            None => hold_out(&data, share, seed)?,
        };
        Self::of(train, test, options.missing)
    }

    /// Two sets of the same columns. Missing values of both are filled with the means of the first, if they are to be filled. Prints what a user
    /// should know of how the first was read.
    ///
    /// # Errors
    /// If the values cannot be read.
    pub fn of(train: Data, test: Data, missing: Missing) -> Result<Self> {
        train.notes.iter().for_each(|note| say!("{}: {note}", train.name()));
        let (train, test) = match missing {
            Missing::Refuse => (train, test),
            Missing::Mean => {
                let train = train.with_means()?;
                let test = test.filled_as(&train);
                (train, test)
            }
        };
        Ok(Self { train, test, preparation: None })
    }

    /// Warns of columns that never change, and of those whose differences single precision loses.
    ///
    /// # Errors
    /// If the values cannot be read.
    pub fn warn(&self) -> Result<()> {
        for warning in self.train.warnings()? {
            warn!("warning: {}: {warning}", self.train.name());
        }
        Ok(())
    }

    /// Both sets scaled, by what is fitted on the training set alone. A model that is trained on them is saved with this preparation,
    /// which also holds the names of the columns and what stands for missing values.
    ///
    /// # Errors
    /// If the data cannot be read, or a value is missing or not finite.
    pub fn scaled(self, scale: Scale) -> Result<Self> {
        let preparation = Preparation::fit(&self.train, scale)?;
        if preparation.changes_nothing() {
            return Ok(Self { preparation: Some(preparation).filter(|preparation| !preparation.is_none()), ..self });
        }
        let (train, test) = (self.train.prepared(&preparation)?, self.test.prepared(&preparation)?);
        Ok(Self { train, test, preparation: Some(preparation) })
    }

    /// The rows for training, at most `limit` of them, and those for testing.
    ///
    /// # Errors
    /// If the rows cannot be read, or a value is not finite.
    pub fn rows(&self, limit: Option<usize>) -> Result<(Rows<'_>, Rows<'_>)> {
        Ok((self.train.rows()?.first(limit.unwrap_or(usize::MAX)), self.test.rows()?))
    }

    /// A few test rows to be drawn: the first of each class, or the first ten.
    ///
    /// # Errors
    /// If the rows cannot be read.
    pub fn examples(&self) -> Result<Vec<f32>> {
        let rows = self.test.rows()?;
        let places: Vec<usize> = match &self.test.labels {
            Some(labels) => {
                let first = |class: usize| labels.classes.iter().position(|&other| other as usize == class);
                (0..labels.names.len()).filter_map(first).take(20).collect()
            }
            None => (0..rows.count.min(10)).collect(),
        };
        Ok(places.into_iter().flat_map(|place| rows.range(place..place + 1).to_numbers()).collect())
    }
}
