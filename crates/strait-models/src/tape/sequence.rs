//! Sequences: steps side by side and below each other, recurrent layers, ends.

use strait_compute::{Cell, Start, Trace};

use super::{Activation, Back, FoldTail, Op, Recorder, Tape, Tensor, Value, Way, Window};
use crate::{Error, Layer, Result};

/// A recurrent layer, as far as it goes from step to step.
#[derive(Clone, Copy, Debug)]
pub struct Recurrent {
    /// The cell.
    pub cell: Cell,
    /// The weights of the state, [H, G H], and their bias: a linear layer.
    pub state: Layer,
    /// T
    pub steps: usize,
    /// Whether the last step comes first.
    pub reversed: bool,
    /// The steps of each row, [B, 1], where they are not the same.
    pub lengths: Option<Tensor>,
}

/// Which states of a recurrent layer are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum States {
    /// That behind each step, stacked over time: [B T, H].
    Each,
    /// That at the end, [B, H].
    Last,
}

impl Tape<'_> {
    /// The steps of sequences, which lie side by side in a row, stacked over time: step t of row b of the minibatch is row b T + t.
    ///
    /// # Errors
    /// If the values of a row cannot be split into that many steps.
    pub fn split_steps(&mut self, value: Value, steps: usize) -> Result<Value> {
        self.flat(value)?;
        let input = self.tensor(value);
        if steps == 0 || !input.cols.is_multiple_of(steps) {
            return Err(Error::Shape(format!("expected {steps} steps of the same size, found {} values", input.cols)));
        }
        let window = pixels(steps, input.cols / steps);
        let shape = (self.batch * steps, window.channels);
        let there = move |to: &mut Recorder<'_, '_>, out| to.push(Op::Unfold { input, window, out });
        self.operation_of("steps", &[value], shape, there, move |to, _, delta, out| {
            to.push(Op::Fold { input: delta, window, tail: FoldTail::Sum, out })
        })
    }

    /// Steps that are stacked over time side by side again, in one row for each row of the minibatch.
    ///
    /// # Errors
    /// None but those of recording.
    pub fn join_steps(&mut self, value: Value) -> Result<Value> {
        let input = self.tensor(value);
        let steps = input.rows / self.batch;
        let window = pixels(steps, input.cols);
        let there = move |to: &mut Recorder<'_, '_>, out| to.push(Op::Fold { input, window, tail: FoldTail::Sum, out });
        let shape = (self.batch, steps * input.cols);
        self.operation_of("sequence", &[value], shape, there, move |to, _, delta, out| {
            to.push(Op::Unfold { input: delta, window, out })
        })
    }

    /// Each step's values one step later, or earlier where sequences go backwards: 0 in the first one. The steps lie side by side in a row, and are
    /// data.
    ///
    /// # Errors
    /// If the values of a row cannot be split into that many steps, or come from a layer.
    pub fn previous_steps(&mut self, value: Value, steps: usize, reversed: bool) -> Result<Value> {
        self.flat(value)?;
        let input = self.tensor(value);
        if self.passes(value) || steps == 0 || !input.cols.is_multiple_of(steps) {
            return Err(Error::Shape(format!("expected {steps} steps of data, found {} values", input.cols)));
        }
        let each = input.cols / steps;
        let out = self.tensor_named("previous", input.cols);
        let factors = super::Factors::Fixed(0.0, 0.0);
        self.routine.push(Op::Combine { x: input, y: input, factors, out })?;
        if steps > 1 {
            let (first, to) = if reversed { (each, 0) } else { (0, each) };
            self.routine.push(Op::CopyColumns { input, first, out, to, columns: input.cols - each })?;
        }
        Ok(self.data(out))
    }

    /// Sequences up to their ends, with `beyond` behind these: `lengths`, [B, 1], are the steps of each row, whose steps of `each` values lie
    /// side by side. No derivative goes on behind the ends.
    ///
    /// # Errors
    /// If the values of a row are not steps of that size.
    pub fn truncate(&mut self, value: Value, lengths: Tensor, each: usize, beyond: f32) -> Result<Value> {
        self.flat(value)?;
        let input = self.tensor(value);
        if !self.passes(value) {
            let out = self.tensor_named("truncated", input.cols);
            self.routine.push(Op::Truncate { input, lengths, each, beyond, out })?;
            return Ok(self.data(out));
        }
        let there = move |to: &mut Recorder<'_, '_>, out| to.push(Op::Truncate { input, lengths, each, beyond, out });
        self.operation("truncated", &[value], input.cols, there, move |to, _, delta, out| {
            to.push(Op::Truncate { input: delta, lengths, each, beyond: 0.0, out })
        })
    }

    /// A recurrent layer. Below it are `inputs`, [B T, G H], that vary from step to step, `constant` ones, [B, G H], that are the same in each, or both,
    /// which add up: the outputs of linear layers. The first states are `start`, [B, H], or 0; the c of an LSTM starts from 0.
    ///
    /// ```
    /// use strait_models::{Layer, Recurrent, Result, States, Tape, Value};
    ///
    /// /// The last state of a recurrent layer on sequences.
    /// fn encode(tape: &mut Tape<'_>, x: Value, input: Layer, layer: Recurrent) -> Result<Value> {
    ///     let steps = tape.split_steps(x, layer.steps)?;
    ///     let gates = tape.layer(steps, input)?;
    ///     tape.recur(layer, [Some(gates), None], None, States::Last)
    /// }
    /// ```
    ///
    /// # Errors
    /// If both inputs are missing, or the shapes do not fit.
    pub fn recur(
        &mut self,
        layer: Recurrent,
        [inputs, constant]: [Option<Value>; 2],
        start: Option<Value>,
        wanted: States,
    ) -> Result<Value> {
        let Recurrent { cell, state, steps, reversed, lengths } = layer;
        for value in [inputs, constant].into_iter().flatten() {
            self.linear(value, "the activation of what comes from below a recurrent layer")?;
        }
        let (units, gates, batch) = (state.weight.rows, state.weight.cols, self.batch);
        let rows = batch * steps;
        let [below, always] = [inputs, constant].map(|value| value.map(|value| self.tensor(value)));
        let memory = self.tensor_named("memory", cell.states() * units + gates);
        let learns = self.learns;
        let mut value = |name: &str, cols: usize| self.program.value(name, rows, cols);
        let trace = learns.then(|| Trace {
            gates: below.unwrap_or_else(|| value("gates", gates)),
            cells: value("cells", units),
            previous: value("before", units),
        });
        let out = (wanted == States::Each).then(|| value("h", units));
        let (weight, bias) = (state.weight, state.bias);
        let first = start.map_or(Start::Nothing, |start| Start::States(self.tensor(start)));
        self.routine.push(Op::Recurrence {
            cell,
            steps,
            reversed,
            start: first,
            inputs: below,
            constant: always,
            weight,
            bias,
            lengths,
            memory,
            trace,
            out,
        })?;
        let out = match out {
            Some(out) => out,
            None => {
                let out = self.tensor_named("h", units);
                self.routine.push(Op::CopyColumns { input: memory, first: 0, out, to: 0, columns: units })?;
                out
            }
        };
        let back: Option<Back> = trace.map(|trace| -> Back {
            Box::new(move |way, delta| way.recur(layer, start, [inputs, constant], trace, delta))
        });
        let value = self.add_node(out, Activation::Linear, back);
        self.nodes[value.0].layer = inputs.or(constant).map(|below| (state, below));
        Ok(value)
    }
}

/// Each step as a pixel of a map.
fn pixels(steps: usize, each: usize) -> Window {
    Window { height: steps, width: 1, channels: each, kernel: 1, stride: 1, padding: 0, over_time: false }
}

impl Way<'_, '_> {
    /// Records the way back through a recurrent layer, then the gradients of its state's weights.
    fn recur(
        &mut self,
        layer: Recurrent,
        start: Option<Value>,
        [inputs, constant]: [Option<Value>; 2],
        trace: Trace,
        delta: Tensor,
    ) -> Result<()> {
        let Recurrent { cell, state, steps, reversed, lengths } = layer;
        let (batch, gates) = (self.tape.batch, state.weight.cols);
        let mut value = |name: &str, rows: usize, cols: usize| self.tape.program.value(name, rows, cols);
        let memory = value("carried", batch, cell.states() * state.weight.rows + gates);
        // What comes from below an LSTM has the derivatives of its gates.
        let of_inputs = inputs.map(|_| match cell {
            Cell::Lstm => trace.gates,
            Cell::Gru => value("gates.delta", batch * steps, gates),
        });
        let of_constant = constant.map(|_| value("constant.delta", batch, gates));
        self.push(Op::RecurrenceBackward {
            cell,
            steps,
            reversed,
            delta,
            weight: state.weight,
            lengths,
            memory,
            trace,
            inputs: of_inputs.filter(|_| cell == Cell::Gru),
            constant: of_constant,
        })?;
        self.learn_product(state, trace.previous, trace.gates)?;
        if let Some(start) = start {
            let columns = state.weight.rows;
            self.pass(start, |to, out| to.push(Op::CopyColumns { input: memory, first: gates, out, to: 0, columns }))?;
        }
        for (value, delta) in [(inputs, of_inputs), (constant, of_constant)] {
            if let (Some(value), Some(delta)) = (value, delta)
                && self.tape.passes(value)
            {
                self.tape.gather_derivative(value, delta)?;
            }
        }
        Ok(())
    }
}
