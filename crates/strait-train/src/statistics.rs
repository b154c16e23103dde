//! From the statistics of the two phases of a Boltzmann machine to the update of its parameters.

use strait_compute::{Activation, Factors, Op, PenaltyKind, Tensor, Update};

use crate::Result;
use crate::machine_tensors::Recording;

/// The gradient of all parameters, ⟨v h⟩ of the negative phase less that of the positive one: of the weights, the hidden bias and
/// the visible one.
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

/// The updates that follow these gradients. The weights alone decay.
pub(crate) fn follow(gradients: [Tensor; 3], updates: [Update; 3]) -> impl Iterator<Item = Op> {
    let pairs = gradients.into_iter().zip(updates).enumerate();
    pairs.map(|(i, (gradient, update))| Op::Update { gradient, update, decays: i == 0 })
}

/// Records the hidden statistics of the positive phase less the derivative of the divergence of their means from a target.
pub(crate) fn record_sparsity(to: &mut Recording<'_>, h0: Tensor, (weight, target): (f32, f32)) -> Result<Tensor> {
    let [slope, out] = ["h0.slope", "h0.sparse"].map(|name| to.like(name, h0));
    let means = to.program.value("h0.means", 1, h0.cols);
    let kind = PenaltyKind::Sparsity { weight, target, means };
    to.step.push(Op::ColumnMeans { input: h0, times: None, out: means })?;
    // The penalty adds its derivative to what is there.
    to.step.push(Op::Combine { x: h0, y: h0, factors: Factors::Fixed(0.0, 0.0), out: slope })?;
    to.step.push(Op::Penalty { kind, output: h0, activation: Activation::Logistic, delta: slope })?;
    to.step.push(Op::Combine { x: h0, y: slope, factors: Factors::Fixed(1.0, -1.0), out })?;
    Ok(out)
}
