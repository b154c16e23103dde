//! A training run as a value: what it holds, and what its owner can do with it.

mod advance;
mod diverging;
mod keep;
mod order;
mod ranks;
pub(crate) mod state;

use std::ops::ControlFlow;

use strait_compute::{Device, Tensor};

use self::advance::{Came, diverged};
use self::order::Order;
use crate::checkpoint::{Checkpoints, Keeping};
use crate::method::{Part, Tally, Visits};
use crate::monitor::Monitor;
use crate::plan::Plan;
use crate::progress::Observer;
use crate::snapshot::Cursor;
use crate::{Event, Result};

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
    /// Whether rank 0 keeps checkpoints for this rank, too.
    follows: bool,
    /// Whether the ranks have compared all of their data.
    compared: bool,
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
            follows: false,
            compared: false,
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
        if begins && self.has_ended()? {
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
        while !self.has_ended()? && matches!(self.advance()?, Came::Epoch) {}
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
        let moved = self.keeping.as_ref().is_some_and(|keeping| keeping.moved(self.cursor));
        if self.device.any_rank(moved)? {
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
            return Err(diverged(&*part.method, self.cursor.epoch, None, self.monitor.factor, (error, None)));
        }
        self.monitor = Monitor::default();
        self.best.clear();
        self.plan.end(&self.device, number, goes_on, part)
    }

    /// The part under way, loaded, and the plan.
    pub(crate) fn loaded(&mut self) -> Result<(&mut P, Option<&mut Part<'a>>)> {
        self.load()?;
        Ok((&mut self.plan, self.part.as_mut()))
    }
}
