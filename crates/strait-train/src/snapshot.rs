//! The whole state of a training run.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strait_compute::Metrics;

use crate::method::Tally;
use crate::monitor::Monitor;
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
    /// How the part has gone so far, and the parameters of its best epoch where they are kept.
    pub(crate) monitor: Monitor,
    pub(crate) best: Vec<(String, Vec<f32>)>,
    /// What finished parts have left, by name.
    pub(crate) finished: Vec<(String, Vec<f32>)>,
    /// What the minibatches of the epoch under way have given.
    pub(crate) tally: Tally,
    /// What the plan knows beside, and the records of all parts, as JSON.
    pub(crate) progress: String,
    pub(crate) records: String,
}

/// What the names of a checkpoint's tensors begin with: those of the part under way, of finished parts, of the best epoch, and of the
/// epoch under way.
pub(crate) const STATE: &str = "state.";
const FINISHED: &str = "finished.";
const BEST: &str = "best.";
const LOSSES: &str = "losses.";
const ERRORS: &str = "errors.";

impl Snapshot {
    /// Where the run was.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The parameters and the state of the part under way, by name: weights, and what the optimiser keeps of each.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.tensors.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// All but the tensors, for a checkpoint.
    pub(crate) fn described(&self) -> Value {
        let Tally { metrics, minimised, seconds } = &self.tally;
        let Metrics { losses, dots, steps, dispatches, host_time, .. } = metrics;
        json!({
            "tally": {
                "losses": losses.len(), "dots": dots, "steps": steps, "dispatches": dispatches,
                "host-seconds": host_time.as_secs_f64(), "minimised": minimised, "seconds": seconds,
            },
            "monitor": self.monitor,
            "progress": self.progress,
            "records": self.records,
        })
    }

    /// The tensors beside those of the part under way, by their names in a checkpoint.
    pub(crate) fn others(&mut self) -> Vec<(String, Vec<f32>)> {
        let finished = std::mem::take(&mut self.finished).into_iter();
        let mut others: Vec<_> = finished.map(|(name, values)| (format!("{FINISHED}{name}"), values)).collect();
        let best = std::mem::take(&mut self.best).into_iter();
        others.extend(best.map(|(name, values)| (format!("{BEST}{name}"), values)));
        let metrics = &self.tally.metrics;
        for (what, columns) in [(LOSSES, &metrics.losses), (ERRORS, &metrics.errors)] {
            others.extend(columns.iter().enumerate().map(|(i, values)| (format!("{what}{i}"), values.clone())));
        }
        others
    }

    /// The snapshot that a checkpoint holds.
    ///
    /// # Errors
    /// [`Error::Snapshot`] if something is missing there.
    pub(crate) fn from_checkpoint(cursor: Cursor, state: &Value, tensors: Vec<(String, Vec<f32>)>) -> Result<Self> {
        let mut snapshot = Self {
            cursor,
            tensors: Vec::new(),
            monitor: Monitor::default(),
            best: Vec::new(),
            finished: Vec::new(),
            tally: Tally::default(),
            progress: String::new(),
            records: String::new(),
        };
        let text = |name: &str| state[name].as_str().map(str::to_owned);
        let tally = &state["tally"];
        let count = |name: &str| tally[name].as_u64().map(|count| count as usize);
        let number = |name: &str| tally[name].as_f64();
        let columns = count("losses").unwrap_or(0);
        let mut losses = vec![Vec::new(); columns];
        let mut errors = losses.clone();
        for (name, values) in tensors {
            let column = |prefix: &str| name.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
            if let Some(name) = name.strip_prefix(STATE) {
                snapshot.tensors.push((name.to_owned(), values));
            } else if let Some(name) = name.strip_prefix(FINISHED) {
                snapshot.finished.push((name.to_owned(), values));
            } else if let Some(name) = name.strip_prefix(BEST) {
                snapshot.best.push((name.to_owned(), values));
            } else if let Some(place) = column(LOSSES).and_then(|number| losses.get_mut(number)) {
                *place = values;
            } else if let Some(place) = column(ERRORS).and_then(|number| errors.get_mut(number)) {
                *place = values;
            }
        }
        let whole = (|| {
            snapshot.monitor = serde_json::from_value(state["monitor"].clone()).ok()?;
            snapshot.progress = text("progress")?;
            snapshot.records = text("records")?;
            let host_time = Duration::try_from_secs_f64(number("host-seconds")?).ok()?;
            let dots = serde_json::from_value(tally["dots"].clone()).ok()?;
            let (steps, dispatches) = (count("steps")?, count("dispatches")?);
            let metrics = Metrics { losses, errors, dots, steps, dispatches, host_time };
            snapshot.tally = Tally { metrics, minimised: number("minimised")?, seconds: number("seconds")? };
            Some(())
        })();
        whole
            .map(|()| snapshot)
            .ok_or_else(|| Error::Snapshot("what it says of the epoch under way is not whole".to_owned()))
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
