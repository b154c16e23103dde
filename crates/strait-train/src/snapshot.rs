//! The whole state of a training run.

use serde::{Deserialize, Serialize};

use crate::method::Tally;
use crate::{Error, Result};

/// Where a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The part: a machine, a round, or 0.
    pub part: usize,
    /// Epochs of the part that are done.
    pub epoch: usize,
    /// Minibatches of the next epoch that are done.
    pub minibatch: usize,
}

/// The whole state of a [`Run`](crate::Run): see [`Run::snapshot`](crate::Run::snapshot).
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    pub(crate) cursor: Cursor,
    /// The parameters and the state of the part under way, by name.
    pub(crate) tensors: Vec<(String, Vec<f32>)>,
    /// What finished parts have left, by name.
    pub(crate) finished: Vec<(String, Vec<f32>)>,
    /// What the minibatches of the epoch under way have given.
    pub(crate) tally: Tally,
    /// What the plan knows beside, and the records of all parts, as JSON.
    pub(crate) progress: String,
    pub(crate) records: String,
}

impl Snapshot {
    /// Where the run was.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The parameters and the state of the part under way, by name: weights, and what the optimiser keeps of each.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.tensors.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    pub(crate) fn of_part(&self, name: &str, length: usize) -> Result<&[f32]> {
        let found = self.tensors.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice());
        match found {
            None => Err(Error::Snapshot(format!("it holds no `{name}`"))),
            Some(values) if values.len() != length => {
                let found = values.len();
                Err(Error::Snapshot(format!("`{name}` has {found} values there, but {length} in this run")))
            }
            Some(values) => Ok(values),
        }
    }

    pub(crate) fn of_finished(&self, name: &str) -> Result<Vec<f32>> {
        let found = self.finished.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| values.clone()).ok_or_else(|| Error::Snapshot(format!("it holds no `{name}`")))
    }
}
