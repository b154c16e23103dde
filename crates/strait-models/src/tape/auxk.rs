//! The auxiliary loss of dead units.

use strait_compute::{Activation, Factors, Kind, Op, Tensor};

use super::{Back, Tape, Value};
use crate::{AuxK, Layer, Objective, Result};

impl Tape<'_> {
    /// Puts α ‖e − ê‖² on a reconstruction: e is the error that `made`, from the listed `code`, leaves of the target, and ê what the largest outputs of dead units
    /// make by themselves. Nothing passes back through e.
    pub(crate) fn revive_dead(
        &mut self,
        [input, code, made, target]: [Value; 4],
        [up, down]: [Layer; 2],
        AuxK { k, weight, after }: AuxK,
    ) -> Result<()> {
        let order = self.order(code)?;
        let since = self.program.state(format!("{}.since", self.program.name(up.bias)), 1, up.outputs());
        let unused = self.program.value("unused bias", 1, up.outputs());
        let limit = after as f32;
        self.routine.push(Op::UnusedBias { order, bias: up.bias, since, limit, out: unused })?;
        let (dead, entries) = self.list_layer(input, up, unused, k)?;
        // They have no bias of their own, and teach the decoder none.
        let bias = self.program.data("no bias of dead units", 1, down.outputs(), Kind::Values);
        let unbiased = Layer { bias, activation: Activation::Linear, ..down };
        let back: Back = Box::new(move |way, delta| way.learn_weight_from_listed(dead, down, entries, delta));
        let of_dead = self.through(entries, unbiased, "of dead units", back)?;
        let [x, y, scaled] = [target, made, of_dead].map(|value| self.tensor(value));
        let root = weight.sqrt();
        let times_root = move |x: Tensor, out: Tensor| Op::Combine { x, y: x, factors: Factors::Fixed(root, 0.0), out };
        let estimate = self.operation(
            "of dead units",
            &[of_dead],
            scaled.cols,
            move |to, out| to.push(times_root(scaled, out)),
            move |to, _, delta, out| to.push(times_root(delta, out)),
        )?;
        let left = self.program.value("left", y.rows, y.cols);
        self.routine.push(Op::Combine { x, y, factors: Factors::Fixed(root, -root), out: left })?;
        let left = self.data(left);
        self.compare(estimate, left, Objective::SquaredError)
    }
}
