//! A machine on a device, and its layers given each other.

use strait_compute::philox::Stream;
use strait_compute::{Activation, Execution, LossKind, Op, Program, Routine, Tensor};
use strait_models::{TotalInput, Units, Wanted};

use crate::Result;

/// The tensors of a machine.
#[derive(Clone, Copy)]
pub(crate) struct MachineTensors {
    /// Visible and hidden.
    pub(crate) units: (Units, Units),
    pub(crate) weight: Tensor,
    /// Visible and hidden.
    pub(crate) biases: (Tensor, Tensor),
    /// What is subtracted from visible and hidden activities where the machine is centred.
    pub(crate) offsets: (Option<Tensor>, Option<Tensor>),
    /// The first of its streams of random numbers.
    pub(crate) stream: u32,
}

/// Streams of visible units lie that far behind those of hidden ones, of which so many lie side by side.
const VISIBLE: u32 = 32;

/// The stream of step `k` among those of hidden or visible units.
fn stream(k: usize) -> u32 {
    let k = k as u32;
    2 * VISIBLE * (k / VISIBLE) + k % VISIBLE
}

/// Where operations are recorded.
pub(crate) struct Recording<'a> {
    pub(crate) program: &'a mut Program,
    pub(crate) step: &'a mut Routine,
}

impl Recording<'_> {
    pub(crate) fn like(&mut self, name: impl Into<String>, other: Tensor) -> Tensor {
        self.program.value(name, other.rows, other.cols)
    }

    /// What stays from step to step, of the shape of another tensor.
    pub(crate) fn carried(&mut self, name: impl Into<String>, other: Tensor) -> Tensor {
        self.program.state(name, other.rows, other.cols)
    }

    /// Activities less the offsets of their units.
    pub(crate) fn centred(&mut self, activities: Tensor, offset: Option<Tensor>) -> Result<Tensor> {
        if offset.is_none() {
            return Ok(activities);
        }
        let name = format!("{}.centred", self.program.name(activities));
        let out = self.like(name, activities);
        self.step.push(Op::Standardize { input: activities, shift: offset, scale: None, out })?;
        Ok(out)
    }
}

impl MachineTensors {
    /// The hidden units' means, and states where these are wanted.
    pub(crate) fn up(&self, to: &mut Recording<'_>, input: Tensor, wanted: Wanted) -> Result<()> {
        let input = to.centred(input, self.offsets.0)?;
        let total = TotalInput { input, weight: self.weight, transposed: false, bias: self.biases.1 };
        Ok(self.units.1.record(to.program, to.step, total, wanted)?)
    }

    /// The same of the visible units.
    pub(crate) fn down(&self, to: &mut Recording<'_>, input: Tensor, wanted: Wanted) -> Result<()> {
        let input = to.centred(input, self.offsets.1)?;
        let total = TotalInput { input, weight: self.weight, transposed: true, bias: self.biases.0 };
        Ok(self.units.0.record(to.program, to.step, total, wanted)?)
    }

    /// The stream from which the hidden units are drawn in step `k`.
    pub(crate) fn hidden_stream(&self, k: usize) -> u32 {
        self.stream + stream(k)
    }

    /// The same of the visible units.
    pub(crate) fn visible_stream(&self, k: usize) -> u32 {
        self.stream + VISIBLE + stream(k)
    }

    /// The weights, the hidden bias and the visible one.
    pub(crate) fn parameters(&self) -> [Tensor; 3] {
        [self.weight, self.biases.1, self.biases.0]
    }

    /// `steps` steps of Gibbs sampling from the hidden states in a chain, with all units drawn; gives the visible states and the
    /// hidden means in the end. Groups of visible units take as many draws as they are given.
    pub(crate) fn gibbs(
        &self,
        to: &mut Recording<'_>,
        given: Tensor,
        chain: Tensor,
        steps: usize,
    ) -> Result<(Tensor, Tensor)> {
        let [v, state] = ["chain.v", "chain.v.state"].map(|name| to.like(name, given));
        let h = to.like("chain.h", chain);
        for k in 1..=steps {
            self.down(to, chain, Wanted::mean(v).drawn(state, self.visible_stream(k)).given(Some(given)))?;
            self.up(to, state, Wanted::mean(h).drawn(chain, self.hidden_stream(k)))?;
        }
        Ok((state, h))
    }
}

/// The squared distance of each row from its target.
pub(crate) fn squared_error(input: Tensor, target: Tensor) -> Op {
    let kind = LossKind::SquaredError { activation: Activation::Linear };
    Op::Loss { kind, input, target, output: None, delta: None }
}

/// Starts chains at random states.
pub(crate) fn write_states(execution: &mut dyn Execution, chain: Tensor, stream: &mut Stream) -> Result<()> {
    let bits: Vec<f32> = (0..chain.len()).map(|_| (stream.next_word() >> 31) as f32).collect();
    Ok(execution.write(chain, &bits)?)
}
