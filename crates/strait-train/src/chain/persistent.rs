//! PCD-k: chains that go on where they were left.

use strait_compute::Tensor;

use super::{Negative, Recorder, record_data};
use crate::Result;
use crate::machine_tensors::{MachineTensors, Recording};

/// Persistent contrastive divergence.
pub(super) struct Persistent;

impl Recorder for Persistent {
    fn name(&self) -> &'static str {
        "PCD"
    }

    fn record(
        &self,
        to: &mut Recording<'_>,
        machine: &MachineTensors,
        data: (Tensor, Tensor),
        steps: usize,
    ) -> Result<Negative> {
        let reconstruction = record_data(to, machine, data)?;
        let chain = to.carried("chain", data.1);
        let statistics = machine.gibbs(to, data.0, chain, steps)?;
        Ok(Negative { reconstruction, statistics, chains: vec![chain], driving: None })
    }
}
