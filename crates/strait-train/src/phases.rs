//! The two phases of a step of an RBM's training, recorded.

use strait_compute::philox::Stream;
use strait_compute::{
    Activation, Execution, Factors, LossKind, Op, PenaltyKind, Program, Replica, Routine, Tensor, Update,
};
use strait_models::{TotalInput, Units, Wanted};

use crate::Result;

/// The layers of a machine on a device.
#[derive(Clone, Copy)]
pub(crate) struct Layers {
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

/// A step up to the statistics.
pub(crate) struct Phases {
    pub(crate) step: Routine,
    /// What the machine makes of the data: after all steps of contrastive divergence, at once where chains persist.
    pub(crate) reconstruction: Tensor,
    /// The visible and hidden statistics of the negative phase.
    pub(crate) negative: (Tensor, Tensor),
    /// Hidden states that stay from step to step.
    pub(crate) chains: Vec<Tensor>,
    /// The parameters by which these move, where they are others than those that learn.
    pub(crate) driving: Option<Layers>,
}

/// Streams of visible units lie that far behind those of hidden ones, of which so many lie side by side.
const VISIBLE: u32 = 32;

/// Streams of exchanges lie behind all others of a machine.
const EXCHANGES: u32 = 1 << 15;

/// The stream of step `k` among those of hidden or visible units.
fn stream(k: usize) -> u32 {
    let k = k as u32;
    2 * VISIBLE * (k / VISIBLE) + k % VISIBLE
}

/// The inverse temperatures of that many chains, from 1 down to that of the hottest.
fn temperatures(chains: usize, hottest: f32) -> impl Iterator<Item = f32> {
    let steps = (chains - 1).max(1) as f32;
    (0..chains).map(move |chain| 1.0 - (1.0 - hottest) * chain as f32 / steps)
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

impl Layers {
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

    fn hidden_stream(&self, k: usize) -> u32 {
        self.stream + stream(k)
    }

    fn visible_stream(&self, k: usize) -> u32 {
        self.stream + VISIBLE + stream(k)
    }

    /// CD-k as the paper's code has it: reconstructions stay means; the hidden units are drawn only if another step follows.
    pub(crate) fn contrastive_divergence(
        &self,
        program: &mut Program,
        (v0, h0): (Tensor, Tensor),
        steps: usize,
    ) -> Result<Phases> {
        let mut step = Routine::new(format!("CD-{steps}"));
        let to = &mut Recording { program, step: &mut step };
        let mut state = to.like("h0.state", h0);
        self.up(to, v0, Wanted::mean(h0).drawn(state, self.hidden_stream(0)))?;
        let (mut v, mut h) = (v0, h0);
        for k in 1..=steps {
            (v, h) = (to.like(format!("v{k}"), v0), to.like(format!("h{k}"), h0));
            self.down(to, state, Wanted::mean(v).given(Some(v0)))?;
            if k == steps {
                self.up(to, v, Wanted::mean(h))?;
            } else {
                state = to.like(format!("h{k}.state"), h0);
                self.up(to, v, Wanted::mean(h).drawn(state, self.hidden_stream(k)))?;
            }
        }
        Ok(Phases { step, reconstruction: v, negative: (v, h), chains: Vec::new(), driving: None })
    }

    /// Other parameters of the same shapes and streams.
    pub(crate) fn beside(&self, program: &mut Program, name: &str) -> Self {
        let [weight, hidden, visible] = self.parameters().map(|parameter| {
            let name = format!("{}.{name}", program.name(parameter));
            program.state(name, parameter.rows, parameter.cols)
        });
        Self { weight, biases: (visible, hidden), ..*self }
    }

    /// The weights, the hidden bias and the visible one.
    pub(crate) fn parameters(&self) -> [Tensor; 3] {
        [self.weight, self.biases.1, self.biases.0]
    }

    /// The hidden units given the data, and the reconstruction from their states, as in the first step of contrastive
    /// divergence.
    fn record_data(&self, to: &mut Recording<'_>, (v0, h0): (Tensor, Tensor)) -> Result<Tensor> {
        let [state, reconstruction] =
            [("h0.state", h0), ("reconstruction", v0)].map(|(name, other)| to.like(name, other));
        self.up(to, v0, Wanted::mean(h0).drawn(state, self.hidden_stream(0)))?;
        self.down(to, state, Wanted::mean(reconstruction).given(Some(v0)))?;
        Ok(reconstruction)
    }

    /// The same from the states in which the chains were left, with all units drawn by the parameters `driving`.
    pub(crate) fn persistent(
        &self,
        program: &mut Program,
        data: (Tensor, Tensor),
        steps: usize,
        driving: Option<Self>,
    ) -> Result<Phases> {
        let mut step = Routine::new(format!("PCD-{steps}"));
        let to = &mut Recording { program, step: &mut step };
        let reconstruction = self.record_data(to, data)?;
        let chain = to.carried("chain", data.1);
        let negative = driving.unwrap_or(*self).gibbs(to, data.0, chain, steps)?;
        Ok(Phases { step, reconstruction, negative, chains: vec![chain], driving })
    }

    /// So many steps of a chain from the hidden states in it, with all units drawn; gives the visible states and the hidden
    /// means in the end. Groups of visible units take as many draws as they are given.
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

    /// Persistent chains at several temperatures, neighbours of which change places: parallel tempering. The statistics are those
    /// at temperature 1.
    pub(crate) fn tempered(
        &self,
        program: &mut Program,
        data: (Tensor, Tensor),
        steps: usize,
        (chains, hottest): (usize, f32),
    ) -> Result<Phases> {
        let mut step = Routine::new(format!("PT-{steps}"));
        let to = &mut Recording { program, step: &mut step };
        let reconstruction = self.record_data(to, data)?;
        let betas: Vec<f32> = temperatures(chains, hottest).collect();
        let mut replicas = Vec::new();
        let mut means = Vec::new();
        for number in 0..chains {
            let [v, visible] = ["v", "v.state"].map(|name| to.like(format!("chain.{number}.{name}"), data.0));
            let h = to.like(format!("chain.{number}.h"), data.1);
            let hidden = to.carried(format!("chain.{number}"), data.1);
            let [above, below] = [("h", data.1), ("v", data.0)]
                .map(|(name, side)| to.like(format!("chain.{number}.{name}.total_input"), side));
            replicas.push(Replica { visible, inputs: above, hidden });
            means.push((v, h, below));
        }
        for k in 0..steps {
            for (number, &beta) in betas.iter().enumerate() {
                let (Replica { visible, inputs, hidden }, (v, h, below)) = (replicas[number], means[number]);
                let draw = k * chains + number + 1;
                let of_visible = Wanted::mean(v).drawn(visible, self.visible_stream(draw)).given(Some(data.0));
                self.down(to, hidden, of_visible.tempered(beta, below))?;
                let of_hidden = Wanted::mean(h).drawn(hidden, self.hidden_stream(draw));
                self.up(to, visible, of_hidden.tempered(beta, inputs))?;
            }
            for number in 1..chains {
                to.step.push(Op::Exchange {
                    chains: [replicas[number - 1], replicas[number]],
                    bias: self.biases.0,
                    difference: betas[number - 1] - betas[number],
                    // Of two neighbouring pairs only one exchanges in a step.
                    parity: number as u32 % 2,
                    stream: self.stream + EXCHANGES + (k * chains + number) as u32,
                })?;
            }
        }
        let negative = (replicas[0].visible, means[0].1);
        let chains = replicas.into_iter().map(|replica| replica.hidden).collect();
        Ok(Phases { step, reconstruction, negative, chains, driving: None })
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

/// The gradient of all parameters: that of the weights, the hidden bias and the visible one.
pub(crate) fn gradient(
    positive: (Tensor, Tensor),
    negative: (Tensor, Tensor),
    gradients: [Tensor; 3],
    scale: f32,
) -> Op {
    let [weight, bias, input_bias] = gradients.map(|gradient| Update::Store { gradient });
    let (bias, input_bias) = (Some(bias), Some(input_bias));
    Op::Gradient { positive, negative: Some(negative), weight, bias, input_bias, plus: None, positions: 1, scale }
}

/// What becomes of these gradients.
pub(crate) fn follow(gradients: [Tensor; 3], updates: [Update; 3]) -> impl Iterator<Item = Op> {
    let pairs = gradients.into_iter().zip(updates).enumerate();
    pairs.map(|(i, (gradient, update))| Op::Update { gradient, update, decays: i == 0 })
}

/// Records the hidden statistics of the positive phase less the derivative of the divergence of their means from a target.
pub(crate) fn record_sparsity(
    program: &mut Program,
    step: &mut Routine,
    h0: Tensor,
    (weight, target): (f32, f32),
) -> Result<Tensor> {
    let [slope, out] = ["h0.slope", "h0.sparse"].map(|name| program.value(name, h0.rows, h0.cols));
    let means = program.value("h0.means", 1, h0.cols);
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
    /// What limits the weights after they learned.
    pub(crate) limits: Vec<Op>,
}

impl Fast {
    /// What is left of fast weights after a step.
    const KEPT: f32 = 0.95;

    /// What follows the gradients G: for each parameter θ its fast part f ← 0.95 f − ε_f G, then the update of θ itself, and θ + f, which
    /// drives the chains.
    pub(crate) fn learn(
        &self,
        program: &mut Program,
        gradients: [Tensor; 3],
        updates: [Update; 3],
        driving: &Layers,
    ) -> Vec<Op> {
        let mut ops = Vec::new();
        for (i, op) in follow(gradients, updates).enumerate() {
            let (parameter, gradient, total) = (updates[i].target(), gradients[i], driving.parameters()[i]);
            let fast = program.state(format!("{}.fast", program.name(parameter)), parameter.rows, parameter.cols);
            let combine = |x, y, factors, out| Op::Combine { x, y, factors, out };
            ops.push(combine(fast, gradient, Factors::Fixed(Self::KEPT, -self.rate), fast));
            ops.push(op);
            if i == 0 {
                ops.extend(self.limits.iter().cloned());
            }
            ops.push(combine(parameter, fast, Factors::Fixed(1.0, 1.0), total));
        }
        ops
    }
}
