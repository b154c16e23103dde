//! Values of several parents, and operations that models compose.

use super::{Back, Factors, Node, Op, Range, Tape, Tensor, Value, Way};
use crate::{Error, Result};

/// Where a model's own operation is recorded: its way there, and its way back.
pub struct Recorder<'t, 'a> {
    tape: &'t mut Tape<'a>,
}

impl Recorder<'_, '_> {
    /// A tensor for what is computed on the way, of as many rows as the minibatch has.
    pub fn value(&mut self, name: &str, cols: usize) -> Tensor {
        self.tape.tensor_named(name, cols)
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
        let out = self.tensor_named(name, cols);
        there(&mut Recorder { tape: self }, out)?;
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
            let message = format!("there are no columns {} to {} of {}", columns.start, columns.end, input.cols);
            return Err(Error::Shape(message));
        }
        let (first, count) = (columns.start, columns.len());
        let name = format!("{}.columns", self.program.name(input));
        let out = self.tensor_named(&name, count);
        self.routine.push(Op::CopyColumns { input, first, out, to: 0, columns: count })?;
        let back: Back = Box::new(move |way, delta| way.pass_columns(value, first, delta));
        // The units are the same, and so are their slopes.
        Ok(self.add_node(out, activation, Some(back)))
    }
}

impl Way<'_, '_> {
    /// Adds a derivative with respect to a value itself, which `record` computes, to that with respect to the total input of its
    /// units.
    fn pass(&mut self, to: Value, record: impl FnOnce(&mut Recorder<'_, '_>, Tensor) -> Result<()>) -> Result<()> {
        if !self.tape.passes(to) {
            return Ok(());
        }
        let Node { out: output, activation, .. } = self.tape.nodes[to.0];
        let name = format!("{}.delta", self.tape.program.name(output));
        let delta = self.tape.tensor_named(&name, output.cols);
        record(&mut Recorder { tape: self.tape }, delta)?;
        if activation != super::Activation::Linear {
            self.push(Op::Slope { delta, output, activation, out: delta })?;
        }
        self.tape.gather_derivative(to, delta)
    }

    /// Adds a derivative to some columns of that of a value.
    fn pass_columns(&mut self, to: Value, first: usize, delta: Tensor) -> Result<()> {
        if !self.tape.passes(to) {
            return Ok(());
        }
        let columns = delta.cols;
        let output = self.tape.tensor(to);
        let (known, fresh) = match self.tape.nodes[to.0].delta {
            Some(known) => (known, false),
            None => {
                let name = format!("{}.delta", self.tape.program.name(output));
                let known = self.tape.tensor_named(&name, output.cols);
                self.tape.nodes[to.0].delta = Some(known);
                // Nothing in the columns that nobody uses.
                let factors = Factors::Fixed(0.0, 0.0);
                self.push(Op::Combine { x: output, y: output, factors, out: known })?;
                (known, true)
            }
        };
        let mut sum = delta;
        if !fresh {
            sum = self.tape.tensor_named("columns.delta", columns);
            self.push(Op::CopyColumns { input: known, first, out: sum, to: 0, columns })?;
            self.push(Op::Combine { x: sum, y: delta, factors: Factors::Fixed(1.0, 1.0), out: sum })?;
        }
        self.push(Op::CopyColumns { input: sum, first: 0, out: known, to: first, columns })
    }
}
