//! CD-k: chains that start at the data.

use strait_compute::Tensor;
use strait_models::Wanted;

use super::{Negative, Recorder};
use crate::Result;
use crate::machine_tensors::{MachineTensors, Recording};

/// Contrastive divergence as the paper's code has it: reconstructions stay means; the hidden units are drawn only if another step
/// follows.
pub(super) struct Data;

impl Recorder for Data {
    fn name(&self) -> &'static str {
        "CD"
    }

    fn record(
        &self,
        to: &mut Recording<'_>,
        machine: &MachineTensors,
        (v0, h0): (Tensor, Tensor),
        steps: usize,
    ) -> Result<Negative> {
        let mut state = to.like("h0.state", h0);
        machine.up(to, v0, Wanted::mean(h0).drawn(state, machine.hidden_stream(0)))?;
        let (mut v, mut h) = (v0, h0);
        for k in 1..=steps {
            (v, h) = (to.like(format!("v{k}"), v0), to.like(format!("h{k}"), h0));
            machine.down(to, state, Wanted::mean(v).given(Some(v0)))?;
            let mut wanted = Wanted::mean(h);
            if k < steps {
                state = to.like(format!("h{k}.state"), h0);
                wanted = wanted.drawn(state, machine.hidden_stream(k));
            }
            machine.up(to, v, wanted)?;
        }
        Ok(Negative { reconstruction: v, statistics: (v, h), chains: Vec::new(), driving: None })
    }
}
