//! The one loop in which everything is trained.

use std::ops::ControlFlow;
use std::time::Instant;

use strait_compute::{Device, Role, Step, Tensor};
use strait_models::minibatches;

use super::Run;
use super::state::tensors_of;
use crate::checkpoint::{Hashed, Keeping};
use crate::divergence::{GUARDED, Seen, guarded_part};
use crate::method::{Method, Outcome, Part, Place, Tally};
use crate::plan::{Epoch, Plan};
use crate::snapshot::Cursor;
use crate::{Error, Event, Result};

/// How far a call has come.
pub(super) enum Came {
    /// To the end of an epoch.
    Epoch,
    /// To a checkpoint that is due.
    Due,
    /// To where the observer stopped it.
    Stopped,
    /// To the end of the run.
    End,
}

impl<'a, P: Plan<'a>> Run<'a, P> {
    /// Trains to the end of an epoch, with the checkpoints that are due meanwhile.
    pub(super) fn advance(&mut self) -> Result<Came> {
        loop {
            let came = match self.advance_to_checkpoint() {
                Err(error @ Error::Diverged { .. }) => {
                    self.go_back(error)?;
                    continue;
                }
                came => came?,
            };
            match came {
                Came::Due => self.checkpoint(false)?,
                Came::Epoch => {
                    let part_ends = self.part_ends();
                    let due = |keeping: &mut Box<Keeping>| keeping.after_epoch(part_ends);
                    let due = self.keeping.as_mut().is_some_and(due);
                    if self.device.any_rank(due)? {
                        self.checkpoint(part_ends)?;
                    }
                    return Ok(Came::Epoch);
                }
                came => return Ok(came),
            }
        }
    }

    fn advance_to_checkpoint(&mut self) -> Result<Came> {
        loop {
            self.load()?;
            if self.part.is_none() {
                return Ok(Came::End);
            }
            if !self.part_ends() {
                break;
            }
            if self.cursor.part + 1 == self.plan.parts() {
                return Ok(Came::End);
            }
            self.close(true)?;
            self.cursor = Cursor { part: self.cursor.part + 1, ..Cursor::default() };
        }
        let Some(part) = &mut self.part else { unreachable!("it was loaded") };
        let (epoch, number) = (self.cursor.epoch, self.cursor.part);
        let (rows, batch) = (part.feed.count(), part.method.batch());
        let batches: Vec<(u32, u32)> = minibatches(rows, batch).collect();
        let mut start = Instant::now();
        let (order, changes) = self.order.of(epoch);
        if changes {
            part.feed.write_order(&mut *part.execution, order)?;
        }
        let (told, epochs) = self.plan.told(number, epoch + 1, part.method.epochs());
        let stage = part.method.stage().to_owned();
        let first = self.cursor.minibatch;
        let place = |minibatch: usize| Place { epoch, minibatch, minibatches: batches.len() };
        let step = |i: usize| step_of(&*part.method, place(i), batches[i], self.monitor.factor);
        let steps: Vec<Step> = (first..batches.len()).map(step).collect();
        let observer = &mut self.observer;
        let deadline = self.keeping.as_ref().and_then(|keeping| keeping.deadline());
        let (mut due, mut stopped) = (false, false);
        let mut tell = |done: usize| {
            // Between two checkpoints at least one slice of work is done.
            due = done > first && deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let done = (done * batch).min(rows);
            let stage = stage.clone();
            stopped = observer(&Event::Rows { stage, epoch: told, epochs, done, rows }).is_break();
            if due || stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.error = None;
        let mut done = first;
        let parts = batches.len().div_ceil(GUARDED);
        while done < batches.len() {
            // Of equal length, and where they are in a run that was not interrupted.
            let [begin, end] = guarded_part(done, batches.len(), parts);
            let seen = Seen::of(&self.tally);
            let guarded = &steps[done - first..end - first];
            let ran = train(&self.device, part, guarded, done, order, &mut self.tally, &mut tell);
            self.tally.seconds += std::mem::replace(&mut start, Instant::now()).elapsed().as_secs_f64();
            let now = ran.map_err(|(done, cause)| {
                let (cause, done) = (Box::new(cause), (done * batch).min(rows));
                Error::BrokeOff { stage: stage.clone(), epoch: told, epochs, done, rows, cause }
            })?;
            let whole = (now == end).then_some(begin * batch);
            if let Some((step, error)) = seen.wrong(&self.tally, (done, now), whole, &mut self.monitor) {
                self.cursor.minibatch = done;
                let found = (error, self.device.take_not_finite());
                return Err(diverged(&*part.method, told, Some(step + 1), self.monitor.factor, found));
            }
            done = now;
            if whole.is_none() {
                break;
            }
        }
        self.cursor.minibatch = done;
        if done < batches.len() {
            let stopped = self.stopped(stopped)?;
            self.ended = stopped;
            return Ok(if stopped { Came::Stopped } else { Came::Due });
        }
        let start = Instant::now();
        let outcome = part.method.outcome(&mut *part.execution, &self.tally, rows)?;
        let measured = start.elapsed().as_secs_f64();
        if !outcome.error.is_finite() {
            let found = (outcome.error, self.device.take_not_finite());
            return Err(diverged(&*part.method, told, None, self.monitor.factor, found));
        }
        // Watching free energies counts, measuring on a test set does not.
        let seconds = self.tally.seconds + if outcome.free_energy_gap.is_some() { measured } else { 0.0 };
        let cost = self.tally.cost(batches.len());
        self.tally = Tally::default();
        self.cursor = Cursor { part: number, epoch: epoch + 1, minibatch: 0 };
        let record = self
            .plan
            .record(number, Epoch { epoch: epoch + 1, outcome, seconds, rate_factor: self.monitor.factor, cost });
        self.records[number].push(record);
        let test_error = outcome.test.map(|(error, _)| error);
        let (error, free_energy_gap) = (outcome.error, outcome.free_energy_gap);
        self.error = Some(test_error.unwrap_or(error));
        if let Some(keeping) = &mut self.keeping {
            keeping.told_epoch(&stage, told);
        }
        let (validation_error, rate_factor) = (outcome.validation, self.monitor.factor);
        let event = Event::Epoch {
            stage,
            epoch: told,
            epochs,
            error,
            test_error,
            validation_error,
            free_energy_gap,
            rate_factor,
            seconds,
            rows,
        };
        self.ended = (self.observer)(&event).is_break();
        self.judge(told, &outcome)?;
        if !std::mem::replace(&mut self.compared, true) {
            self.compare(Hashed::Whole)?;
        }
        Ok(Came::Epoch)
    }

    /// Ends the part, or lowers its rate, if this epoch has not helped.
    fn judge(&mut self, told: usize, outcome: &Outcome) -> Result<()> {
        let watching = self.plan.watching();
        let (Some(judged), Some(part), true) = (outcome.judged(), &mut self.part, watching.judges()) else {
            return Ok(());
        };
        let stage = part.method.stage().to_owned();
        let verdict = self.monitor.judge(&watching, judged, told);
        if verdict.best && watching.early_stopping.is_some_and(|stopping| stopping.restore_best) {
            let parameters: Vec<Tensor> = tensors_of(part, &[Role::Parameter]).map(|(tensor, _)| tensor).collect();
            let values = part.execution.read_many(&parameters)?;
            self.best = parameters.into_iter().zip(values).collect();
        }
        for note in verdict.notes {
            self.note(stage.clone(), note, false);
        }
        Ok(())
    }
}

/// The step on a minibatch, with the factor by which the learning rate was lowered.
pub(super) fn step_of(method: &dyn Method, place: Place, minibatch: (u32, u32), factor: f32) -> Step {
    let step = method.step(place, minibatch);
    Step { learning_rate: step.learning_rate * factor, ..step }
}

/// Runs these steps, the first of which is that of the minibatch `first`. Gives the number of minibatches of the epoch that are
/// done then, also beside an error.
pub(super) fn train(
    device: &Device,
    part: &mut Part<'_>,
    steps: &[Step],
    first: usize,
    order: &[u32],
    tally: &mut Tally,
    tell: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> std::result::Result<usize, (usize, strait_compute::Error)> {
    let Part { execution, feed, source, method, .. } = part;
    let rows = source.on_host();
    let rows = rows.as_ref().map(|rows| (rows, order));
    let mut done = first;
    if !method.minimises() {
        let mut control = |steps: usize| {
            done = first + steps;
            tell(done)
        };
        let ran = feed.run(&mut **execution, method.routines(), steps, rows, &mut control);
        return match ran {
            Ok(metrics) => {
                let steps = metrics.steps;
                tally.metrics.append(metrics);
                Ok(first + steps)
            }
            Err(error) => Err((done, error)),
        };
    }
    for step in steps {
        let failed = |error| (done, error);
        if device.any_rank(tell(done).is_break()).map_err(failed)? {
            return Ok(done);
        }
        feed.fetch(&mut **execution, method.routines()[0], step, rows).map_err(failed)?;
        let loss = method.minimise(&mut **execution, step).map_err(failed)?;
        tally.minimised += loss * f64::from(step.rows);
        done += 1;
    }
    Ok(done)
}

/// The error of a divergence: what was found, and of several ranks in whose rows.
pub(super) fn diverged(
    method: &dyn Method,
    epoch: usize,
    step: Option<usize>,
    factor: f32,
    (error, rank): (f64, Option<usize>),
) -> Error {
    let (stage, rate) = (method.stage().to_owned(), method.rate() * f64::from(factor));
    Error::Diverged { stage, epoch, step, rate, error, rank, operation: None }
}
