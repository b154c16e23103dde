//! What a job would take on several machines, before there are any.

use super::train::Parts;
use super::{Kind, Resolved, Tried};
use crate::Device;
use crate::compute::{Order, Planner, Reducer, Summed, Summing};
use crate::experiment::{Error, Experiment, Result, Sets};

/// Seconds that a message takes beside its bytes: what TCP needs in one data centre.
const LATENCY: f64 = 50e-6;

/// Rows that are gone through to find out what is summed, in minibatches.
const PLANNED: usize = 2;

/// An estimate of a job on several ranks, each on a machine like this one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnRanks {
    /// How many.
    pub ranks: usize,
    /// Seconds of training on this machine alone.
    pub alone: f64,
    /// Seconds in which a rank computes.
    pub computing: f64,
    /// Seconds in which sums travel, none of it beside computing.
    pub summing: f64,
    /// Steps with sums.
    pub steps: u64,
    /// Bytes that are summed in a step.
    pub bytes: f64,
}

impl OnRanks {
    /// Seconds of training.
    pub fn seconds(&self) -> f64 {
        self.computing + self.summing
    }

    /// How much of the machines' speed is left: 1 where twice as many take half the time.
    pub fn efficiency(&self) -> f64 {
        self.alone / (self.ranks as f64 * self.seconds())
    }
}

/// Seconds that `bytes` take to be summed over ranks whose network carries that many bits in a second: in a ring each rank sends, and receives, 2 (N − 1) / N
/// of them in 2 (N − 1) messages; in the tree that shards need, all of them log₂ N times.
///
/// ```
/// // 11.3 MB over 8 machines at 10 Gb/s.
/// let ring = strait::job::seconds_of_sum(11.3e6, 8, 10e9, false);
/// let tree = strait::job::seconds_of_sum(11.3e6, 8, 10e9, true);
/// assert!((ring - 0.0165).abs() < 1e-3 && (tree - 0.0273).abs() < 1e-3);
/// ```
pub fn seconds_of_sum(bytes: f64, ranks: usize, bits_per_second: f64, tree: bool) -> f64 {
    let n = ranks as f64;
    let (share, messages) = if tree { (n.log2(), n.log2()) } else { (2.0 * (n - 1.0) / n, 2.0 * (n - 1.0)) };
    share * bytes * 8.0 / bits_per_second + messages * LATENCY
}

/// The speed of a network in bits per second, as `10Gb`, `100Gb` or `800Mb`.
///
/// # Errors
/// If it is none.
///
/// ```
/// use strait::job::bits_per_second;
/// assert_eq!(bits_per_second("10Gb")?, 1e10);
/// assert!(bits_per_second("10").is_err());
/// # Ok::<(), strait::experiment::Error>(())
/// ```
pub fn bits_per_second(text: &str) -> Result<f64> {
    let wrong = || Error::Job(format!("--network {text}: expected bits per second, as 10Gb, 100Gb or 800Mb"));
    let (number, unit) = [("Gb", 1e9), ("Mb", 1e6)]
        .iter()
        .find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, *unit)))
        .ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    if number.is_finite() && number > 0.0 { Ok(number * unit) } else { Err(wrong()) }
}

impl Resolved {
    /// What the job would take on several ranks, each on a machine like this one, beside what it takes on this machine `alone`: what rank 0 computes is measured
    /// here, and the time of sums follows from their bytes.
    ///
    /// # Errors
    /// As [`Resolved::train`]; and if the ranks cannot share the job's shards.
    pub fn on_ranks(
        &self,
        sets: &Sets,
        device: &Device,
        alone: &Tried,
        ranks: usize,
        bits_per_second: f64,
    ) -> Result<OnRanks> {
        if ranks == 0 {
            return Err(Error::Job("--ranks 0: there is at least one".to_owned()));
        }
        if self.job.kind == Kind::Pca {
            return Err(Error::Job("--ranks: principal components are found on one machine".to_owned()));
        }
        let computing = self.tried(sets, &device.with_reducer(Pretended(ranks)))?.training;
        let planned = Device::new(Planner::like(device)).with_reducer(Pretended(ranks));
        let all = sets.train.count().min(self.job.limit.unwrap_or(usize::MAX));
        let few = all.min(PLANNED * self.batch());
        let once = self.with_epochs(1)?;
        // On a device where all numbers are 0 training ends with an error at times, but the steps are counted.
        let _ = once.model(&Parts::of(sets, Some(few))?, sets, &planned, &mut Experiment::tried(&planned, &once.job));
        let spent = planned.spent_on_sums();
        let epochs = (self.epochs() * all.div_ceil(self.batch())) as f64 / few.div_ceil(self.batch()) as f64;
        let steps = (spent.steps as f64 * epochs).round() as u64;
        let bytes = spent.bytes as f64 / spent.steps.max(1) as f64;
        let tree = self.shards().is_some();
        let summing = steps as f64 * seconds_of_sum(bytes, ranks, bits_per_second, tree);
        Ok(OnRanks { ranks, alone: alone.training, computing, summing, steps, bytes })
    }

    /// The shards of the job's batches, where it has any.
    fn shards(&self) -> Option<usize> {
        let training = self.training.as_ref().and_then(|training| training.tuning.shards);
        let pretrain = self.pretrain.as_ref().and_then(|pretrain| pretrain.shards);
        training.or(pretrain).or(self.up_down.as_ref().and_then(|up_down| up_down.shards))
    }
}

/// The first of several ranks, the others of which do not exist: it does its own part, and sums are what it has itself.
struct Pretended(usize);

impl Reducer for Pretended {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        self.0
    }

    fn begin(&self, _: usize, values: Vec<f32>, _: Order) -> crate::compute::Result<Box<dyn Summing + '_>> {
        Ok(Box::new(Summed(values)))
    }

    fn gather(&self, own: &[u8]) -> crate::compute::Result<Vec<Vec<u8>>> {
        Ok(vec![own.to_vec(); self.0])
    }
}
