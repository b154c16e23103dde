//! What the ranks of a run agree on, and what rank 0 tells the others.

use serde_json::{Value, json};
use strait_compute::{Reducer, Tensor};

use super::Run;
use super::state::kept_of;
use crate::checkpoint::{Hashed, differing};
use crate::plan::Plan;
use crate::snapshot::{Cursor, STATE};
use crate::{Error, Event, Result};

/// A checkpoint as rank 0 found it: where it was taken, what it says, and its tensors.
pub(super) type Shared = (Cursor, Value, Vec<(String, Vec<f32>)>);

impl<'a, P: Plan<'a>> Run<'a, P> {
    /// Trains as one of several ranks, each of which does the same with the same recipe, model and rows, and takes its part of each batch. Rank 0 alone keeps
    /// checkpoints; observers of all ranks are called.
    ///
    /// ```
    /// use strait_compute::{Alone, Device};
    /// use strait_models::Autoencoder;
    /// use strait_train::FineTune;
    /// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let mut net = Autoencoder::glorot(&[4, 8, 1], 1)?;
    /// let recipe = FineTune { epochs: 2, shards: Some(8), ..FineTune::default() };
    /// // In a program that `mpirun` starts, `strait_mpi::Mpi::world()?` stands in the place of `Alone`.
    /// recipe.run(&Device::cpu()?, &mut net, rows)?.reducer(Alone).train()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reducer(mut self, reducer: impl Reducer + 'static) -> Self {
        self.device = self.device.with_reducer(reducer);
        self
    }

    pub(super) fn is_alone(&self) -> bool {
        self.device.reducer().size() == 1
    }

    /// Whether the run has ended on one of the ranks.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        self.ended = self.stopped(self.ended)?;
        Ok(self.ended)
    }

    /// Whether one of the ranks stops the run.
    pub(super) fn stopped(&mut self, own: bool) -> Result<bool> {
        let any = self.device.any_rank(own)?;
        if any && !own {
            let _ = (self.observer)(&Event::Stopped);
        }
        Ok(any)
    }

    /// Compares with the other ranks what the run depends on.
    ///
    /// # Errors
    /// [`Error::Ranks`] with what differs, on all ranks.
    pub(super) fn compare(&self, hashed: Hashed) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        let own = json!({"version": env!("CARGO_PKG_VERSION"), "run": self.plan.identity(hashed)});
        let all = self.device.reducer().gather(own.to_string().as_bytes())?;
        let parsed: Vec<Value> = all.iter().map(|text| serde_json::from_slice(text).unwrap_or_default()).collect();
        for (rank, other) in parsed.iter().enumerate().skip(1) {
            let text = |path: &str, first: &str, other: &str| format!("{path} is {other} there, {first} on rank 0");
            let differ = differing(&parsed[0], other, text);
            if !differ.is_empty() {
                let differ: Vec<String> = differ.into_iter().map(|(_, text)| text.replace("run.", "")).collect();
                return Err(Error::Ranks { rank, differences: differ.join("; ") });
            }
        }
        Ok(())
    }

    /// What rank 0 has, on all ranks.
    pub(super) fn of_first(&self, own: Option<Shared>) -> Result<Option<Shared>> {
        if self.is_alone() {
            return Ok(own);
        }
        let bytes = own.filter(|_| self.device.reducer().rank() == 0).map(|shared| encode(&shared));
        let all = self.device.reducer().gather(&bytes.unwrap_or_default())?;
        match all.first().filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => {
                let unread = || Error::Snapshot("what rank 0 has sent of its checkpoint is not whole".to_owned());
                Ok(Some(decode(bytes).ok_or_else(unread)?))
            }
            None => Ok(None),
        }
    }

    /// The tensors of the part under way of which each rank has rows of its own, with their names in a checkpoint.
    pub(super) fn spread(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        let Some(part) = &mut self.part else { return Ok(Vec::new()) };
        let spread: Vec<(Tensor, String)> =
            kept_of(part).into_iter().filter(|(tensor, _)| part.execution.is_spread(*tensor)).collect();
        let read = |(tensor, name)| Ok((format!("{STATE}{name}"), part.execution.read(tensor)?));
        spread.into_iter().map(read).collect()
    }

    /// Takes part in a checkpoint that rank 0 writes.
    pub(super) fn follow_checkpoint(&mut self) -> Result<()> {
        if self.follows && self.device.any_rank(false)? {
            self.load()?;
            self.spread()?;
        }
        Ok(())
    }
}

/// The header's length, the header, and all numbers.
fn encode((cursor, state, tensors): &Shared) -> Vec<u8> {
    let lengths: Vec<(&str, usize)> = tensors.iter().map(|(name, values)| (name.as_str(), values.len())).collect();
    let header = json!({"cursor": cursor, "state": state, "tensors": lengths}).to_string();
    let numbers = tensors.iter().flat_map(|(_, values)| values).flat_map(|x| x.to_le_bytes());
    (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect()
}

fn decode(bytes: &[u8]) -> Option<Shared> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (header, mut numbers) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)?;
    let header: Value = serde_json::from_slice(header).ok()?;
    let lengths: Vec<(String, usize)> = serde_json::from_value(header["tensors"].clone()).ok()?;
    let mut tensors = Vec::new();
    for (name, length) in lengths {
        let (own, rest) = numbers.split_at_checked(4 * length)?;
        let of = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        tensors.push((name, own.chunks_exact(4).map(of).collect()));
        numbers = rest;
    }
    Some((serde_json::from_value(header["cursor"].clone()).ok()?, header["state"].clone(), tensors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives() {
        let tensors = vec![("a".to_owned(), vec![1.0, f32::MIN_POSITIVE]), ("b".to_owned(), Vec::new())];
        let shared = (Cursor { part: 1, epoch: 2, minibatch: 3 }, json!({"best": 0.5}), tensors);
        let bytes = encode(&shared);
        assert_eq!(decode(&bytes), Some(shared));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
    }
}
