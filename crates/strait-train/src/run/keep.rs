//! How a run writes checkpoints and goes on from them.

use std::borrow::Cow;
use std::time::Instant;

use strait_compute::Tensor;

use super::Run;
use super::state::kept_of;
use crate::checkpoint::{Hashed, Job, Keeping, Notes, Tensors};
use crate::plan::Plan;
use crate::snapshot::{STATE, Snapshot};
use crate::{Error, Event, Result};

impl<'a, P: Plan<'a>> Run<'a, P> {
    /// Goes on from a checkpoint, where the run is to do so and there is one. Done once.
    pub(super) fn resume(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.resumed, true) {
            return Ok(());
        }
        self.plan.check_watching()?;
        self.compare(Hashed::Ends)?;
        if self.device.reducer().rank() > 0 {
            self.follows = self.keeping.take().is_some();
        }
        let Some(mut keeping) = self.keeping.take() else {
            if self.follows
                && let Some((cursor, state, tensors)) = self.of_first(None)?
            {
                self.restore(&Snapshot::from_checkpoint(cursor, &state, tensors)?)?;
            }
            return Ok(());
        };
        let device = self.device.describe();
        let plan = &self.plan;
        let (found, notes) = keeping
            .resume(plan.identity(Hashed::Whole), &device, &|field, before, at| plan.difference(field, before, at))?;
        let path = found.as_ref().map(|found| found.path.clone()).unwrap_or_default();
        let found = self.of_first(found.map(|found| (found.about.cursor, found.about.state, found.tensors)))?;
        if let Some((cursor, state, tensors)) = found {
            let unfit = |error: Error| match error {
                Error::Snapshot(message) => Error::Checkpoint {
                    path: path.clone(),
                    message: format!("no run of this recipe can go on from it: {message}"),
                },
                other => other,
            };
            let snapshot = Snapshot::from_checkpoint(cursor, &state, tensors);
            snapshot.and_then(|snapshot| self.restore(&snapshot)).map_err(unfit)?;
        }
        self.begun(&keeping);
        for (message, warning) in notes {
            self.note(keeping.stage().to_owned(), message, warning);
        }
        self.keeping = Some(keeping);
        Ok(())
    }

    pub(super) fn begun(&mut self, keeping: &Keeping) {
        let (run, epochs) = (keeping.stage().to_owned(), keeping.epochs_told().clone());
        self.ended |= (self.observer)(&Event::Begun { run, epochs }).is_break();
    }

    pub(super) fn note(&mut self, stage: String, message: String, warning: bool) {
        self.ended |= (self.observer)(&Event::Note { stage, message, warning }).is_break();
    }

    /// Writes a checkpoint, or hands it to the thread that does. Where that still writes the one before, it waits or, where it need not,
    /// leaves this one out.
    pub(super) fn checkpoint(&mut self, wait: bool) -> Result<()> {
        let Some(mut keeping) = self.keeping.take() else {
            return self.follow_checkpoint();
        };
        let kept = self.keep(&mut keeping, wait);
        let stage = keeping.stage().to_owned();
        self.keeping = Some(keeping);
        for (message, warning) in kept? {
            self.note(stage.clone(), message, warning);
        }
        Ok(())
    }

    fn keep(&mut self, keeping: &mut Keeping, wait: bool) -> Result<Notes> {
        let (free, failed) = keeping.is_free(wait);
        let mut notes: Notes = failed.into_iter().map(|message| (message, true)).collect();
        if !self.device.any_rank(free)? {
            keeping.postpone();
            return Ok(notes);
        }
        let mut snapshot = self.describe()?;
        let spread = self.spread()?;
        let Some(part) = &mut self.part else {
            return Ok(notes);
        };
        let number = snapshot.cursor.part;
        let (about, best) = keeping.about(&snapshot, self.device.describe(), self.error);
        let others = [snapshot.others(), spread].concat();
        let mut kept = kept_of(part);
        kept.retain(|(tensor, _)| !part.execution.is_spread(*tensor));
        let wanted: Vec<Tensor> = kept.iter().map(|(tensor, _)| *tensor).collect();
        let names = kept.into_iter().map(|(tensor, name)| (tensor, format!("{STATE}{name}")));
        if Keeping::is_copied(wanted.iter().map(Tensor::len).sum()) {
            if keeping.needs_model(number) {
                keeping.set_model(number, self.plan.modeller(number, part)?);
            }
            let mut values = keeping.memory();
            part.execution.read_into(&wanted, &mut values)?;
            let told = keeping.hand_over(Job { about, names: names.collect(), values, others, best });
            notes.extend(told.map(|message| (message, false)));
            return Ok(notes);
        }
        let start = Instant::now();
        let mut modeller = self.plan.modeller(number, part)?;
        let execution = &mut part.execution;
        let mut read = |tensor: Tensor| Ok(execution.read(tensor)?);
        let model = modeller.as_mut().map(|make| make(&mut read)).transpose()?;
        let model = model.map(|model| keeping.files.prepared(model)).transpose()?;
        let names: Vec<(Tensor, String)> = names.collect();
        let own = names.iter().map(|(tensor, name)| (name.as_str(), tensor.len()));
        let lengths: Vec<(&str, usize)> =
            own.chain(others.iter().map(|(name, values)| (name.as_str(), values.len()))).collect();
        let fetch = &mut |number: usize| match names.get(number) {
            Some((tensor, _)) => Ok(Cow::Owned(execution.read(*tensor)?)),
            None => Ok(Cow::Borrowed(others[number - names.len()].1.as_slice())),
        };
        keeping.wrote(about.cursor);
        let written = keeping.files.write(&about, model.as_ref(), Tensors { lengths: &lengths, fetch }, best);
        let bytes: usize = lengths.iter().map(|(_, length)| 4 * length).sum();
        match keeping.outcome(written) {
            Some(failed) => notes.push((failed, true)),
            None => notes.push((
                format!(
                    "a checkpoint of {:.0} MB was written in {:.1} s, in which training waited",
                    bytes as f64 / 1e6,
                    start.elapsed().as_secs_f64()
                ),
                false,
            )),
        }
        Ok(notes)
    }

    /// Waits for the checkpoint that is being written, and tells if it could not be.
    pub(super) fn await_checkpoint(&mut self) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let (_, failed) = keeping.is_free(true);
        let stage = keeping.stage().to_owned();
        if let Some(message) = failed {
            self.note(stage, message, true);
        }
    }
}
