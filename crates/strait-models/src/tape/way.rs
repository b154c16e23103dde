//! The way back through a tape: derivatives of values, and gradients of parameters.

use super::{Activation, Addend, Factors, FoldTail, Node, Op, Program, Recorder, Tape, Tensor, Update, Value, Window};
use crate::{Layer, Result};

/// The way back through a tape.
pub(super) struct Way<'t, 'a> {
    pub(super) tape: &'t mut Tape<'a>,
    /// Gives a tensor for the gradient of a parameter.
    pub(super) place: &'t mut dyn FnMut(&mut Program, Tensor) -> Tensor,
}

impl Way<'_, '_> {
    pub(super) fn push(&mut self, op: Op) -> Result<()> {
        Ok(self.tape.routine.push(op)?)
    }

    /// Adds what `op` computes to the derivative of a value with respect to the total input of its units.
    pub(super) fn pass_total(&mut self, to: Value, op: impl FnOnce(Tensor) -> Op) -> Result<()> {
        let tape = &mut *self.tape;
        let name = format!("{}.delta", tape.program.name(tape.tensor(to)));
        let Tensor { rows, cols, .. } = tape.tensor(to);
        let out = tape.program.value(name, rows, cols);
        tape.routine.push(op(out))?;
        tape.gather_derivative(to, out)
    }

    /// The tensor for the gradient of a parameter, and whether it holds that of another use already.
    pub(super) fn slope(&mut self, parameter: Tensor, decays: bool) -> (Tensor, bool) {
        if let Some(gradient) = self.tape.slopes.of(parameter) {
            return (gradient, true);
        }
        let gradient = (self.place)(self.tape.program, parameter);
        self.tape.slopes.add(parameter, gradient, decays);
        (gradient, false)
    }

    /// Passes the derivative of a layer on, then records its gradients.
    pub(super) fn learn_layer(
        &mut self,
        input: Value,
        layer: Layer,
        seen: Option<Tensor>,
        delta: Tensor,
    ) -> Result<()> {
        let (output, activation) = (self.tape.tensor(input), self.tape.nodes[input.0].activation);
        let passes = self.tape.passes(input);
        let (weight, transposed) = (layer.weight, layer.transposed);
        let mut convolved = None;
        match (layer.window, seen) {
            (Some(window), Some(seen)) => {
                let pixels = window.pixels(weight.cols);
                // δ as the weights see it: by pixels of the filters' map, or by windows on the larger one.
                let turned = self.unfold(delta, if transposed { window } else { pixels })?;
                if passes {
                    let back = self.tape.program.value("back", seen.rows, seen.cols);
                    let (through, next, tail) = match transposed {
                        true => (activation, pixels, FoldTail::Sum),
                        false => (Activation::Linear, window, FoldTail::Backprop { output, activation }),
                    };
                    let (delta, output, activation, out) = (turned, seen, through, back);
                    self.push(Op::Backprop { delta, weight, transposed, output, activation, out })?;
                    self.pass_total(input, |out| Op::Fold { input: back, window: next, tail, out })?;
                }
                convolved = Some((window, seen, turned));
            }
            _ if passes => {
                self.pass_total(input, |out| Op::Backprop { delta, weight, transposed, output, activation, out })?;
            }
            _ => {}
        }
        let Some((window, seen, turned)) = convolved else {
            return self.learn_product(layer, output, delta);
        };
        let positive = if transposed { (turned, seen) } else { (seen, turned) };
        self.learn_weight(layer, positive, [None; 2], window.positions())?;
        let (bias, sum) = self.own_slope(layer.bias, false);
        self.push(Op::SharedBias { delta, bias: Update::Store { gradient: bias } })?;
        self.add_slope(bias, sum)
    }

    /// Records the gradients of a layer's weights and bias from what it takes and the derivative with respect to its total inputs.
    pub(super) fn learn_product(&mut self, layer: Layer, input: Tensor, delta: Tensor) -> Result<()> {
        let (bias, sum) = self.own_slope(layer.bias, false);
        let store = Some(Update::Store { gradient: bias });
        let steps = input.rows / self.tape.batch;
        match layer.transposed {
            true => self.learn_weight(layer, (delta, input), [None, store], steps)?,
            false => self.learn_weight(layer, (input, delta), [store, None], steps)?,
        }
        self.add_slope(bias, sum)
    }

    /// Records the gradient of a layer's weights, to which each use adds its own, and those of biases in its tail.
    fn learn_weight(
        &mut self,
        layer: Layer,
        positive: (Tensor, Tensor),
        [bias, input_bias]: [Option<Update>; 2],
        positions: usize,
    ) -> Result<()> {
        let (gradient, earlier) = self.slope(layer.weight, true);
        let plus = if earlier { Some(Addend::Gradient(gradient)) } else { self.costs_of(layer.weight) };
        let weight = Update::Store { gradient };
        self.push(Op::Gradient { positive, negative: None, weight, bias, input_bias, plus, positions, scale: 1.0 })
    }

    /// The costs that a penalty puts on the columns of weights.
    fn costs_of(&self, weight: Tensor) -> Option<Addend> {
        let uses = |node: &&Node| node.layer.is_some_and(|(layer, _)| layer.weight == weight);
        let costs = self.tape.nodes.iter().filter(uses).find_map(|node| node.costs);
        costs.map(|costs| Addend::Decay { weight, costs })
    }

    /// The windows on a map.
    fn unfold(&mut self, input: Tensor, window: Window) -> Result<Tensor> {
        let out = self.tape.program.value("windows", self.tape.batch * window.positions(), window.taps());
        self.push(Op::Unfold { input, window, out })?;
        Ok(out)
    }

    /// Adds a derivative with respect to a value itself, which `record` computes, to that with respect to the total input of its
    /// units.
    pub(super) fn pass(
        &mut self,
        to: Value,
        record: impl FnOnce(&mut Recorder<'_, '_>, Tensor) -> Result<()>,
    ) -> Result<()> {
        if !self.tape.passes(to) {
            return Ok(());
        }
        let Node { out: output, activation, .. } = self.tape.nodes[to.0];
        let name = format!("{}.delta", self.tape.program.name(output));
        let delta = self.tape.program.value(name, output.rows, output.cols);
        record(&mut Recorder { tape: self.tape, rows: output.rows }, delta)?;
        if activation != Activation::Linear {
            self.push(Op::Slope { delta, output, activation, out: delta })?;
        }
        self.tape.gather_derivative(to, delta)
    }

    /// Adds a derivative to a part of that of a value, which `read` and `write` copy.
    pub(super) fn pass_part(
        &mut self,
        to: Value,
        delta: Tensor,
        read: impl Fn(Tensor, Tensor) -> Op,
        write: impl Fn(Tensor, Tensor) -> Op,
    ) -> Result<()> {
        if !self.tape.passes(to) {
            return Ok(());
        }
        let output = self.tape.tensor(to);
        let Some(known) = self.tape.nodes[to.0].delta else {
            let name = format!("{}.delta", self.tape.program.name(output));
            let known = self.tape.program.value(name, output.rows, output.cols);
            self.tape.nodes[to.0].delta = Some(known);
            // Nothing in the parts that nobody uses.
            self.push(Op::Combine { x: output, y: output, factors: Factors::Fixed(0.0, 0.0), out: known })?;
            return self.push(write(delta, known));
        };
        let sum = self.tape.program.value("part.delta", delta.rows, delta.cols);
        self.push(read(known, sum))?;
        self.push(Op::Combine { x: sum, y: delta, factors: Factors::Fixed(1.0, 1.0), out: sum })?;
        self.push(write(sum, known))
    }
}
