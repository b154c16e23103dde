//! The training of codes whose units have thresholds, and of those with AuxK.

use strait_compute::Activation;

use crate::tape::{Tape, Value};
use crate::{Autoencoder, Error, Goal, Layer, Objective, Result, Thresholds};

impl Autoencoder {
    /// Whether the code can have thresholds, and be trained by them and by AuxK.
    pub(crate) fn check_sparse_training(&self) -> Result<()> {
        let code = &self.layers[self.encoder - 1];
        if code.threshold.is_some() && self.top_k.is_some() {
            let message = "the largest numbers of a code stay, or those above their units' thresholds, not both";
            return Err(Error::Shape(message.to_owned()));
        }
        if let Some(aux_k) = self.aux_k {
            let largest = self.top_k.is_some() || matches!(self.thresholds, Some(Thresholds::BatchTopK { .. }));
            if !largest || code.activation != Activation::Relu || !self.is_plain() {
                let message = "AuxK is for rectified units of which the largest stay, between two layers, the first of which encodes, with weights of their own and without a penalty";
                return Err(Error::Shape(message.to_owned()));
            }
            aux_k.check(code.outputs)?;
        }
        let Some(thresholds) = self.thresholds else {
            return Ok(());
        };
        if code.threshold.is_none() {
            let message = "training is to keep a number of units by their thresholds, but the code's units have none";
            return Err(Error::Shape(message.to_owned()));
        }
        if !self.is_plain() {
            let message = "units with thresholds are trained between two layers, the first of which encodes, with weights of their own and without a penalty";
            return Err(Error::Shape(message.to_owned()));
        }
        thresholds.check(code.outputs)
    }

    /// Whether it has a single layer on either side, with weights of its own and without a penalty.
    fn is_plain(&self) -> bool {
        let convolved = self.layers.iter().any(|layer| layer.convolution.is_some());
        self.encoder == 1 && self.layers.len() == 2 && !convolved && !self.tied && self.penalty.is_none()
    }

    /// Records a minibatch whose code is a list, with its losses.
    pub(crate) fn record_list(
        &self,
        tape: &mut Tape<'_>,
        [up, down]: [Layer; 2],
        [input, target]: [Value; 2],
        goal: &Goal,
    ) -> Result<()> {
        let code = match (self.thresholds, self.top_k) {
            (Some(thresholds), _) => tape.list_by_thresholds(input, up, thresholds)?,
            (None, k) => tape.list_layer(input, up, up.bias, k.unwrap_or(up.outputs()))?.0,
        };
        let Some(aux_k) = self.aux_k else {
            return tape.reconstruct(code, &[down], target, goal.objective);
        };
        if goal.objective != Objective::SquaredError {
            let (setting, value) = ("the objective beside AuxK", format!("{:?}", goal.objective));
            return Err(Error::Setting { setting, value, expected: "it must be the squared error" });
        }
        let made = tape.layer(code, down)?;
        tape.compare(made, target, goal.objective)?;
        tape.revive_dead([input, code, made, target], [up, down], aux_k)
    }
}
