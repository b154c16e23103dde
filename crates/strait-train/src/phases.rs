//! The two phases of a step of an RBM's training, recorded.

use strait_compute::{Activation, Factors, Kind, Op, PenaltyKind, Program, Routine, Sample, Tensor, Update};
use strait_models::Units;

use crate::Result;

/// The layers of a machine on a device.
#[derive(Clone, Copy)]
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
    /// What the machine makes of the data: after all steps of contrastive divergence, at once where chains persist.
    pub(crate) reconstruction: Tensor,
    /// The visible and hidden statistics of the negative phase.
    pub(crate) negative: (Tensor, Tensor),
    /// Hidden states that stay from step to step.
    pub(crate) chain: Option<Tensor>,
    /// The parameters by which these move.
    pub(crate) driving: Option<Layers>,
}

/// Streams of visible units lie that far behind those of hidden ones, of which so many lie side by side.
const VISIBLE: u32 = 32;

/// The stream of step `k` among those of hidden or visible units.
fn stream(k: usize) -> u32 {
    let k = k as u32;
    2 * VISIBLE * (k / VISIBLE) + k % VISIBLE
}

impl Layers {
    fn up(&self, input: Tensor, out: Tensor, state: Option<Tensor>, k: usize) -> Op {
        let sampling = self.units.1.sampling();
        Op::Linear {
            input,
            weight: self.weight,
            transposed: false,
            bias: self.biases.1,
            activation: self.units.1.activation(),
            out,
            sample: state.map(|out| Sample { sampling, out, stream: self.stream + stream(k) }),
        }
    }

    fn down(&self, input: Tensor, out: Tensor, state: Option<Tensor>, k: usize) -> Op {
        let sampling = self.units.0.sampling();
        Op::Linear {
            input,
            weight: self.weight,
            transposed: true,
            bias: self.biases.0,
            activation: self.units.0.activation(),
            out,
            sample: state.map(|out| Sample { sampling, out, stream: self.stream + VISIBLE + stream(k) }),
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
        Ok(Phases { step, reconstruction: v, negative: (v, h), chain: None, driving: None })
    }

    /// Other parameters of the same shapes and streams.
    pub(crate) fn beside(&self, program: &mut Program, name: &str) -> Self {
        let mut like = |other: Tensor| program.tensor(name, other.rows, other.cols, Kind::Values);
        let (weight, biases) = (like(self.weight), (like(self.biases.0), like(self.biases.1)));
        Self { weight, biases, ..*self }
    }

    /// The weights, the hidden bias and the visible one.
    fn parameters(&self) -> [Tensor; 3] {
        [self.weight, self.biases.1, self.biases.0]
    }

    /// The same from the states in which the chains were left, with all units drawn by the parameters `driving`.
    pub(crate) fn persistent(
        &self,
        program: &mut Program,
        (v0, h0): (Tensor, Tensor),
        steps: usize,
        driving: &Self,
    ) -> Result<Phases> {
        let mut step = Routine::new(format!("PCD-{steps}"));
        let mut like = |name: &str, other: Tensor| program.tensor(name, other.rows, other.cols, Kind::Values);
        let [reconstruction, v, v_state] = ["reconstruction", "chain v", "chain v state"].map(|name| like(name, v0));
        let [h, chain] = ["chain h", "chain"].map(|name| like(name, h0));
        step.push(self.up(v0, h0, None, 0))?;
        step.push(self.down(h0, reconstruction, None, 0))?;
        for k in 1..=steps {
            step.push(driving.down(chain, v, Some(v_state), k))?;
            step.push(driving.up(v_state, h, Some(chain), k))?;
        }
        Ok(Phases { step, reconstruction, negative: (v_state, h), chain: Some(chain), driving: Some(*driving) })
    }
}

/// The gradient of all parameters, and what becomes of that of the weights, the hidden bias and the visible one.
pub(crate) fn gradient(
    positive: (Tensor, Tensor),
    negative: (Tensor, Tensor),
    [weight, bias, input_bias]: [Update; 3],
) -> Op {
    let (bias, input_bias) = (Some(bias), Some(input_bias));
    Op::Gradient { positive, negative: Some(negative), weight, bias, input_bias, plus: None, positions: 1 }
}

/// Records the hidden statistics of the positive phase less the derivative of the divergence of their means from a target.
pub(crate) fn record_sparsity(
    program: &mut Program,
    step: &mut Routine,
    h0: Tensor,
    (weight, target): (f32, f32),
) -> Result<Tensor> {
    let [slope, out] = ["slope", "sparse h0"].map(|name| program.tensor(name, h0.rows, h0.cols, Kind::Values));
    let means = program.tensor("means", 1, h0.cols, Kind::Values);
    let kind = PenaltyKind::Sparsity { weight, target, means };
    step.push(Op::ColumnMeans { input: h0, times: None, out: means })?;
    // The penalty adds its derivative to what is there.
    step.push(Op::Combine { x: h0, y: h0, factors: Factors::Fixed(0.0, 0.0), out: slope })?;
    step.push(Op::Penalty { kind, output: h0, activation: Activation::Logistic, delta: slope })?;
    step.push(Op::Combine { x: h0, y: slope, factors: Factors::Fixed(1.0, -1.0), out })?;
    Ok(out)
}

/// Fast weights beside those that are learned.
pub(crate) struct Fast {
    pub(crate) rate: f32,
    pub(crate) weight_cost: f32,
    pub(crate) max_norm: Option<f32>,
}

impl Fast {
    /// What is left of fast weights after a step.
    const KEPT: f32 = 0.95;

    /// The gradient G, then for each parameter θ with its velocity v and fast part f, the step's factors being the momentum and
    /// the negative learning rate: v ← m v − ε G, θ ← θ + v, f ← 0.95 f − ε_f G, and θ + f drives the chains.
    pub(crate) fn learn(
        &self,
        program: &mut Program,
        (positive, negative): ((Tensor, Tensor), (Tensor, Tensor)),
        updates: [Update; 3],
        driving: &Layers,
    ) -> Vec<Op> {
        let mut like = |name: &str, other: Tensor| program.tensor(name, other.rows, other.cols, Kind::Values);
        let gradients = updates.map(|update| like("gradient", update.target()));
        let mut ops = vec![gradient(positive, negative, gradients.map(|gradient| Update::Store { gradient }))];
        for (i, update) in updates.into_iter().enumerate() {
            let (parameter, gradient, total) = (update.target(), gradients[i], driving.parameters()[i]);
            let [velocity, fast] = ["velocity", "fast"].map(|name| like(name, parameter));
            let combine = |x, y, factors, out| Op::Combine { x, y, factors, out };
            ops.push(combine(fast, gradient, Factors::Fixed(Self::KEPT, -self.rate), fast));
            if i == 0 && self.weight_cost > 0.0 {
                ops.push(combine(gradient, parameter, Factors::Fixed(1.0, self.weight_cost), gradient));
            }
            ops.push(combine(velocity, gradient, Factors::Step, velocity));
            ops.push(combine(parameter, velocity, Factors::Fixed(1.0, 1.0), parameter));
            if let (0, Some(norm)) = (i, self.max_norm) {
                ops.push(Op::MaxNorm { weight: parameter, norm, rows: false });
            }
            ops.push(combine(parameter, fast, Factors::Fixed(1.0, 1.0), total));
        }
        ops
    }
}
