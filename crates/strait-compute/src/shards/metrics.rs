//! The losses of the rows of all shards, in the order of the rows.

use super::cut::Cut;
use super::ranks::Ranks;
use crate::{Error, Metrics, Result, Step};

/// What this rank's shards have measured so far: for each, the losses and errors of its rows in the order of the steps.
pub(super) struct Measured {
    shards: Vec<Metrics>,
    whole: Metrics,
}

impl Measured {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards: vec![Metrics::default(); shards], whole: Metrics::default() }
    }

    /// Takes the numbers of a step of a shard, stage by stage.
    pub(super) fn shard(&mut self, shard: usize, step: Metrics) {
        self.shards[shard].append(step);
    }

    /// Takes those of a step that all rows have in common.
    pub(super) fn whole(&mut self, step: Metrics) {
        self.whole.append(step);
    }

    /// The numbers of all ranks' rows.
    pub(super) fn gather(self, cut: &Cut, batch: Option<usize>, steps: &[Step], ranks: &Ranks) -> Result<Metrics> {
        let Self { shards, mut whole } = self;
        whole.steps = steps.len();
        for shard in &shards {
            whole.dispatches += shard.dispatches;
            whole.host_time += shard.host_time;
        }
        let Some(batch) = batch else { return Ok(whole) };
        let columns = shards.first().map_or(0, |shard| shard.losses.len());
        let pairs = shards.iter().flat_map(|shard| shard.losses.iter().zip(&shard.errors));
        let own: Vec<f32> = pairs.flat_map(|(losses, errors)| losses.iter().chain(errors)).copied().collect();
        let gathered = ranks.reducer.gather(bytemuck::cast_slice(&own))?;
        let gathered: Vec<Vec<f32>> = gathered.iter().map(|bytes| bytemuck::pod_collect_to_vec(bytes)).collect();
        let rows = |step: &Step, shard: usize| cut.used(batch, step.rows as usize, shard).len();
        // Each shard's columns, losses and errors in turn.
        let mut parts: Vec<Vec<&[f32]>> = Vec::with_capacity(cut.shards());
        for (rank, numbers) in gathered.iter().enumerate() {
            let mut left = &numbers[..];
            if left.iter().any(|number| !number.is_finite()) {
                ranks.note_not_finite(rank);
            }
            for shard in rank * cut.of_rank()..(rank + 1) * cut.of_rank() {
                let count: usize = steps.iter().map(|step| rows(step, shard)).sum();
                if left.len() < 2 * columns * count {
                    let message = format!("rank {rank} sent {} numbers of {columns} losses of its rows", left.len());
                    return Err(Error::Ranks(message));
                }
                let (mine, rest) = left.split_at(2 * columns * count);
                left = rest;
                parts.push(if count == 0 { vec![&[]; 2 * columns] } else { mine.chunks_exact(count).collect() });
            }
        }
        let mut all = vec![Vec::new(); 2 * columns];
        for step in steps {
            for (shard, part) in parts.iter_mut().enumerate() {
                let count = rows(step, shard);
                for (column, all) in part.iter_mut().zip(&mut all) {
                    let (now, later) = column.split_at(count);
                    all.extend_from_slice(now);
                    *column = later;
                }
            }
        }
        let mut all = all.into_iter();
        while let (Some(losses), Some(errors)) = (all.next(), all.next()) {
            whole.losses.push(losses);
            whole.errors.push(errors);
        }
        Ok(whole)
    }
}
