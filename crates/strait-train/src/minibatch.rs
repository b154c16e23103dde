//! The tensors of a minibatch: inputs, and what is to be made of them.

use strait_compute::{Execution, Op, Program, Role, Routine, Shift, Tensor};
use strait_data::Rows;
use strait_models::{Network, Slopes, Tape};

use crate::backpropagation::{Standardization, gathered};
use crate::{FineTune, Member, Result};

/// Columns of a data set that a minibatch takes.
pub(crate) struct Part {
    pub(crate) first: usize,
    pub(crate) shift: Option<Shift>,
    pub(crate) out: Tensor,
}

/// A minibatch of a model.
#[derive(Clone, Copy)]
pub(crate) struct Minibatch {
    input: Tensor,
    /// Set where a row is not its own target.
    target: Option<Tensor>,
}

impl Minibatch {
    pub(crate) fn declare(program: &mut Program, name: &str, rows: usize, net: &dyn Member) -> Self {
        let input = program.value(format!("{name}x"), rows, net.inputs());
        let target = (net.targets() > 0).then(|| program.value(format!("{name}target"), rows, net.targets()));
        Self { input, target }
    }

    /// Lets the host bring the rows themselves.
    pub(crate) fn brought(&self, program: &mut Program) {
        for part in self.parts(None) {
            program.redeclare(part.out, Role::Data);
        }
    }

    /// The columns that it takes; the inputs may be shifted.
    pub(crate) fn parts(&self, shift: Option<Shift>) -> impl Iterator<Item = Part> {
        let target = self.target.map(|out| Part { first: self.input.cols, shift: None, out });
        [Some(Part { first: 0, shift, out: self.input }), target].into_iter().flatten()
    }

    /// Records its gathering from rows that lie in order, and may be standardised.
    pub(crate) fn gather(
        &self,
        (program, routine): (&mut Program, &mut Routine),
        data: Tensor,
        standardization: Option<Standardization>,
    ) -> Result<()> {
        for Part { first, shift, out } in self.parts(None) {
            let (gathered, mut ops) = gathered(program, standardization, out);
            routine.push(Op::Gather { data, index: None, first, shift, out: gathered })?;
            ops.try_for_each(|op| routine.push(op))?;
        }
        Ok(())
    }

    /// Writes the rows themselves.
    pub(crate) fn write(&self, execution: &mut dyn Execution, rows: &Rows<'_>) -> Result<()> {
        let values = rows.to_numbers();
        for Part { first, out, .. } in self.parts(None) {
            let columns = |row: &[f32]| row[first..first + out.cols].to_vec();
            execution.write(out, &values.chunks_exact(rows.width).flat_map(columns).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Records its way through a model to its losses.
    pub(crate) fn measure(
        &self,
        (program, routine): (&mut Program, &mut Routine),
        (net, network): (&dyn Member, &Network),
        recipe: &FineTune,
    ) -> Result<()> {
        self.tape((program, routine), (net, network), recipe, false)?;
        Ok(())
    }

    /// Records its way through a model to its losses, and back to the gradients of all parameters, for which `place` gives tensors.
    pub(crate) fn learn(
        &self,
        (program, routine): (&mut Program, &mut Routine),
        (net, network): (&dyn Member, &Network),
        recipe: &FineTune,
        place: impl FnMut(&mut Program, Tensor) -> Tensor,
    ) -> Result<Slopes> {
        let tape = self.tape((program, routine), (net, network), recipe, true)?;
        Ok(tape.gradients(&network.layers[..recipe.frozen], place)?)
    }

    fn tape<'a>(
        &self,
        (program, routine): (&'a mut Program, &'a mut Routine),
        (net, network): (&dyn Member, &Network),
        recipe: &FineTune,
        learns: bool,
    ) -> Result<Tape<'a>> {
        let mut tape = match learns {
            true => Tape::training(program, routine, self.input.rows),
            false => Tape::measuring(program, routine, self.input.rows),
        };
        let x = tape.data(self.input);
        let target = self.target.map_or(x, |target| tape.data(target));
        net.record(&mut tape, &network.layers, x, target, &recipe.goal())?;
        Ok(tape)
    }
}
