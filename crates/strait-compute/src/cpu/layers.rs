//! Layers of which the largest outputs alone are read: these are found while a layer is computed, and its outputs need no memory.

use crate::op::Op;
use crate::{Activation, Program, Routine, Tensor};

/// A layer whose outputs have no memory.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    pub(super) input: Tensor,
    pub(super) weight: Tensor,
    pub(super) transposed: bool,
    pub(super) bias: Tensor,
}

/// Takes the memory from the outputs of such layers.
pub(super) fn release(mut program: Program) -> Program {
    let mut outputs: Vec<Tensor> = Vec::new();
    for routine in program.routines() {
        for pair in routine.ops().windows(2) {
            if let (Some((_, out)), Op::Largest { input, .. }) = (rectified(&pair[0]), &pair[1])
                && out == *input
            {
                outputs.push(out);
            }
        }
    }
    for out in outputs {
        let uses = |routine: &Routine| {
            let ops = routine.ops();
            let touches = |op: &Op| op.access().touches(out);
            let pairs = ops.windows(2).filter(|pair| {
                rectified(&pair[0]).is_some_and(|(_, made)| made == out)
                    && matches!(pair[1], Op::Largest { input, .. } if input == out)
            });
            ops.iter().filter(|op| touches(op)).count() == 2 * pairs.count()
        };
        program.tensors[out.id].absent = program.routines().iter().all(uses);
    }
    program
}

/// The layer before an operation that takes the largest of its outputs, if these have no memory.
pub(super) fn before(program: &Program, routine: &Routine, number: usize) -> Option<Layer> {
    let (layer, out) = rectified(routine.ops().get(number.checked_sub(1)?)?)?;
    let largest = matches!(routine.ops().get(number), Some(Op::Largest { input, .. }) if *input == out);
    (largest && program.tensors[out.id].absent).then_some(layer)
}

/// A layer of rectified units, and its outputs.
fn rectified(op: &Op) -> Option<(Layer, Tensor)> {
    match *op {
        Op::Linear { input, weight, transposed, bias, activation: Activation::Relu, out, sample: None } => {
            Some((Layer { input, weight, transposed, bias }, out))
        }
        _ => None,
    }
}
