//! Codes whose units have thresholds, as lists of the numbers above them.

use strait_compute::{Op, SparseRows, StraightThrough, Tensor};

use super::sparse::Listed;
use super::way::Way;
use super::{Back, Tape, Value};
use crate::{Error, Layer, Result, Thresholds};

/// The share of the way to the smallest number of a minibatch that stays which the thresholds of BatchTopK go in a step.
const RATE: f32 = 0.05;

/// What the way back needs of numbers above their thresholds.
struct Above {
    /// What they were chosen by.
    listed: SparseRows,
    threshold: Tensor,
    active: Tensor,
    straight: StraightThrough,
}

impl Tape<'_> {
    /// The code of a layer of units with thresholds, as a list, while these are trained.
    pub(crate) fn list_by_thresholds(&mut self, input: Value, layer: Layer, thresholds: Thresholds) -> Result<Value> {
        let Some(threshold) = layer.threshold else {
            let (setting, value) = ("the thresholds of a code", "missing".to_owned());
            return Err(Error::Setting { setting, value, expected: "each unit has one" });
        };
        let most = thresholds.most(layer.outputs());
        match thresholds {
            Thresholds::BatchTopK { k } => {
                let (value, SparseRows { values, columns }) = self.list_layer(input, layer, layer.bias, most)?;
                let out = self.program.value("batch largest", values.rows, values.cols);
                self.routine.push(Op::BatchLargest { input: values, threshold, k, rate: RATE, out })?;
                let node = &mut self.nodes[value.0];
                node.out = out;
                node.listed = Some(Listed { columns, chosen: out, units: layer.outputs(), order: None });
                Ok(value)
            }
            Thresholds::JumpRelu { k, bandwidth, weight } => {
                let shifted = self.program.value("shifted bias", 1, layer.outputs());
                self.routine.push(Op::JumpReluBias { bias: layer.bias, threshold, bandwidth, out: shifted })?;
                let (value, listed) = self.list_layer(input, layer, shifted, most)?;
                let out = self.program.value("above", listed.values.rows, most);
                let active = self.program.value("active", 1, 1);
                self.routine.push(Op::JumpReluListed { input: listed, threshold, bandwidth, out, active })?;
                let straight = StraightThrough { bandwidth, weight, mean: k as f32 };
                let above = Above { listed, threshold, active, straight };
                let back: Back = Box::new(move |way, delta| way.learn_above(value, layer, input, &above, delta));
                let node = &mut self.nodes[value.0];
                (node.out, node.back) = (out, Some(back));
                Ok(value)
            }
        }
    }
}

impl Way<'_, '_> {
    /// The gradients of thresholds and of the layer before them.
    fn learn_above(&mut self, value: Value, layer: Layer, input: Value, above: &Above, delta: Tensor) -> Result<()> {
        let &Above { listed, threshold, active, straight } = above;
        let order = self.tape.order(value)?;
        let (gradient, sum) = self.own_slope(threshold, false);
        self.push(Op::JumpReluBackward {
            input: listed.values,
            order,
            threshold,
            active,
            straight,
            derivatives: delta,
            gradient,
        })?;
        self.add_slope(gradient, sum)?;
        self.learn_listed(value, layer, input, delta)
    }
}
