//! Codes of few numbers: lists of these in place of rows that are mostly zeros, so that what follows costs k terms instead of all units.

use strait_compute::{Activation, Along, ByColumn, Factors, Op, SparseRows, Tensor, Update};

use super::way::Way;
use super::{Back, Tape, Value};
use crate::{Error, Layer, Result};

/// What there is of a code's numbers beside these.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    /// The units that they belong to.
    pub(super) columns: Tensor,
    /// What is not 0 where there is an entry: the numbers themselves, or what they were chosen by.
    pub(super) chosen: Tensor,
    /// How many units there are.
    pub(super) units: usize,
    /// The numbers of each unit, where the way back has asked for them.
    pub(super) order: Option<ByColumn>,
}

impl Listed {
    fn entries(self) -> SparseRows {
        SparseRows { values: self.chosen, columns: self.columns }
    }
}

/// Lists are faster than rows if there are at least this many units for each number that stays.
const WORTH: usize = 8;

impl Tape<'_> {
    /// Keeps the `k` largest outputs of each row of a layer: as a list, where `next` takes lists and `k` is small enough, else as rows whose
    /// other numbers are 0.
    pub(crate) fn keep_largest_for(&mut self, value: Value, next: Option<&Layer>, k: usize) -> Result<()> {
        match next {
            Some(next) if self.is_worth_listing(value, next, k) => self.list_largest(value, k).map(drop),
            _ => self.keep_largest(value, k),
        }
    }

    /// Lists are for rectified units, between two fully connected layers with weights of their own. Their way back ends at the layer that gave them.
    fn is_worth_listing(&self, value: Value, next: &Layer, k: usize) -> bool {
        let Some((code, input)) = self.nodes[value.0].layer else {
            return false;
        };
        let plain = |layer: &Layer| layer.window.is_none() && !layer.transposed && layer.threshold.is_none();
        let few = code.outputs() / WORTH >= k || self.holds(next);
        let ends = !self.learns || !self.passes(input);
        plain(&code) && plain(next) && code.activation == Activation::Relu && few && ends
    }

    /// Lists the `k` largest outputs of each row of a layer of rectified units. The value becomes that of these numbers, with k columns.
    ///
    /// # Errors
    /// If it is not the value of a layer, or has fewer than `k` columns.
    pub fn list_largest(&mut self, value: Value, k: usize) -> Result<SparseRows> {
        let Some((layer, input)) = self.nodes[value.0].layer else {
            let (setting, value) = ("a code of few numbers", "not that of a layer".to_owned());
            return Err(Error::Setting { setting, value, expected: "it must be a layer's" });
        };
        let dense = self.tensor(value);
        let [values, columns] = ["largest", "largest.columns"].map(|name| self.program.value(name, dense.rows, k));
        let listed = SparseRows { values, columns };
        self.routine.push(Op::Largest { input: dense, out: listed })?;
        let back: Back = Box::new(move |way, delta| way.learn_listed(value, layer, input, delta));
        let node = &mut self.nodes[value.0];
        (node.out, node.back) = (values, Some(back));
        node.listed = Some(Listed { columns, chosen: values, units: dense.cols, order: None });
        Ok(listed)
    }

    /// A list as one tensor: k numbers and behind them the k units that they belong to, [B, 2 k].
    ///
    /// # Errors
    /// If both halves of the list have not the same shape.
    pub fn with_units(&mut self, SparseRows { values, columns }: SparseRows) -> Result<Tensor> {
        let k = values.cols;
        let out = self.program.value("listed", values.rows, 2 * k);
        for (input, to) in [(values, 0), (columns, k)] {
            self.routine.push(Op::CopyColumns { input, first: 0, out, to, columns: k })?;
        }
        Ok(out)
    }

    /// Lists the `k` largest outputs of a layer that takes `bias` for its own. The way back ends at the layer's own.
    pub(crate) fn list_layer(
        &mut self,
        input: Value,
        layer: Layer,
        bias: Tensor,
        k: usize,
    ) -> Result<(Value, SparseRows)> {
        let value = self.layer(input, Layer { bias, threshold: None, ..layer })?;
        let listed = self.list_largest(value, k)?;
        let back: Back = Box::new(move |way, delta| way.learn_listed(value, layer, input, delta));
        let node = &mut self.nodes[value.0];
        (node.back, node.layer) = (Some(back), Some((layer, input)));
        Ok((value, listed))
    }

    /// The numbers of a value that is listed.
    fn entries(&self, value: Value) -> Option<SparseRows> {
        let node = &self.nodes[value.0];
        node.listed.map(|Listed { columns, .. }| SparseRows { values: node.out, columns })
    }

    /// The numbers of a listed value by their units.
    pub(super) fn order(&mut self, value: Value) -> Result<ByColumn> {
        let Some(listed) = self.nodes[value.0].listed else {
            unreachable!("only listed values are asked for their order");
        };
        if let Some(order) = listed.order {
            return Ok(order);
        }
        let rows = listed.entries();
        let order = ByColumn {
            starts: self.program.value("largest.starts", 1, listed.units + 1),
            entries: self.program.value("largest.entries", 1, rows.values.len()),
        };
        self.routine.push(Op::ByColumn { rows, out: order })?;
        self.nodes[value.0].listed = Some(Listed { order: Some(order), ..listed });
        Ok(order)
    }

    /// y = act(C W + b) for a code of few numbers; nothing for other values.
    pub(super) fn listed_layer(&mut self, input: Value, layer: Layer, name: &str) -> Result<Option<Value>> {
        let Some(code) = self.entries(input) else {
            return Ok(None);
        };
        let back: Back = Box::new(move |way, delta| way.learn_from_listed(input, layer, code, delta));
        let value = self.through(code, layer, name, back)?;
        self.nodes[value.0].layer = Some((layer, input));
        Ok(Some(value))
    }

    /// act(C W + b) for these entries, with this way back.
    pub(super) fn through(&mut self, code: SparseRows, layer: Layer, name: &str, back: Back) -> Result<Value> {
        let Layer { weight, bias, activation, .. } = layer;
        let out = self.program.value(name, code.values.rows, layer.outputs());
        self.routine.push(Op::SparseLinear { input: code, weight, bias, activation, out })?;
        Ok(self.add_node(out, activation, Some(back)))
    }

    /// Holds what each input of a layer adds to its outputs, the rows of its weights, to length 1 while the tape learns: after each update they are
    /// scaled, and of a code of few numbers the part of the gradient that would only change the length is left out.
    pub fn hold_rows(&mut self, layer: Layer) {
        if self.learns {
            let rows = !layer.transposed;
            self.slopes.limit(Op::MaxNorm { weight: layer.weight, norm: 1.0, rows, exact: true });
            self.held.push(layer.weight);
        }
    }

    fn holds(&self, layer: &Layer) -> bool {
        self.held.contains(&layer.weight)
    }
}

impl Way<'_, '_> {
    /// The way back through a layer on a code of few numbers.
    fn learn_from_listed(&mut self, input: Value, layer: Layer, code: SparseRows, delta: Tensor) -> Result<()> {
        self.learn_weight_from_listed(input, layer, code, delta)?;
        let (bias, sum) = self.own_slope(layer.bias, false);
        self.push(Op::SharedBias { delta, bias: Update::Store { gradient: bias } })?;
        self.add_slope(bias, sum)
    }

    /// The same but for the gradient of the bias.
    pub(super) fn learn_weight_from_listed(
        &mut self,
        input: Value,
        layer: Layer,
        code: SparseRows,
        delta: Tensor,
    ) -> Result<()> {
        let weight = layer.weight;
        let derivatives = self.tape.program.value("largest.delta", code.values.rows, code.values.cols);
        let entries = self.tape.nodes[input.0].listed.map_or(code, Listed::entries);
        self.push(Op::SparseBackprop { delta, weight, input: entries, out: derivatives })?;
        if self.tape.passes(input) {
            self.tape.gather_derivative(input, derivatives)?;
        }
        let order = self.tape.order(input)?;
        let along = self.tape.holds(&layer).then_some(Along { derivatives, weight });
        let (gradient, sum) = self.own_slope(weight, true);
        self.push(Op::SparseGradient {
            values: code.values,
            order,
            dense: delta,
            transposed: false,
            weight: Update::Store { gradient },
            bias: None,
            along,
        })?;
        self.add_slope(gradient, sum)
    }

    /// The gradients of the layer that gave a code of few numbers.
    pub(super) fn learn_listed(&mut self, value: Value, layer: Layer, input: Value, delta: Tensor) -> Result<()> {
        let (order, dense) = (self.tape.order(value)?, self.tape.tensor(input));
        let (gradient, sum) = self.own_slope(layer.weight, true);
        let (bias, sum_of_biases) = self.own_slope(layer.bias, false);
        self.push(Op::SparseGradient {
            values: delta,
            order,
            dense,
            transposed: true,
            weight: Update::Store { gradient },
            bias: Some(Update::Store { gradient: bias }),
            along: None,
        })?;
        self.add_slope(gradient, sum)?;
        self.add_slope(bias, sum_of_biases)
    }

    /// Where a gradient goes, and the sum to which it is then added, if there is one of an earlier use.
    pub(super) fn own_slope(&mut self, parameter: Tensor, decays: bool) -> (Tensor, Option<Tensor>) {
        match self.slope(parameter, decays) {
            (sum, true) => {
                let name = format!("{}.other", self.tape.program.name(sum));
                (self.tape.program.value(name, sum.rows, sum.cols), Some(sum))
            }
            (gradient, false) => (gradient, None),
        }
    }

    pub(super) fn add_slope(&mut self, gradient: Tensor, sum: Option<Tensor>) -> Result<()> {
        let factors = Factors::Fixed(1.0, 1.0);
        sum.map_or(Ok(()), |sum| self.push(Op::Combine { x: sum, y: gradient, factors, out: sum }))
    }
}
