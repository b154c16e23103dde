//! What a device knows of the ranks that train together.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::reducer::Reducer;
use crate::Result;

/// The ranks of a training run, as a device knows them.
pub(crate) struct Ranks {
    pub(crate) reducer: Box<dyn Reducer>,
    /// The first rank that had a loss that was not finite.
    not_finite: Mutex<Option<usize>>,
    spent: Mutex<Spent>,
}

/// Time and bytes spent on sums over ranks.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Spent {
    /// Steps of training with sums.
    pub steps: u64,
    /// Bytes of the tensors that were summed: what each rank has given.
    pub bytes: u64,
    /// The time in which this rank did nothing else.
    pub time: Duration,
}

impl Ranks {
    pub(crate) fn new(reducer: Box<dyn Reducer>) -> Self {
        Self { reducer, not_finite: Mutex::default(), spent: Mutex::default() }
    }

    /// Time and bytes spent on sums so far.
    pub(crate) fn spent(&self) -> Spent {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a part of a sum, and counts the time.
    pub(crate) fn timed<T>(&self, bytes: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let done = work();
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        (spent.bytes, spent.time) = (spent.bytes + bytes as u64, spent.time + start.elapsed());
        done
    }

    /// Counts a step.
    pub(crate) fn count_step(&self) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).steps += 1;
    }

    /// Notes that a loss of a rank's rows is not finite.
    pub(crate) fn note_not_finite(&self, rank: usize) {
        self.not_finite.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(rank);
    }

    /// The first rank of which that was noted since this was asked last.
    pub(crate) fn take_not_finite(&self) -> Option<usize> {
        self.not_finite.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
