//! How a run keeps itself: when a checkpoint is due, and what goes into it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::identity::differences;
use super::stage::{About, Found, StageFiles};
use super::writer::{Job, Modeller, Writer};
use super::{Checkpoints, Error, OnDivergence, Result};
use crate::snapshot::{Cursor, Snapshot};

/// The largest state, in bytes, that is copied and written in the background.
const COPIED: usize = 256 << 20;

/// What a user should know, and whether something is not as it should be.
pub(crate) type Notes = Vec<(String, bool)>;

/// The checkpoints of a run.
pub(crate) struct Keeping {
    checkpoints: Checkpoints,
    pub(crate) files: StageFiles,
    stage: String,
    identity: Value,
    writer: Writer,
    /// Of the last checkpoint.
    number: u64,
    since: Instant,
    /// Epochs since then.
    epochs: usize,
    /// Where the run was then.
    saved: Option<Cursor>,
    /// The lowest error of a checkpoint of this part, with the part.
    best: Option<(usize, f64)>,
    /// The same as it will be when the checkpoint under way is written.
    pending: Option<(usize, f64)>,
    /// The part whose model the writer makes.
    modelled: Option<usize>,
    /// Whether it was told how checkpoints are written.
    told: bool,
    /// The epochs that were told of, by what is trained.
    epochs_told: BTreeMap<String, usize>,
}

impl Keeping {
    pub(crate) fn new(checkpoints: &Checkpoints, stage: &str) -> Self {
        let files = checkpoints.files(stage);
        Self {
            writer: Writer::start(files.clone()),
            checkpoints: checkpoints.clone(),
            files,
            stage: stage.to_owned(),
            identity: Value::Null,
            number: 0,
            since: Instant::now(),
            epochs: 0,
            saved: None,
            best: None,
            pending: None,
            modelled: None,
            told: false,
            epochs_told: BTreeMap::new(),
        }
    }

    pub(crate) fn told_epoch(&mut self, stage: &str, epoch: usize) {
        self.epochs_told.insert(stage.to_owned(), epoch);
    }

    pub(crate) fn epochs_told(&self) -> &BTreeMap<String, usize> {
        &self.epochs_told
    }

    /// Takes back what was told since a checkpoint, or since the beginning of what is trained.
    pub(crate) fn go_back(&mut self, told: Option<Value>, stage: &str) {
        match told.and_then(|told| serde_json::from_value(told).ok()) {
            Some(told) => self.epochs_told = told,
            None => drop(self.epochs_told.remove(stage)),
        }
        self.saved = None;
    }

    /// The checkpoint to go on from, if the run is to go on from one. `explain` says more of a field that differs, and whether it may
    /// differ.
    ///
    /// # Errors
    /// [`Error::Changed`] if that is one of another recipe or other data, and changes are not allowed.
    pub(crate) fn resume(
        &mut self,
        identity: Value,
        device: &str,
        explain: &dyn Fn(&str, &Value, Cursor) -> Difference,
    ) -> Result<(Option<Found>, Notes)> {
        self.identity = identity;
        self.since = Instant::now();
        let options = self.checkpoints.shared.options;
        if !options.resume {
            return Ok((None, Vec::new()));
        }
        let (found, wrong) = self.files.newest();
        let mut notes: Notes =
            wrong.into_iter().map(|message| (format!("{message}; it is left as it is"), true)).collect();
        let Some(found) = found else {
            let folder = self.files.folder.display();
            notes.push((format!("no checkpoint of this stage in {folder}, so it starts at the beginning"), false));
            return Ok((None, notes));
        };
        let mut changes = Vec::new();
        for (path, text) in differences(&found.about.identity, &self.identity) {
            match explain(&path, &found.about.identity, found.about.cursor) {
                Difference::Allowed => notes.push((text, false)),
                Difference::Change(None) => changes.push(text),
                Difference::Change(Some(more)) => changes.push(format!("{text} ({more})")),
            }
        }
        if !changes.is_empty() && !options.allow_changes {
            return Err(Error::Changed { path: found.path, changes: changes.join("; ") });
        }
        notes.extend(changes.into_iter().map(|text| (format!("changed: {text}"), true)));
        if without_threads(&found.about.device) != without_threads(device) {
            let before = &found.about.device;
            notes.push((
                format!("the checkpoint was written on {before}, this is {device}: results will differ by rounding"),
                true,
            ));
        }
        let Cursor { part, epoch, minibatch } = found.about.cursor;
        let place = match minibatch {
            0 => format!("after epoch {epoch}"),
            _ => format!("in epoch {}, after minibatch {minibatch}", epoch + 1),
        };
        let place = if part > 0 { format!("{place} of part {}", part + 1) } else { place };
        notes.push((format!("goes on from {}, {place}", found.path.display()), false));
        self.number = found.about.number;
        self.saved = Some(found.about.cursor);
        self.best = found.about.state["best"].as_f64().map(|best| (part, best));
        self.epochs_told = serde_json::from_value(found.about.state["told"].clone()).unwrap_or_default();
        Ok((Some(found), notes))
    }

    /// What a run does that diverges.
    pub(crate) fn on_divergence(&self) -> OnDivergence {
        self.checkpoints.shared.options.on_divergence
    }

    /// The newest checkpoint of this run, when it is written.
    pub(crate) fn last_good(&mut self) -> Option<Found> {
        self.is_free(true);
        // Those of other runs were moved away when this one began.
        self.files.newest().0
    }

    pub(crate) fn stage(&self) -> &str {
        &self.stage
    }

    /// When the next checkpoint is due by the time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let after = match self.writer.is_busy() {
            true => Duration::from_secs(1).max(self.checkpoints.shared.options.every),
            false => self.checkpoints.shared.options.every,
        };
        self.since.checked_add(after)
    }

    /// Counts an epoch, and tells whether a checkpoint is due after it.
    pub(crate) fn after_epoch(&mut self, part_ends: bool) -> bool {
        self.epochs += 1;
        let options = &self.checkpoints.shared.options;
        part_ends || options.epochs.is_some_and(|epochs| self.epochs >= epochs) || self.since.elapsed() >= options.every
    }

    /// Whether the run has moved since the last checkpoint.
    pub(crate) fn moved(&self, cursor: Cursor) -> bool {
        self.saved != Some(cursor)
    }

    /// Whether the writer has the model of this part; if not, it is to be given to it.
    pub(crate) fn needs_model(&self, part: usize) -> bool {
        self.modelled != Some(part)
    }

    pub(crate) fn set_model(&mut self, part: usize, modeller: Option<Modeller>) {
        self.modelled = Some(part);
        self.writer.part(modeller);
    }

    /// Whether a state of this many numbers is copied and written in the background.
    pub(crate) fn is_copied(numbers: usize) -> bool {
        4 * numbers <= COPIED
    }

    pub(crate) fn memory(&mut self) -> Vec<Vec<f32>> {
        self.writer.memory()
    }

    /// What a checkpoint here says about itself, and whether it is the best so far. `error` is that of an epoch that has just ended.
    pub(crate) fn about(&mut self, snapshot: &Snapshot, device: String, error: Option<f64>) -> (About, bool) {
        let part = snapshot.cursor.part;
        let before = self.best.filter(|(known, _)| *known == part).map(|(_, best)| best);
        let best = error.filter(|error| error.is_finite() && before.is_none_or(|before| *error < before));
        self.pending = best.or(before).map(|best| (part, best));
        self.number += 1;
        let mut state = snapshot.described();
        state["told"] = serde_json::json!(self.epochs_told);
        state["best"] = self.pending.map(|(_, best)| best).into();
        let about = About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stage: self.stage.clone(),
            number: self.number,
            device,
            cursor: snapshot.cursor,
            identity: self.identity.clone(),
            state,
        };
        (about, best.is_some())
    }

    /// Hands a checkpoint to the thread.
    pub(crate) fn hand_over(&mut self, job: Job) -> Option<String> {
        let bytes = 4 * job.values.iter().map(Vec::len).sum::<usize>();
        self.wrote(job.about.cursor);
        self.writer.write(job);
        let first = !std::mem::replace(&mut self.told, true);
        first.then(|| format!("checkpoints of {:.1} MB are written beside training", bytes as f64 / 1e6))
    }

    /// Takes note of a checkpoint.
    pub(crate) fn wrote(&mut self, cursor: Cursor) {
        (self.since, self.epochs, self.saved) = (Instant::now(), 0, Some(cursor));
    }

    /// Takes note of what became of a checkpoint, and gives what to tell of it.
    pub(crate) fn outcome(&mut self, result: strait_models::Result<()>) -> Option<String> {
        if result.is_ok() {
            self.best = self.pending;
            let path = self.files.path(super::stage::Which::Last);
            tracing::debug!(number = self.number, path = %path.display(), "wrote a checkpoint");
        }
        let failed = result.err().map(|error| {
            let path = self.files.path(super::stage::Which::Last);
            // It is tried again when the next one is due.
            self.saved = None;
            format!("{}: the checkpoint could not be written ({error}); training goes on", path.display())
        });
        self.checkpoints.set_failed(&self.stage, failed.clone());
        failed
    }

    /// Leaves a checkpoint out: the next one is due as if it had been written.
    pub(crate) fn postpone(&mut self) {
        self.since = Instant::now();
    }

    /// Whether the writer is free; waits for it where told to. Also gives what to tell of the checkpoint before.
    pub(crate) fn is_free(&mut self, wait: bool) -> (bool, Option<String>) {
        let done = self.writer.done(if wait { None } else { Some(Duration::ZERO) });
        let told = done.and_then(|done| self.outcome(done.result));
        (!self.writer.is_busy(), told)
    }
}

/// What a field that differs means.
pub enum Difference {
    /// Nothing: the results are those of a run that had this from the start.
    Allowed,
    /// The run is another one; and why, where that is not plain.
    Change(Option<String>),
}

/// A device's description without the number of threads, on which no bit depends.
fn without_threads(device: &str) -> &str {
    match device.rsplit_once(", ") {
        Some((rest, threads)) if threads.ends_with(" thread") || threads.ends_with(" threads") => rest,
        _ => device,
    }
}
