//! A net's loss on one minibatch, as a function to be minimised on the device.

use std::collections::HashMap;

use strait_compute::{Execution, Factors, Op, Routine, RoutineId, Step, Tensor, go_on};

use crate::minimize::{POINT, Problem, Vector};

/// The mean loss of a net over the rows of one minibatch as a function of all its parameters; every vector stays on
/// the device. [`POINT`] is the net itself.
pub struct NetProblem<'a> {
    execution: &'a mut dyn Execution,
    memory: &'a mut Memory,
    rows: u32,
}

/// The vectors and routines of a [`NetProblem`], kept from one minibatch to the next.
pub(crate) struct Memory {
    vectors: Vec<Vec<Tensor>>,
    /// Loss and gradient.
    evaluation: RoutineId,
    combinations: HashMap<(Vector, Vector, Vector), RoutineId>,
    products: HashMap<(Vector, Vector), RoutineId>,
}

/// The vector into which loss and gradient are recorded.
pub(crate) const GRADIENT: Vector = Vector(2);

impl Memory {
    /// `point` are the trained parameters, `others` further vectors with the same shapes in the same order. `evaluation` computes
    /// the loss, and the gradients into the vector [`GRADIENT`].
    pub(crate) fn new(point: Vec<Tensor>, others: Vec<Vec<Tensor>>, evaluation: RoutineId) -> Self {
        let vectors = std::iter::once(point).chain(others).collect();
        let (combinations, products) = (HashMap::new(), HashMap::new());
        Self { vectors, evaluation, combinations, products }
    }
}

impl<'a> NetProblem<'a> {
    pub(crate) fn new(execution: &'a mut dyn Execution, memory: &'a mut Memory, rows: u32) -> Self {
        Self { execution, memory, rows }
    }

    /// Adds a routine with one operation for each of the parameters' tensors.
    fn record(&mut self, name: &str, op: impl Fn(usize) -> Op) -> Result<RoutineId, strait_compute::Error> {
        let mut routine = Routine::new(name);
        for part in 0..self.memory.vectors[0].len() {
            routine.push(op(part))?;
        }
        self.execution.add(routine)
    }
}

impl Problem for NetProblem<'_> {
    type Error = strait_compute::Error;

    fn reserve(&mut self, count: usize) -> Result<(), Self::Error> {
        if count <= self.memory.vectors.len() {
            return Ok(());
        }
        Err(strait_compute::Error::Tensor {
            tensor: "parameter vectors".to_owned(),
            message: format!("{} are declared, but the minimiser wants {count}", self.memory.vectors.len()),
        })
    }

    fn combine(&mut self, alpha: f64, x: Vector, beta: f64, y: Vector, out: Vector) -> Result<(), Self::Error> {
        let routine = match self.memory.combinations.get(&(x, y, out)) {
            Some(&routine) => routine,
            None => {
                let [xs, ys, outs] = [x, y, out].map(|vector| self.memory.vectors[vector.0].clone());
                let routine = self.record("combine", |i| Op::Combine {
                    x: xs[i],
                    y: ys[i],
                    factors: Factors::Step,
                    out: outs[i],
                })?;
                self.memory.combinations.insert((x, y, out), routine);
                routine
            }
        };
        let step = Step { rows: self.rows, alpha: alpha as f32, beta: beta as f32, ..Step::default() };
        self.execution.run(routine, &[step], &mut go_on).map(|_| ())
    }

    fn dot(&mut self, x: Vector, y: Vector) -> Result<f64, Self::Error> {
        let routine = match self.memory.products.get(&(x, y)) {
            Some(&routine) => routine,
            None => {
                let [xs, ys] = [x, y].map(|vector| self.memory.vectors[vector.0].clone());
                let routine = self.record("dot", |i| Op::Dot { x: xs[i], y: ys[i] })?;
                self.memory.products.insert((x, y), routine);
                routine
            }
        };
        let step = Step { rows: self.rows, ..Step::default() };
        let metrics = self.execution.run(routine, &[step], &mut go_on)?;
        Ok(metrics.dots.iter().flatten().sum())
    }

    fn evaluate(&mut self, gradient: Vector) -> Result<f64, Self::Error> {
        let step = Step { rows: self.rows, ..Step::default() };
        let loss = self.execution.run(self.memory.evaluation, &[step], &mut go_on)?.mean_loss();
        if gradient != GRADIENT {
            self.combine(1.0, GRADIENT, 0.0, GRADIENT, gradient)?;
        }
        Ok(loss)
    }
}

/// Declares `count` vectors with the shapes of these parameters.
pub(crate) fn declare_vectors(
    program: &mut strait_compute::Program,
    parameters: &[Tensor],
    count: usize,
) -> Vec<Vec<Tensor>> {
    let mut vectors = Vec::with_capacity(count);
    for number in POINT.0 + 1..=count {
        let mut declare = |part: Tensor| {
            let name = format!("{}.vector.{number}", program.name(part));
            program.value(name, part.rows, part.cols)
        };
        vectors.push(parameters.iter().copied().map(&mut declare).collect());
    }
    vectors
}
