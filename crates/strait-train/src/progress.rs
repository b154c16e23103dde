//! What a trainer tells while it works.

use std::ops::ControlFlow;

use crate::{Error, Result};

/// What an epoch cost the host; zeros where the device is the CPU itself.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize)]
pub struct HostCost {
    /// Dispatches of a step.
    pub dispatches_per_step: f64,
    /// Microseconds that the host took to record them.
    pub host_microseconds_per_step: f64,
}

impl HostCost {
    pub(crate) fn of(metrics: &strait_compute::Metrics, steps: usize) -> Self {
        let each = |total: f64| total / steps as f64;
        Self {
            dispatches_per_step: each(metrics.dispatches as f64),
            host_microseconds_per_step: each(metrics.host_time.as_secs_f64() * 1e6),
        }
    }
}

/// Something that happened in training.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Part of an epoch is done.
    Rows {
        /// What is being trained, such as `RBM 784-1000`.
        stage: String,
        /// The epoch, counted from 1.
        epoch: usize,
        /// Epochs of this stage.
        epochs: usize,
        /// Rows trained on in this epoch.
        done: usize,
        /// Rows of an epoch.
        rows: usize,
    },
    /// An epoch is done.
    Epoch {
        /// What is being trained, such as `RBM 784-1000`.
        stage: String,
        /// The epoch, counted from 1.
        epoch: usize,
        /// Epochs of this stage.
        epochs: usize,
        /// The mean error of the epoch's minibatches: the squared reconstruction error in pretraining, the loss in
        /// fine-tuning.
        error: f64,
        /// The error on the test set, where there is one.
        test_error: Option<f64>,
        /// The mean free energy of rows held out less that of rows trained on, where it is watched.
        free_energy_gap: Option<f64>,
        /// Seconds of training, with the watching of free energies.
        seconds: f64,
        /// Rows of an epoch.
        rows: usize,
    },
}

impl Event {
    /// The same of another stage.
    pub(crate) fn of_stage(mut self, name: &str) -> Self {
        match &mut self {
            Self::Rows { stage, .. } | Self::Epoch { stage, .. } => name.clone_into(stage),
        }
        self
    }

    /// The same as one of a longer run of `all` epochs, of which `before` were done.
    pub(crate) fn within(mut self, before: usize, all: usize) -> Self {
        match &mut self {
            Self::Rows { epoch, epochs, .. } | Self::Epoch { epoch, epochs, .. } => {
                *epoch += before;
                *epochs = all;
            }
        }
        self
    }
}

/// One epoch of one stage: tells the observer how far it is, and an error how far it came.
pub(crate) struct Progress<'a, 'b> {
    pub(crate) stage: &'a str,
    pub(crate) epoch: usize,
    pub(crate) epochs: usize,
    pub(crate) rows: usize,
    pub(crate) batch: usize,
    pub(crate) done: usize,
    pub(crate) observer: &'a mut Observer<'b>,
}

impl Progress<'_, '_> {
    /// That many minibatches were handed to the device.
    pub(crate) fn tell(&mut self, batches: usize) -> ControlFlow<()> {
        self.done = (batches * self.batch).min(self.rows);
        let (epoch, epochs, done, rows) = (self.epoch, self.epochs, self.done, self.rows);
        (self.observer)(&Event::Rows { stage: self.stage.to_owned(), epoch, epochs, done, rows })
    }

    /// The result of a run: nothing if it was stopped, else the error with the place where it happened.
    pub(crate) fn outcome<T>(&self, result: strait_compute::Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(strait_compute::Error::Stopped { .. }) => Ok(None),
            Err(cause) => {
                let (stage, cause) = (self.stage.to_owned(), Box::new(cause));
                let (epoch, epochs, done, rows) = (self.epoch, self.epochs, self.done, self.rows);
                Err(Error::BrokeOff { stage, epoch, epochs, done, rows, cause })
            }
        }
    }
}

/// Hears of training, and may end it by breaking.
pub type Observer<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// The [`Observer`] that says nothing and lets training go on to its end.
pub fn silent(_event: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
