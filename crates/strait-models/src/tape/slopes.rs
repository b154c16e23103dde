//! The gradients that a tape has recorded, and what becomes of them.

use strait_compute::{Op, Program, Routine, Tensor, Update};

use crate::{Layer, Result};

/// A parameter with its gradient.
#[derive(Clone, Copy)]
struct Slope {
    parameter: Tensor,
    gradient: Tensor,
    /// Whether the weight cost acts on it: on weights, never on biases.
    decays: bool,
}

/// The gradients of all parameters that learn, and what follows their updates.
#[derive(Default)]
pub struct Slopes {
    slopes: Vec<Slope>,
    limits: Vec<Op>,
}

impl Slopes {
    pub(super) fn add(&mut self, parameter: Tensor, gradient: Tensor, decays: bool) {
        self.slopes.push(Slope { parameter, gradient, decays });
    }

    pub(super) fn limit(&mut self, op: Op) {
        self.limits.push(op);
    }

    /// The same without limits on the weights of these layers, which do not learn.
    pub(super) fn without(mut self, frozen: &[Layer]) -> Self {
        let moves = |op: &Op| !op.tensors().1.iter().any(|tensor| frozen.iter().any(|layer| layer.weight == *tensor));
        self.limits.retain(moves);
        self
    }

    /// The gradient of a parameter.
    pub fn of(&self, parameter: Tensor) -> Option<Tensor> {
        self.slopes.iter().find(|slope| slope.parameter == parameter).map(|slope| slope.gradient)
    }

    /// Records how each parameter follows its gradient, and what follows then; nothing where there is no rule.
    ///
    /// # Errors
    /// If the state of a rule does not fit its parameter.
    pub fn follow(
        &self,
        (program, routine): (&mut Program, &mut Routine),
        rule: impl Fn(&mut Program, Tensor) -> Option<Update>,
    ) -> Result<()> {
        for &Slope { parameter, gradient, decays } in &self.slopes {
            let Some(update) = rule(program, parameter) else {
                return Ok(());
            };
            routine.push(Op::Update { gradient, update, decays })?;
        }
        self.limits.iter().try_for_each(|op| Ok(routine.push(op.clone())?))
    }
}
