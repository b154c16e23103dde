//! The training and the test set of an experiment, from any file.

use std::path::Path;

use super::Result;
use crate::data::{Data, Options, Preparation, Rows, Scale, open};
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
        Self::open_with(path, options, None, seed)
    }

    /// The same with another share of the rows held out.
    ///
    /// # Errors
    /// As [`Sets::open`].
    pub fn open_with(path: &Path, options: &Options, share: Option<f64>, seed: u64) -> Result<Self> {
        let mut data = open(path, options)?;
        if let Some(test) = data.test.take() {
            return Self::of(data, *test);
        }
        tell(&data)?;
        let share = share.unwrap_or_else(|| TEST_SHARE.min(MOST_TEST_ROWS / data.count() as f64));
        let (train, test) = hold_out(&data, share, seed)?;
        Ok(Self { train, test, preparation: None })
    }

    /// Two sets of the same columns. Prints what a user should know of the first.
    ///
    /// # Errors
    /// If the values cannot be read.
    pub fn of(train: Data, test: Data) -> Result<Self> {
        tell(&train)?;
        Ok(Self { train, test, preparation: None })
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

/// Prints what a user should know of a data set.
fn tell(data: &Data) -> Result<()> {
    for note in &data.notes {
        say!("{}: {note}", data.name());
    }
    for warning in data.warnings()? {
        warn!("warning: {}: {warning}", data.name());
    }
    Ok(())
}
