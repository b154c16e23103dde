//! What a run needs to know of a way to train: how its steps follow each other, and what an epoch amounts to.

use strait_compute::{Execution, Metrics, Step};
use strait_data::{Kept, Rows};

use crate::Result;
use crate::feed::Feed;
use crate::monitor::Judged;
use crate::progress::HostCost;

/// A part of a run that is loaded on a device: a program, its rows, and the method that trains it.
pub struct Part<'a> {
    pub(crate) execution: Box<dyn Execution>,
    pub(crate) feed: Feed,
    pub(crate) source: Source<'a>,
    pub(crate) method: Box<dyn Method + 'a>,
}

/// The rows that a part is trained on.
#[derive(Clone)]
pub(crate) enum Source<'a> {
    /// On the host.
    Host(Rows<'a>),
    /// On the host: made by an earlier part.
    Made(std::sync::Arc<Kept>),
    /// On the device, in the order in which they are visited.
    Device(strait_compute::Buffer),
}

impl Source<'_> {
    /// The rows, where they are on the host.
    pub(crate) fn on_host(&self) -> Option<Rows<'_>> {
        match self {
            Self::Host(rows) => Some(*rows),
            Self::Made(kept) => Some(kept.rows()),
            Self::Device(_) => None,
        }
    }
}

/// The order in which the rows are visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visits {
    /// Drawn anew for each epoch from this stream of this seed.
    Shuffled {
        /// The seed.
        seed: u64,
        /// The stream.
        stream: u32,
    },
    /// The same in all epochs, drawn once from this stream of this seed: minibatches stay the same.
    Once {
        /// The seed.
        seed: u64,
        /// The stream.
        stream: u32,
    },
    /// As the rows lie.
    InOrder,
}

/// Where a step is in its part of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The epoch, counted from 0.
    pub(crate) epoch: usize,
    /// The minibatch in the epoch.
    pub(crate) minibatch: usize,
    /// Minibatches of an epoch.
    pub(crate) minibatches: usize,
}

impl Place {
    /// The number of the step in its part of the run.
    pub(crate) fn number(&self) -> usize {
        self.epoch * self.minibatches + self.minibatch
    }
}

/// What the minibatches of an epoch have given so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) metrics: Metrics,
    /// Of minimisers: the sum over the rows of the losses at which they ended.
    pub(crate) minimised: f64,
    pub(crate) seconds: f64,
}

impl Tally {
    /// What the epoch cost the host.
    pub(crate) fn cost(&self, steps: usize) -> HostCost {
        HostCost::of(&self.metrics, steps)
    }
}

/// What an epoch amounts to.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Outcome {
    /// The error or loss that is reported for the rows trained on.
    pub(crate) error: f64,
    /// Error and loss on rows held out.
    pub(crate) test: Option<(f64, f64)>,
    /// The error on rows held out for validation.
    pub(crate) validation: Option<f64>,
    /// The mean free energy of rows held out less that of rows trained on.
    pub(crate) free_energy_gap: Option<f64>,
}

impl Outcome {
    /// What is judged, if there is something.
    pub(crate) fn judged(&self) -> Option<Judged> {
        let error = self.validation.or(self.test.map(|(error, _)| error)).map(Judged::Error);
        error.or(self.free_energy_gap.map(Judged::Gap))
    }
}

/// A way to train.
pub(crate) trait Method {
    /// What events call it.
    fn stage(&self) -> &str;

    /// Its epochs.
    fn epochs(&self) -> usize;

    /// Rows of a minibatch.
    fn batch(&self) -> usize;

    /// The learning rate, for the message of a run that diverges.
    fn rate(&self) -> f64;

    /// The order of the rows.
    fn visits(&self) -> Visits;

    /// For each place of the feed, the routine of a step; of a minimiser, that which gathers a minibatch.
    fn routines(&self) -> &[strait_compute::RoutineId];

    /// The numbers of a step on the minibatch `(offset, rows)`.
    fn step(&self, place: Place, minibatch: (u32, u32)) -> Step;

    /// Goes on by another recipe for the same program, after `before` steps of the optimiser.
    fn retune(&mut self, _recipe: crate::FineTune, _before: usize) {
        unreachable!("only back-propagation has parts that share a program");
    }

    /// Whether [`Method::minimise`] works on each minibatch that was gathered.
    fn minimises(&self) -> bool {
        false
    }

    /// Minimises the loss of the gathered minibatch, and gives where it ended.
    ///
    /// # Errors
    /// The device's own.
    fn minimise(&mut self, _execution: &mut dyn Execution, _step: &Step) -> strait_compute::Result<f64> {
        Ok(0.0)
    }

    /// The results of an epoch over `rows` rows, with what is measured after it.
    ///
    /// # Errors
    /// The device's own.
    fn outcome(&mut self, execution: &mut dyn Execution, tally: &Tally, rows: usize) -> Result<Outcome>;
}
