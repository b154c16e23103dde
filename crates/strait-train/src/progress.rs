//! What a trainer tells while it works.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What an epoch cost the host; zeros where the device is the CPU itself.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
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
        /// The error on the rows held out for validation, where there are any.
        validation_error: Option<f64>,
        /// The mean free energy of rows held out less that of rows trained on, where it is watched.
        free_energy_gap: Option<f64>,
        /// What the learning rate was multiplied by beside its schedule.
        rate_factor: f32,
        /// Seconds of training, with the watching of free energies.
        seconds: f64,
        /// Rows of an epoch.
        rows: usize,
    },
    /// A run that keeps checkpoints begins, goes on from one, or goes back to one: what was told of later epochs no longer counts.
    Begun {
        /// The stage of the run, as its checkpoints are named.
        run: String,
        /// The epochs that are done, by what is trained.
        epochs: BTreeMap<String, usize>,
    },
    /// Something that a user should know: where a run goes on, how checkpoints are written, or that one could not be.
    Note {
        /// The stage of the run, as its checkpoints are named.
        stage: String,
        /// One sentence.
        message: String,
        /// Whether something is not as it should be.
        warning: bool,
    },
    /// An observer on another rank has ended the run.
    Stopped,
}

/// Called after every epoch and slice of work; return `Break` to stop training early.
pub(crate) type Observer<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;
