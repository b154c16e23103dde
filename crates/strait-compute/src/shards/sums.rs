//! Sums over the ranks of a run that are on their way.

use super::ranks::Ranks;
use super::reducer::{Order, Summing};
use crate::{Execution, Result, Tensor};

/// Sums that have begun, with the memory that they take in turn.
pub(super) struct Travelling<'r> {
    ranks: &'r Ranks,
    sums: Vec<(Tensor, Box<dyn Summing + 'r>)>,
    free: Vec<Vec<f32>>,
}

impl<'r> Travelling<'r> {
    /// None yet; `free` is memory that may be used.
    pub(super) fn new(ranks: &'r Ranks, free: Vec<Vec<f32>>) -> Self {
        Self { ranks, sums: Vec::new(), free }
    }

    /// The memory that is free at the end.
    pub(super) fn into_memory(self) -> Vec<Vec<f32>> {
        self.free
    }

    /// Begins to add a tensor to those of the other ranks.
    pub(super) fn begin(&mut self, execution: &mut dyn Execution, tensors: &[Tensor], order: Order) -> Result<()> {
        let ranks = self.ranks;
        ranks.timed(tensors.iter().map(Tensor::bytes).sum(), || self.begin_all(execution, tensors, order))
    }

    fn begin_all(&mut self, execution: &mut dyn Execution, tensors: &[Tensor], order: Order) -> Result<()> {
        let mut values: Vec<Vec<f32>> = tensors.iter().map(|tensor| self.memory(tensor.len())).collect();
        execution.read_into(tensors, &mut values)?;
        for (tensor, values) in tensors.iter().zip(values) {
            self.sums.push((*tensor, self.ranks.reducer.begin(tensor.id, values, order)?));
        }
        Ok(())
    }

    /// Memory of this length, used before where there is some.
    fn memory(&mut self, length: usize) -> Vec<f32> {
        let known = self.free.iter().position(|free| free.len() == length);
        known.map_or_else(Vec::new, |place| self.free.swap_remove(place))
    }

    /// Lets all of them go on.
    pub(super) fn poll(&mut self) -> Result<()> {
        if self.sums.is_empty() {
            return Ok(());
        }
        self.ranks.timed(0, || self.sums.iter_mut().try_for_each(|(_, sum)| sum.poll()))
    }

    /// Waits for a sum, which takes the place of this rank's part.
    pub(super) fn end(&mut self, execution: &mut dyn Execution, tensor: Tensor) -> Result<()> {
        let Some(place) = self.sums.iter().position(|(known, _)| *known == tensor) else { return Ok(()) };
        let (_, sum) = self.sums.remove(place);
        let values = self.ranks.timed(0, || {
            let values = sum.wait()?;
            execution.write(tensor, &values)?;
            Ok(values)
        })?;
        self.free.push(values);
        Ok(())
    }
}
