//! Values of several parents, and operations that models compose.

use super::{Back, EveryRow, Factors, Node, Op, Range, Tape, Tensor, Value};
use crate::{Error, Result};

/// Where a model's own operation is recorded: its way there, and its way back.
pub struct Recorder<'t, 'a> {
    pub(super) tape: &'t mut Tape<'a>,
    pub(super) rows: usize,
}

impl Recorder<'_, '_> {
    /// A tensor for what is computed on the way, of as many rows as the value has.
    pub fn value(&mut self, name: &str, cols: usize) -> Tensor {
        self.tape.program.value(name, self.rows, cols)
    }

    /// Records an operation.
    ///
    /// # Errors
    /// If its operands do not fit together.
    pub fn push(&mut self, op: Op) -> Result<()> {
        Ok(self.tape.routine.push(op)?)
    }
}

impl<'a> Tape<'a> {
    /// An operation of a model's own, composed of those that devices know. `there` computes the value, of `cols` columns, from its
    /// parents; `back` computes the derivative with respect to one parent, by its number, from that of the value.
    ///
    /// A gate, x ⊙ x, from outside of this crate:
    ///
    /// ```
    /// use strait_compute::{Device, Op};
    /// use strait_models::{Affine, Goal, Layer, Member, Objective, Result, Tape, Value};
    /// # use strait_compute::{Activation, philox::Stream};
    ///
    /// /// x², element by element.
    /// fn square(tape: &mut Tape<'_>, x: Value) -> Result<Value> {
    ///     let (input, width) = (tape.tensor(x), tape.width(x));
    ///     tape.operation(
    ///         "square",
    ///         &[x],
    ///         width,
    ///         move |to, out| to.push(Op::Product { x: input, y: input, out }),
    ///         move |to, _, delta, out| {
    ///             // ∂x²/∂x = 2 x
    ///             to.push(Op::Product { x: input, y: delta, out })?;
    ///             let factors = strait_compute::Factors::Fixed(2.0, 0.0);
    ///             to.push(Op::Combine { x: out, y: out, factors, out })
    ///         },
    ///     )
    /// }
    ///
    /// struct Squares(Vec<Affine>);
    ///
    /// impl Member for Squares {
    ///     fn layers(&self) -> &[Affine] {
    ///         &self.0
    ///     }
    ///     fn layers_mut(&mut self) -> &mut [Affine] {
    ///         &mut self.0
    ///     }
    ///     fn check(&self, _: &Goal) -> Result<()> {
    ///         Ok(())
    ///     }
    ///     fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, goal: &Goal) -> Result<()> {
    ///         let code = tape.layer(x, layers[0])?;
    ///         let code = square(tape, code)?;
    ///         tape.reconstruct(code, &layers[1..], target, goal.objective)
    ///     }
    /// }
    /// # let stream = &mut Stream::new(1, 0);
    /// # let layers = vec![
    /// #     Affine::glorot(4, 2, Activation::Tanh, stream)?, Affine::glorot(2, 4, Activation::Logistic, stream)?];
    /// # let model = Squares(layers);
    /// # assert_eq!(model.layers().len(), 2);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the operands of an operation do not fit together.
    pub fn operation(
        &mut self,
        name: &str,
        parents: &[Value],
        cols: usize,
        there: impl FnOnce(&mut Recorder<'_, '_>, Tensor) -> Result<()>,
        back: impl Fn(&mut Recorder<'_, '_>, usize, Tensor, Tensor) -> Result<()> + 'static,
    ) -> Result<Value> {
        let rows = parents.first().map_or(self.batch, |parent| self.tensor(*parent).rows);
        self.operation_of(name, parents, (rows, cols), there, back)
    }

    /// [`Tape::operation`] for a value of the shape `[rows, cols]`.
    pub(super) fn operation_of(
        &mut self,
        name: &str,
        parents: &[Value],
        (rows, cols): (usize, usize),
        there: impl FnOnce(&mut Recorder<'_, '_>, Tensor) -> Result<()>,
        back: impl Fn(&mut Recorder<'_, '_>, usize, Tensor, Tensor) -> Result<()> + 'static,
    ) -> Result<Value> {
        let out = self.program.value(name, rows, cols);
        there(&mut Recorder { tape: self, rows }, out)?;
        let parents = parents.to_vec();
        let way: Back = Box::new(move |way, delta| {
            for (number, &parent) in parents.iter().enumerate() {
                way.pass(parent, |to, out| back(to, number, delta, out))?;
            }
            Ok(())
        });
        Ok(self.add_node(out, super::Activation::Linear, Some(way)))
    }

    /// x + y, element by element.
    ///
    /// # Errors
    /// If they are not of one shape.
    pub fn sum(&mut self, x: Value, y: Value) -> Result<Value> {
        let ([x_at, y_at], factors) = ([x, y].map(|value| self.tensor(value)), Factors::Fixed(1.0, 1.0));
        let there = move |to: &mut Recorder<'_, '_>, out| to.push(Op::Combine { x: x_at, y: y_at, factors, out });
        self.operation("sum", &[x, y], x_at.cols, there, |to, _, delta, out| {
            to.push(Op::Combine { x: delta, y: delta, factors: Factors::Fixed(1.0, 0.0), out })
        })
    }

    /// x ⊙ y, element by element.
    ///
    /// # Errors
    /// If they are not of one shape.
    pub fn product(&mut self, x: Value, y: Value) -> Result<Value> {
        let factors = [x, y].map(|value| self.tensor(value));
        let there = move |to: &mut Recorder<'_, '_>, out| to.push(Op::Product { x: factors[0], y: factors[1], out });
        self.operation("product", &[x, y], factors[0].cols, there, move |to, number, delta, out| {
            to.push(Op::Product { x: delta, y: factors[1 - number], out })
        })
    }

    /// These values side by side.
    ///
    /// # Errors
    /// If there are none.
    pub fn join(&mut self, values: &[Value]) -> Result<Value> {
        let mut first = 0;
        let mut places = Vec::new();
        for value in values {
            let input = self.tensor(*value);
            places.push((input, first));
            first += input.cols;
        }
        let cols = places.clone();
        let there = move |to: &mut Recorder<'_, '_>, out| {
            cols.iter().try_for_each(|&(input, to_column)| {
                to.push(Op::CopyColumns { input, first: 0, out, to: to_column, columns: input.cols })
            })
        };
        self.operation("joined", values, first, there, move |to, number, delta, out| {
            let (input, first) = places[number];
            to.push(Op::CopyColumns { input: delta, first, out, to: 0, columns: input.cols })
        })
    }

    /// Some columns of a value. Only these are copied, and their derivatives go back into theirs.
    ///
    /// # Errors
    /// If the value has no such columns.
    pub fn columns(&mut self, value: Value, columns: Range<usize>) -> Result<Value> {
        let Node { out: input, activation, .. } = self.nodes[value.0];
        if columns.is_empty() || columns.end > input.cols {
            let message = format!(
                "columns {} to {} are outside of a value of {} columns",
                columns.start, columns.end, input.cols
            );
            return Err(Error::Shape(message));
        }
        let (first, count) = (columns.start, columns.len());
        let name = format!("{}.columns", self.program.name(input));
        let out = self.program.value(name, input.rows, count);
        self.routine.push(Op::CopyColumns { input, first, out, to: 0, columns: count })?;
        if !self.passes(value) {
            return Ok(self.data(out));
        }
        let back: Back = Box::new(move |way, delta| {
            let read = |known, part| Op::CopyColumns { input: known, first, out: part, to: 0, columns: count };
            let write = |part, known| Op::CopyColumns { input: part, first: 0, out: known, to: first, columns: count };
            way.pass_part(value, delta, read, write)
        });
        // The units are the same, and so are their slopes.
        Ok(self.add_node(out, activation, Some(back)))
    }

    /// The steps of a sequence stacked over time: step t of row b of the minibatch is row b T + t. A layer then takes all steps at
    /// once; what counts rows of the minibatch, such as a loss, takes one step.
    ///
    /// ```
    /// use strait_models::{Layer, Result, Tape, Value};
    ///
    /// /// The same layer for each of three steps of four numbers that lie side by side in a row.
    /// fn encode(tape: &mut Tape<'_>, x: Value, layer: Layer) -> Result<Vec<Value>> {
    ///     let steps = (0..3).map(|t| tape.columns(x, 4 * t..4 * t + 4)).collect::<Result<Vec<_>>>()?;
    ///     let stacked = tape.stack(&steps)?;
    ///     let codes = tape.layer(stacked, layer)?;
    ///     (0..3).map(|t| tape.step(codes, t)).collect()
    /// }
    /// ```
    ///
    /// # Errors
    /// If there are none, or they are not of one shape.
    pub fn stack(&mut self, steps: &[Value]) -> Result<Value> {
        let tensors: Vec<Tensor> = steps.iter().map(|step| self.tensor(*step)).collect();
        let (count, cols) = (steps.len(), tensors.first().map_or(0, |tensor| tensor.cols));
        for step in steps {
            self.flat(*step)?;
        }
        let of_step = move |tensor, first| EveryRow { tensor, first, every: count };
        let there = move |to: &mut Recorder<'_, '_>, out| {
            let copy = |(t, &tensor)| Op::CopyRows { input: EveryRow::all(tensor), out: of_step(out, t) };
            tensors.iter().enumerate().map(copy).try_for_each(|op| to.push(op))
        };
        self.operation_of("stacked", steps, (count * self.batch, cols), there, move |to, t, delta, out| {
            to.push(Op::CopyRows { input: of_step(delta, t), out: EveryRow::all(out) })
        })
    }

    /// Step t of values that are stacked over time. Only its rows are copied, and their derivatives go back into theirs.
    ///
    /// # Errors
    /// If there is no such step.
    pub fn step(&mut self, stacked: Value, t: usize) -> Result<Value> {
        let Node { out: input, activation, .. } = self.nodes[stacked.0];
        let steps = input.rows / self.batch;
        if t >= steps {
            return Err(Error::Shape(format!(
                "step {t} is outside of a value of {steps} steps, which are counted from 0"
            )));
        }
        let of_step = move |tensor| EveryRow { tensor, first: t, every: steps };
        let name = format!("{}.step", self.program.name(input));
        let out = self.tensor_named(&name, input.cols);
        self.routine.push(Op::CopyRows { input: of_step(input), out: EveryRow::all(out) })?;
        let back: Back = Box::new(move |way, delta| {
            let read = |known, part| Op::CopyRows { input: of_step(known), out: EveryRow::all(part) };
            let write = |part, known| Op::CopyRows { input: EveryRow::all(part), out: of_step(known) };
            way.pass_part(stacked, delta, read, write)
        });
        Ok(self.add_node(out, activation, Some(back)))
    }
}
