//! Back-propagation through a layered net, recorded once for every optimiser.

use strait_compute::{Activation, Kind, LossKind, Op, Program, Routine, Tensor, Update};
use strait_models::Network;

use crate::Result;

/// The part of a net that a loss is put on.
pub(crate) struct Recorded<'a> {
    pub(crate) network: &'a Network,
    /// The minibatch.
    pub(crate) input: Tensor,
    /// The outputs of the layers.
    pub(crate) outputs: &'a [Tensor],
}

/// Which error of the reconstructions is minimised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// −Σ x ln x̂ + (1 − x) ln(1 − x̂), for logistic outputs: the paper's.
    #[default]
    CrossEntropy,
    /// Σ (x − x̂)²
    SquaredError,
}

impl Objective {
    /// Whether the last layer has to leave logits.
    pub(crate) fn takes_logits(self) -> bool {
        self == Self::CrossEntropy
    }

    fn loss(self, activation: Activation) -> LossKind {
        match self {
            Self::CrossEntropy => LossKind::CrossEntropy,
            Self::SquaredError => LossKind::SquaredError { activation },
        }
    }
}

impl Recorded<'_> {
    /// Records the loss of the reconstructions, without derivatives.
    pub(crate) fn loss(&self, routine: &mut Routine, objective: Objective) -> Result<()> {
        self.push_loss(routine, objective, None)
    }

    fn push_loss(&self, routine: &mut Routine, objective: Objective, delta: Option<Tensor>) -> Result<()> {
        let last = self.outputs.len() - 1;
        let kind = objective.loss(self.network.layers[last].activation);
        routine.push(Op::Loss { kind, input: self.outputs[last], target: self.input, output: None, delta })?;
        Ok(())
    }

    /// Records the loss and, from the last layer to the first, the gradients, with what `update` makes of them. A
    /// layer passes its derivative on before its own weights change.
    pub(crate) fn backward(
        &self,
        program: &mut Program,
        routine: &mut Routine,
        objective: Objective,
        mut update: impl FnMut(&mut Program, Tensor) -> Update,
    ) -> Result<()> {
        let batch = self.input.rows;
        let mut delta = program.tensor("delta of the loss", batch, self.input.cols, Kind::Values);
        self.push_loss(routine, objective, Some(delta))?;
        for (i, layer) in self.network.layers.iter().enumerate().rev() {
            let above = delta;
            let below = if i == 0 { self.input } else { self.outputs[i - 1] };
            if i > 0 {
                delta = program.tensor(format!("delta {i}"), batch, below.cols, Kind::Values);
                let activation = self.network.layers[i - 1].activation;
                routine.push(Op::Backprop {
                    delta: above,
                    weight: layer.weight,
                    output: below,
                    activation,
                    out: delta,
                })?;
            }
            routine.push(Op::Gradient {
                positive: (below, above),
                negative: None,
                weight: update(program, layer.weight),
                bias: Some(update(program, layer.bias)),
                input_bias: None,
            })?;
        }
        Ok(())
    }
}
