//! The two phases of a step of an RBM's training, recorded.

use strait_compute::{Kind, Op, Program, Routine, Sample, Tensor};
use strait_models::Units;

use crate::Result;

/// The layers of a machine on a device.
pub(crate) struct Layers {
    /// Visible and hidden.
    pub(crate) units: (Units, Units),
    pub(crate) weight: Tensor,
    /// Visible and hidden.
    pub(crate) biases: (Tensor, Tensor),
    /// The first of its streams of random numbers.
    pub(crate) stream: u32,
}

/// A step up to the statistics.
pub(crate) struct Phases {
    pub(crate) step: Routine,
    /// What the machine makes of the data at once.
    pub(crate) reconstruction: Tensor,
    /// The visible and hidden statistics of the negative phase.
    pub(crate) negative: (Tensor, Tensor),
    /// Hidden states that stay from step to step.
    pub(crate) chain: Option<Tensor>,
}

/// Streams of visible units lie that far behind those of hidden ones.
const VISIBLE: u32 = 32;

impl Layers {
    fn up(&self, input: Tensor, out: Tensor, state: Option<Tensor>, stream: usize) -> Op {
        let sampling = self.units.1.sampling();
        Op::Linear {
            input,
            weight: self.weight,
            transposed: false,
            bias: self.biases.1,
            activation: self.units.1.activation(),
            out,
            sample: state.map(|out| Sample { sampling, out, stream: self.stream + stream as u32 }),
        }
    }

    fn down(&self, input: Tensor, out: Tensor, state: Option<Tensor>, stream: usize) -> Op {
        let sampling = self.units.0.sampling();
        Op::Linear {
            input,
            weight: self.weight,
            transposed: true,
            bias: self.biases.0,
            activation: self.units.0.activation(),
            out,
            sample: state.map(|out| Sample { sampling, out, stream: self.stream + VISIBLE + stream as u32 }),
        }
    }

    /// CD-k as the paper's code has it: reconstructions stay means; the hidden units are drawn only if another step follows.
    pub(crate) fn contrastive_divergence(
        &self,
        program: &mut Program,
        (v0, h0): (Tensor, Tensor),
        steps: usize,
    ) -> Result<Phases> {
        let mut step = Routine::new(format!("CD-{steps}"));
        let mut state = program.tensor("h0 state", h0.rows, h0.cols, Kind::Values);
        step.push(self.up(v0, h0, Some(state), 0))?;
        let (mut v, mut h) = (v0, h0);
        for k in 1..=steps {
            v = program.tensor(format!("v{k}"), v0.rows, v0.cols, Kind::Values);
            h = program.tensor(format!("h{k}"), h0.rows, h0.cols, Kind::Values);
            step.push(self.down(state, v, None, k))?;
            let drawn = (k < steps).then(|| program.tensor(format!("h{k} state"), h0.rows, h0.cols, Kind::Values));
            step.push(self.up(v, h, drawn, k))?;
            state = drawn.unwrap_or(state);
        }
        Ok(Phases { step, reconstruction: v, negative: (v, h), chain: None })
    }

    /// The same from the states in which the chains were left, with all units drawn.
    pub(crate) fn persistent(&self, program: &mut Program, (v0, h0): (Tensor, Tensor), steps: usize) -> Result<Phases> {
        let mut step = Routine::new(format!("PCD-{steps}"));
        let mut like = |name: &str, other: Tensor| program.tensor(name, other.rows, other.cols, Kind::Values);
        let [reconstruction, v, v_state] = ["reconstruction", "chain v", "chain v state"].map(|name| like(name, v0));
        let [h, chain] = ["chain h", "chain"].map(|name| like(name, h0));
        step.push(self.up(v0, h0, None, 0))?;
        step.push(self.down(h0, reconstruction, None, 0))?;
        for k in 1..=steps {
            step.push(self.down(chain, v, Some(v_state), k))?;
            step.push(self.up(v_state, h, Some(chain), k))?;
        }
        Ok(Phases { step, reconstruction, negative: (v_state, h), chain: Some(chain) })
    }
}
