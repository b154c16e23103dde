//! What a trainer tells while it works.

use std::ops::ControlFlow;

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
        /// Seconds of training alone.
        seconds: f64,
        /// Rows of an epoch.
        rows: usize,
    },
}

/// Hears of training, and may end it by breaking.
pub type Observer<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// The [`Observer`] that says nothing and lets training go on to its end.
pub fn silent(_event: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
