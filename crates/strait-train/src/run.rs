//! The one loop in which everything is trained.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::Instant;

use strait_compute::philox::Stream;
use strait_compute::{Device, Role, Step, Tensor};
use strait_models::minibatches;

use crate::checkpoint::{Checkpoints, Job, Keeping, Notes, OnDivergence, Tensors};
use crate::divergence::{GUARDED, HALVINGS, LOOKED_FOR, Seen, first_not_finite, guarded_part};
use crate::method::{Method, Outcome, Part, Place, Tally, Visits};
use crate::monitor::Monitor;
use crate::plan::{Epoch, Plan};
use crate::progress::Observer;
use crate::snapshot::{Cursor, STATE, Snapshot};
use crate::{Error, Event, Result};

/// A training run: what has been learned, and where it is.
///
/// It is stepped epoch by epoch, looked into in between, and its whole state can be read out and written back. The recipes make
/// runs: [`FineTune::run`](crate::FineTune::run), [`Pretrain::run`](crate::Pretrain::run) and their kin. Their `fit` is a
/// run to the end.
///
/// ```
/// use strait_models::Autoencoder;
/// use strait_train::{FineTune, Optimizer};
/// let device = strait_compute::Device::cpu()?;
/// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
/// let rows = strait_data::Rows::bytes(&pixels, 4)?;
/// let mut net = Autoencoder::glorot(&[4, 8, 1], 1)?;
/// let recipe = FineTune { epochs: 30, batch: 10, optimizer: Optimizer::adam(0.02), ..FineTune::default() };
/// let mut run = recipe.run(&device, &mut net, rows)?.test(rows)?;
/// let mut best = None;
/// while let Some(epoch) = run.epoch()? {
///     let error = epoch.test_error.expect("there is a test set");
///     if best.as_ref().is_none_or(|(lowest, _)| error < *lowest) {
///         best = Some((error, run.snapshot()?));
///     }
/// }
/// if let Some((_, snapshot)) = best {
///     run.restore(&snapshot)?;
/// }
/// run.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Run<'a, P: Plan<'a>> {
    device: Device,
    plan: P,
    observer: Box<Observer<'a>>,
    cursor: Cursor,
    part: Option<Part<'a>>,
    begun: bool,
    /// Draws the orders of the epochs of a part.
    order: Order,
    tally: Tally,
    records: Vec<Vec<P::Record>>,
    /// Whether the observer has ended the run.
    ended: bool,
    /// What the last epoch came to, until the next one begins.
    error: Option<f64>,
    monitor: Monitor,
    /// The parameters of the best epoch of the part, where they are to be given out.
    best: Vec<(Tensor, Vec<f32>)>,
    keeping: Option<Box<Keeping>>,
    /// Whether the run has gone on from a checkpoint, if there is one.
    resumed: bool,
}

/// The orders in which rows are visited, epoch by epoch.
struct Order {
    visits: Visits,
    stream: Stream,
    rows: usize,
    /// Epochs whose orders have been drawn.
    drawn: usize,
    current: Vec<u32>,
}

impl Order {
    fn new(visits: Visits, rows: usize) -> Self {
        let stream = match visits {
            Visits::Shuffled { seed, stream } | Visits::Once { seed, stream } => Stream::new(seed, stream),
            Visits::InOrder => Stream::new(0, 0),
        };
        Self { visits, stream, rows, drawn: 0, current: Vec::new() }
    }

    /// The order of an epoch, which is not before the last one asked for, and whether it is another one than before.
    fn of(&mut self, epoch: usize) -> (&[u32], bool) {
        let wanted = if matches!(self.visits, Visits::Shuffled { .. }) { epoch + 1 } else { 1 };
        let changes = self.drawn < wanted;
        while self.drawn < wanted {
            self.current = match self.visits {
                Visits::InOrder => (0..self.rows as u32).collect(),
                _ => self.stream.order(self.rows),
            };
            self.drawn += 1;
        }
        (&self.current, changes)
    }
}

/// How far a call has come.
enum Came {
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
    pub(crate) fn new(device: &Device, plan: P) -> Self {
        Self {
            device: device.clone(),
            plan,
            observer: Box::new(|_| ControlFlow::Continue(())),
            cursor: Cursor::default(),
            part: None,
            begun: false,
            order: Order::new(Visits::InOrder, 0),
            tally: Tally::default(),
            records: Vec::new(),
            ended: false,
            error: None,
            monitor: Monitor::default(),
            best: Vec::new(),
            keeping: None,
            resumed: false,
        }
    }

    pub(crate) fn plan_mut(&mut self) -> &mut P {
        &mut self.plan
    }

    /// Calls `observer` after every epoch and slice of work; it ends the run by giving `Break`.
    pub fn observe(mut self, observer: impl FnMut(&Event) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Lets the run keep checkpoints of itself, by this name, and go on from the last one where that was asked for; see
    /// [`Checkpoints`].
    pub fn checkpoints(mut self, checkpoints: &Checkpoints, name: &str) -> Self {
        self.keeping = Some(Box::new(Keeping::new(checkpoints, name)));
        self
    }

    /// Where the run is.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Trains to the end of the epoch under way, or of the next one, and gives its record; nothing where the run is at its end or
    /// the observer ended it.
    ///
    /// # Errors
    /// If the device fails, or an error is not finite.
    pub fn epoch(&mut self) -> Result<Option<P::Record>> {
        let begins = !self.resumed;
        self.resume()?;
        if begins && self.ended {
            return Ok(None);
        }
        match self.advance()? {
            Came::Epoch => Ok(self.records.last().and_then(|part| part.last()).cloned()),
            Came::Stopped | Came::Due | Came::End => Ok(None),
        }
    }

    /// Trains to the end, and gives the results.
    ///
    /// # Errors
    /// As [`Run::epoch`]. What was to be trained is then as it was before.
    pub fn train(mut self) -> Result<P::Output> {
        self.resume()?;
        // The observer may end it before the first step.
        while !self.ended && matches!(self.advance()?, Came::Epoch) {}
        self.stop()
    }

    /// Ends the run where it is, and gives what it has learned.
    ///
    /// # Errors
    /// If the device fails, or a parameter is not finite.
    pub fn stop(mut self) -> Result<P::Output> {
        self.resume()?;
        let complete = self.is_complete();
        self.load()?;
        if self.keeping.as_ref().is_some_and(|keeping| keeping.moved(self.cursor)) {
            self.checkpoint(true)?;
        }
        self.await_checkpoint();
        if self.part.is_some() {
            self.close(false)?;
        }
        self.plan.output(self.records, !complete)
    }

    /// Whether nothing is left to be trained.
    fn is_complete(&self) -> bool {
        let (part, last) = (self.cursor.part, self.plan.parts());
        part >= last || (part + 1 == last && self.part_ends())
    }

    /// Whether the part under way has all its epochs, or was ended early.
    fn part_ends(&self) -> bool {
        self.monitor.ended || self.cursor.epoch >= self.plan.epochs_of(self.cursor.part)
    }

    /// Loads the part that is under way, if it is not loaded.
    fn load(&mut self) -> Result<()> {
        if !self.begun {
            self.plan.begin(&self.device)?;
            self.begun = true;
        }
        if self.part.is_none() && self.cursor.part < self.plan.parts() {
            let mut part = self.plan.start(&self.device, self.cursor.part)?;
            let rows = part.feed.count();
            self.order = Order::new(part.method.visits(), rows);
            if let Some(rows) = part.source.on_host() {
                part.feed.upload(&mut *part.execution, &rows)?;
            }
            self.part = Some(part);
            self.records.resize_with(self.records.len().max(self.cursor.part + 1), Vec::new);
        }
        Ok(())
    }

    /// Takes over what the part under way has learned, and ends it.
    fn close(&mut self, goes_on: bool) -> Result<()> {
        let Some(mut part) = self.part.take() else {
            return Ok(());
        };
        let number = self.cursor.part;
        let best: Vec<(Tensor, &[f32])> = self.best.iter().map(|(tensor, values)| (*tensor, &values[..])).collect();
        part.execution.write_many(&best)?;
        self.plan.take(number, &mut part)?;
        if let Some(error) = self.plan.wrong(number) {
            return Err(diverged(&*part.method, self.cursor.epoch, None, self.monitor.factor, error));
        }
        drop(part);
        self.monitor = Monitor::default();
        self.best.clear();
        self.plan.end(&self.device, number, goes_on)
    }

    /// Trains to the end of an epoch, with the checkpoints that are due meanwhile.
    fn advance(&mut self) -> Result<Came> {
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
                    if self.keeping.as_mut().is_some_and(due) {
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
        let mut steps: Vec<Step> = (first..batches.len()).map(|i| part.method.step(place(i), batches[i])).collect();
        steps.iter_mut().for_each(|step| step.learning_rate *= self.monitor.factor);
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
            let ran = train(part, guarded, done, order, &mut self.tally, &mut tell);
            self.tally.seconds += std::mem::replace(&mut start, Instant::now()).elapsed().as_secs_f64();
            let now = ran.map_err(|(done, cause)| {
                let (cause, done) = (Box::new(cause), (done * batch).min(rows));
                Error::BrokeOff { stage: stage.clone(), epoch: told, epochs, done, rows, cause }
            })?;
            let whole = (now == end).then_some(begin * batch);
            if let Some((step, error)) = seen.wrong(&self.tally, (done, now), whole, &mut self.monitor) {
                self.cursor.minibatch = done;
                return Err(diverged(&*part.method, told, Some(step + 1), self.monitor.factor, error));
            }
            done = now;
            if whole.is_none() {
                break;
            }
        }
        self.cursor.minibatch = done;
        if done < batches.len() {
            self.ended = stopped;
            return Ok(if stopped { Came::Stopped } else { Came::Due });
        }
        let start = Instant::now();
        let outcome = part.method.outcome(&mut *part.execution, &self.tally, rows)?;
        let measured = start.elapsed().as_secs_f64();
        if !outcome.error.is_finite() {
            return Err(diverged(&*part.method, told, None, self.monitor.factor, outcome.error));
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
        Ok(Came::Epoch)
    }

    /// After a divergence: goes back to the last checkpoint with half the rate, where that is wanted, or else gives the error, with the
    /// operation that did it.
    fn go_back(&mut self, error: Error) -> Result<()> {
        let at = self.cursor;
        let halved = self.monitor.halved;
        let mut keeping = self.keeping.take();
        let wanted = keeping.as_ref().is_some_and(|keeping| keeping.on_divergence() == OnDivergence::HalveRate);
        let minimises = self.part.as_ref().is_some_and(|part| part.method.minimises());
        let halves = wanted && halved < HALVINGS && !minimises && self.plan.rates_follow();
        let good = keeping.as_mut().and_then(|keeping| keeping.last_good());
        let good = good.filter(|found| found.about.cursor.part == at.part);
        let told = good.as_ref().map(|found| found.about.state["told"].clone());
        let good = good.map(|found| Snapshot::from_checkpoint(found.about.cursor, &found.about.state, found.tensors));
        let good = good.transpose()?.filter(|good| good.monitor.halved <= halved);
        let there = good.is_some() || self.plan.rewind(at.part);
        let restarted = if there { self.restart(at.part, good.as_ref()) } else { Ok(()) };
        if !(halves && there) {
            let found = restarted.and_then(|()| if there { self.look_for(at) } else { Ok(None) });
            self.keeping = keeping;
            return Err(match error {
                Error::Diverged { stage, epoch, step, rate, error, .. } => {
                    // A search that fails leaves the error as it is.
                    Error::Diverged { stage, epoch, step, rate, error, operation: found.unwrap_or(None) }
                }
                other => other,
            });
        }
        let mut run = String::new();
        if let Some(keeping) = &mut keeping {
            let stage = if let Error::Diverged { stage, .. } = &error { stage } else { "" };
            keeping.go_back(told, stage);
            self.begun(keeping);
            keeping.stage().clone_into(&mut run);
        }
        self.keeping = keeping;
        restarted?;
        self.monitor.halved = halved + 1;
        self.monitor.factor *= 0.5_f32.powi((halved + 1 - good.map_or(0, |good| good.monitor.halved)) as i32);
        let (Cursor { epoch, minibatch, .. }, factor) = (self.cursor, self.monitor.factor);
        let from = if minibatch == 0 { format!("after epoch {epoch}") } else { format!("in epoch {}", epoch + 1) };
        let message = format!(
            "{error}; it goes back to its state {from} and on with a learning rate of {factor} of the recipe's ({} of {HALVINGS})",
            halved + 1
        );
        self.note(run, message, true);
        Ok(())
    }

    /// Goes back to a snapshot of this part, or to the part's beginning.
    fn restart(&mut self, part: usize, good: Option<&Snapshot>) -> Result<()> {
        if let Some(good) = good {
            return self.restore(good);
        }
        let records = self.records.get_mut(part).map(std::mem::take);
        drop(records);
        self.part = None;
        self.cursor = Cursor { part, ..Cursor::default() };
        (self.monitor, self.tally) = (Monitor::default(), Tally::default());
        self.best.clear();
        self.load()
    }

    /// Goes over the steps again from here, up to a minibatch in which something was not finite, and finds what was so first: the
    /// operation and its step. Gives up after a minute.
    fn look_for(&mut self, at: Cursor) -> Result<Option<String>> {
        let Some(part) = &mut self.part else {
            return Ok(None);
        };
        let start = Instant::now();
        let batches: Vec<(u32, u32)> = minibatches(part.feed.count(), part.method.batch()).collect();
        let routine = part.method.routines()[0];
        for epoch in self.cursor.epoch..=at.epoch {
            let (order, changes) = self.order.of(epoch);
            if changes {
                part.feed.write_order(&mut *part.execution, order)?;
            }
            let first = if epoch == self.cursor.epoch { self.cursor.minibatch } else { 0 };
            for minibatch in first..batches.len() {
                if start.elapsed() > LOOKED_FOR {
                    return Ok(None);
                }
                let place = Place { epoch, minibatch, minibatches: batches.len() };
                let mut step = part.method.step(place, batches[minibatch]);
                step.learning_rate *= self.monitor.factor;
                let ran = train(part, &[step], minibatch, order, &mut self.tally, &mut |_| ControlFlow::Continue(()));
                ran.map_err(|(_, cause)| cause)?;
                // Looking at everything is slow: far from the place the parameters tell.
                let near = epoch == at.epoch && minibatch + 1 >= at.minibatch;
                if (near || minibatch % 100 == 0 || minibatch + 1 == batches.len())
                    && let Some(found) = first_not_finite(&mut *part.execution, routine)?
                {
                    return Ok(Some(format!("{found} in step {} of epoch {}", minibatch + 1, epoch + 1)));
                }
            }
        }
        Ok(None)
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

    /// Goes on from a checkpoint, where the run is to do so and there is one. Done once.
    fn resume(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.resumed, true) {
            return Ok(());
        }
        self.plan.check_watching()?;
        let Some(mut keeping) = self.keeping.take() else {
            return Ok(());
        };
        let device = self.device.describe();
        let plan = &self.plan;
        let (found, notes) =
            keeping.resume(plan.identity(), &device, &|field, before, at| plan.difference(field, before, at))?;
        if let Some(found) = found {
            let unfit = |error: Error| match error {
                Error::Snapshot(message) => Error::Checkpoint {
                    path: found.path.clone(),
                    message: format!("no run of this recipe can go on from it: {message}"),
                },
                other => other,
            };
            let snapshot = Snapshot::from_checkpoint(found.about.cursor, &found.about.state, found.tensors);
            snapshot.and_then(|snapshot| self.restore(&snapshot)).map_err(unfit)?;
        }
        self.begun(&keeping);
        for (message, warning) in notes {
            self.note(keeping.stage().to_owned(), message, warning);
        }
        self.keeping = Some(keeping);
        Ok(())
    }

    fn begun(&mut self, keeping: &Keeping) {
        let (run, epochs) = (keeping.stage().to_owned(), keeping.epochs_told().clone());
        self.ended |= (self.observer)(&Event::Begun { run, epochs }).is_break();
    }

    fn note(&mut self, stage: String, message: String, warning: bool) {
        self.ended |= (self.observer)(&Event::Note { stage, message, warning }).is_break();
    }

    /// Writes a checkpoint, or hands it to the thread that does. Where that still writes the one before, it waits or, where it need not,
    /// leaves this one out.
    fn checkpoint(&mut self, wait: bool) -> Result<()> {
        let Some(mut keeping) = self.keeping.take() else {
            return Ok(());
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
        if !free {
            keeping.postpone();
            return Ok(notes);
        }
        let mut snapshot = self.describe()?;
        let Some(part) = &mut self.part else {
            return Ok(notes);
        };
        let number = snapshot.cursor.part;
        let (about, best) = keeping.about(&snapshot, self.device.describe(), self.error);
        let others = snapshot.others();
        let kept = kept_of(part);
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

    /// The parameters of the best epoch by their names.
    fn named_best(&self) -> Vec<(String, Vec<f32>)> {
        let Some(part) = &self.part else {
            return Vec::new();
        };
        let name = |tensor: Tensor| part.execution.program().name(tensor).to_owned();
        self.best.iter().map(|(tensor, values)| (name(*tensor), values.clone())).collect()
    }

    /// Waits for the checkpoint that is being written, and tells if it could not be.
    fn await_checkpoint(&mut self) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let (_, failed) = keeping.is_free(true);
        let stage = keeping.stage().to_owned();
        if let Some(message) = failed {
            self.note(stage, message, true);
        }
    }

    /// A snapshot without the tensors of the part under way.
    fn describe(&mut self) -> Result<Snapshot> {
        self.load()?;
        let (finished, progress) = self.plan.save();
        let json = |error: serde_json::Error| Error::Snapshot(error.to_string());
        Ok(Snapshot {
            cursor: self.cursor,
            tensors: Vec::new(),
            monitor: self.monitor.clone(),
            best: self.named_best(),
            finished,
            tally: self.tally.clone(),
            progress: serde_json::to_string(&progress).map_err(json)?,
            records: serde_json::to_string(&self.records).map_err(json)?,
        })
    }

    /// The whole state of the run: where it is, what it has learned, what its optimiser keeps, its records. Any number of
    /// further steps from it give the same bits as the run itself, on the CPU and on one GPU; the oracle computes in double precision, and
    /// its snapshots are rounded.
    ///
    /// # Errors
    /// The device's own.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let mut snapshot = self.describe()?;
        if let Some(part) = &mut self.part {
            let kept = kept_of(part);
            let wanted: Vec<Tensor> = kept.iter().map(|(tensor, _)| *tensor).collect();
            let values = part.execution.read_many(&wanted)?;
            snapshot.tensors = kept.into_iter().map(|(_, name)| name).zip(values).collect();
        }
        Ok(snapshot)
    }

    /// Goes on from where a run of the same recipe, model and rows was when this snapshot was taken.
    ///
    /// # Errors
    /// [`Error::Snapshot`] if it is that of another run; the device's own.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        let Cursor { part: number, epoch, minibatch } = snapshot.cursor;
        if number >= self.plan.parts() || epoch > self.plan.epochs_of(number) {
            let message = format!("it was taken in epoch {epoch} of part {number}, which this run has not");
            return Err(Error::Snapshot(message));
        }
        let unread = |error: serde_json::Error| Error::Snapshot(format!("its progress cannot be read ({error})"));
        let progress = serde_json::from_str(&snapshot.progress).map_err(unread)?;
        let records = serde_json::from_str(&snapshot.records).map_err(unread)?;
        let mut find = |name: &str| snapshot.of_finished(name);
        if !self.begun {
            self.plan.begin(&self.device)?;
            self.begun = true;
        }
        let same = self.plan.restore(&self.device, number, &mut find, progress)?;
        // What is loaded stays where it is the same part, on the same rows.
        if number != self.cursor.part || !same {
            self.part = None;
        }
        self.cursor = Cursor { part: number, epoch: 0, minibatch: 0 };
        self.load()?;
        let Some(part) = &mut self.part else { unreachable!("it was loaded") };
        let program = part.execution.program();
        let kept = program.tensors().filter(|(_, _, role)| matches!(role, Role::Parameter | Role::State));
        let mut values = Vec::new();
        for (tensor, name, _) in kept {
            values.push((tensor, snapshot.of_part(name, tensor.len())?));
        }
        if values.len() != snapshot.tensors.len() {
            let (found, expected) = (snapshot.tensors.len(), values.len());
            return Err(Error::Snapshot(format!("it holds {found} tensors, but this run has {expected}")));
        }
        part.execution.write_many(&values)?;
        let mut best = Vec::new();
        for (name, values) in &snapshot.best {
            let found = tensors_of(part, &[Role::Parameter])
                .find(|(tensor, known)| known == name && tensor.len() == values.len());
            let (tensor, _) = found.ok_or_else(|| Error::Snapshot(format!("this run has no parameter `{name}`")))?;
            best.push((tensor, values.clone()));
        }
        self.order = Order::new(part.method.visits(), part.feed.count());
        if minibatch > 0 {
            let (order, _) = self.order.of(epoch);
            part.feed.write_order(&mut *part.execution, order)?;
        }
        self.cursor = snapshot.cursor;
        (self.monitor, self.best) = (snapshot.monitor.clone(), best);
        self.tally = snapshot.tally.clone();
        self.records = records;
        self.ended = false;
        Ok(())
    }

    /// The part under way, loaded, and the plan.
    pub(crate) fn loaded(&mut self) -> Result<(&mut P, Option<&mut Part<'a>>)> {
        self.load()?;
        Ok((&mut self.plan, self.part.as_mut()))
    }
}

/// The tensors of a part that a snapshot holds, with their names.
fn kept_of(part: &Part<'_>) -> Vec<(Tensor, String)> {
    tensors_of(part, &[Role::Parameter, Role::State]).collect()
}

fn tensors_of<'p>(part: &'p Part<'_>, roles: &'p [Role]) -> impl Iterator<Item = (Tensor, String)> + use<'p> {
    let tensors = part.execution.program().tensors();
    tensors.filter(|(_, _, role)| roles.contains(role)).map(|(tensor, name, _)| (tensor, name.to_owned()))
}

/// Runs these steps, the first of which is that of the minibatch `first`. Gives the number of minibatches of the epoch that are
/// done then, also beside an error.
fn train(
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
        if tell(done).is_break() {
            return Ok(done);
        }
        let failed = |error| (done, error);
        feed.fetch(&mut **execution, method.routines()[0], step, rows).map_err(failed)?;
        let loss = method.minimise(&mut **execution, step).map_err(failed)?;
        tally.minimised += loss * f64::from(step.rows);
        done += 1;
    }
    Ok(done)
}

fn diverged(method: &dyn Method, epoch: usize, step: Option<usize>, factor: f32, error: f64) -> Error {
    let (stage, rate) = (method.stage().to_owned(), method.rate() * f64::from(factor));
    Error::Diverged { stage, epoch, step, rate, error, operation: None }
}
