//! What connects ranks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Result;

/// In which order the ranks' numbers are added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// In pairs of neighbours, of these again, and so on: the sum has the same bits whatever part of the tree is computed by one rank. The ranks are a
    /// power of two.
    Tree,
    /// As it is fastest.
    Any,
}

/// A sum over the ranks that is on its way.
pub trait Summing {
    /// Lets it go on, if it does not by itself.
    ///
    /// # Errors
    /// When the connection fails.
    fn poll(&mut self) -> Result<()>;

    /// Waits for the sum.
    ///
    /// # Errors
    /// As [`Summing::poll`].
    fn wait(self: Box<Self>) -> Result<Vec<f32>>;
}

/// Connects the ranks of a training run, each of which calls the same methods in the same order.
pub trait Reducer: Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// Begins to add these numbers to those of the other ranks. Those of the same tensor have the same number.
    ///
    /// # Errors
    /// When the connection fails.
    fn begin(&self, tensor: usize, values: Vec<f32>, order: Order) -> Result<Box<dyn Summing + '_>>;

    /// What each rank has given, by ranks.
    ///
    /// # Errors
    /// When the connection fails.
    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Whether one of the ranks says so.
    ///
    /// # Errors
    /// When the connection fails.
    fn any(&self, own: bool) -> Result<bool> {
        Ok(self.gather(&[u8::from(own)])?.iter().any(|one| one == &[1]))
    }
}

/// A rank without others: all rows of each batch are its own.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Reducer for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn begin(&self, _tensor: usize, values: Vec<f32>, _order: Order) -> Result<Box<dyn Summing + '_>> {
        Ok(Box::new(Summed(values)))
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(vec![own.to_vec()])
    }
}

/// A sum that is there.
#[derive(Clone, Debug)]
pub struct Summed(pub Vec<f32>);

impl Summing for Summed {
    fn poll(&mut self) -> Result<()> {
        Ok(())
    }

    fn wait(self: Box<Self>) -> Result<Vec<f32>> {
        Ok(self.0)
    }
}

/// The ranks of a training run, as a device knows them.
pub(crate) struct Ranks {
    pub(crate) reducer: Box<dyn Reducer>,
    /// The rank that had a loss that is no number, and 1; or 0.
    not_finite: AtomicUsize,
    spent: Mutex<Spent>,
}

/// What sums over ranks have taken so far.
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
        Self { reducer, not_finite: AtomicUsize::new(0), spent: Mutex::default() }
    }

    /// What sums have taken so far.
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

    /// Notes that the losses of a rank's rows were not all numbers; the first one counts.
    pub(crate) fn note_not_finite(&self, rank: usize) {
        let _ = self.not_finite.compare_exchange(0, rank + 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The rank of which that was noted, which is forgotten.
    pub(crate) fn take_not_finite(&self) -> Option<usize> {
        self.not_finite.swap(0, Ordering::Relaxed).checked_sub(1)
    }

    /// Whether one of the ranks says so.
    pub(crate) fn any(&self, own: bool) -> Result<bool> {
        if self.reducer.size() == 1 {
            return Ok(own);
        }
        self.reducer.any(own)
    }
}
