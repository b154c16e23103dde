//! How the rows of a batch are cut in shards.

use std::ops::Range;

use crate::Step;

/// How the rows of a batch are cut in shards, and which of them this rank has.
///
/// The first shards are a row longer where the rows of a batch do not divide. A row is in the same shard in all batches, so that a batch that is shorter
/// than the others leaves the last shards without rows.
///
/// ```
/// let cut = strait_compute::Cut::new(4, 1, 2);
/// let parts: Vec<_> = (0..4).map(|shard| cut.part(10, shard)).collect();
/// assert_eq!(parts, [0..3, 3..6, 6..8, 8..10]);
/// assert_eq!(cut.own(10), 6..10);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    shards: usize,
    rank: usize,
    ranks: usize,
}

impl Cut {
    /// The cut in that many shards, of which each of the ranks has as many as the others.
    pub fn new(shards: usize, rank: usize, ranks: usize) -> Self {
        Self { shards, rank, ranks }
    }

    /// The shards of all ranks.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// Those of each rank.
    pub(crate) fn of_rank(&self) -> usize {
        self.shards / self.ranks
    }

    /// This rank's shards.
    pub(crate) fn mine(&self) -> Range<usize> {
        self.rank * self.of_rank()..(self.rank + 1) * self.of_rank()
    }

    /// The rows of a full batch that a shard has.
    pub fn part(&self, batch: usize, shard: usize) -> Range<usize> {
        let (each, longer) = (batch / self.shards, batch % self.shards);
        let start = |shard: usize| shard * each + shard.min(longer);
        start(shard)..start(shard + 1)
    }

    /// The rows of a full batch that this rank has.
    pub fn own(&self, batch: usize) -> Range<usize> {
        let mine = self.mine();
        self.part(batch, mine.start).start..self.part(batch, mine.end - 1).end
    }

    /// Rows of the longest shard.
    pub(crate) fn longest(&self, batch: usize) -> usize {
        batch.div_ceil(self.shards)
    }

    /// A shard's rows of a batch of which `used` rows are in use.
    pub(crate) fn used(&self, batch: usize, used: usize, shard: usize) -> Range<usize> {
        let part = self.part(batch, shard);
        part.start.min(used)..part.end.min(used)
    }

    /// A shard's part of a step, which may have no rows in it.
    pub(crate) fn step(&self, batch: usize, step: &Step, shard: usize) -> Step {
        let used = self.used(batch, step.rows as usize, shard);
        // Chains go on in rows that are not in use, too, so that all rows are keyed by where they are in a full batch.
        let first = self.part(batch, shard).start as u32;
        Step { offset: step.offset + used.start as u32, rows: used.len() as u32, first, of: step.rows, ..*step }
    }
}
