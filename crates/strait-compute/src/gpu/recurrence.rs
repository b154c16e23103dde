//! The kernels of recurrent layers.

use strait_device::Access as Binding;
use strait_shaders::Part;

use super::kernel::{Kernel, activation_code, groups, optional, wanted, words};
use super::lower::Tiles;
use crate::op::Op;
use crate::{Activation, Cell, Start, Tensor};

/// Rows that a workgroup takes through the steps.
const ROWS: usize = 4;
/// Multiply-adds of a dispatch: those of more steps are cut into several, since systems end what keeps a GPU busy for seconds.
const LARGEST: usize = 1 << 33;

/// The kernels of a layer's way through sequences.
pub(super) fn there(op: &Op, tiles: Tiles) -> Vec<Kernel> {
    let Op::Recurrence { cell, steps, reversed, start, inputs, constant, weight, bias, lengths, memory, trace, out } =
        *op
    else {
        unreachable!("only recurrent layers are lowered here");
    };
    let mut buffers = vec![(1, Binding::Read, weight), (2, Binding::Write, memory), (3, Binding::Read, bias)];
    let gates = trace.map(|trace| trace.gates);
    let mut main = wanted("gates", 4, gates, &mut buffers);
    main += &if gates.is_some() && gates == inputs {
        // A buffer that is written must not be bound a second time.
        "fn inputs_at(i: u32) -> f32 { return gates[i]; }\n".to_owned()
    } else {
        optional("inputs_at", 5, inputs, "0.0", &mut buffers)
    };
    main += &wanted("cells", 6, trace.map(|trace| trace.cells), &mut buffers);
    main += &wanted("previous", 7, trace.map(|trace| trace.previous), &mut buffers);
    main += &wanted("out", 8, out, &mut buffers);
    main += &length_of(9, lengths, &mut buffers);
    main += &optional("constant_at", 10, constant, "0.0", &mut buffers);
    let states = if let Start::States(states) = start { Some(states) } else { None };
    main += &optional("start_at", 11, states, "0.0", &mut buffers);
    let choices = [reversed, start == Start::Memory];
    let kernel = || Kernel { main: main.clone(), buffers: buffers.clone(), ..of(op, Part::Recurrence, cell, tiles) };
    dispatches(kernel, weight, memory, steps, choices)
}

/// The kernels of its way back.
pub(super) fn back(op: &Op, tiles: Tiles) -> Vec<Kernel> {
    let Op::RecurrenceBackward { cell, steps, reversed, delta, weight, lengths, memory, trace, inputs, constant } = *op
    else {
        unreachable!("only the ways back of recurrent layers are lowered here");
    };
    let mut buffers = vec![
        (1, Binding::Read, weight),
        (2, Binding::Write, memory),
        (3, Binding::Read, delta),
        (4, Binding::Write, trace.gates),
        (5, Binding::Read, trace.cells),
    ];
    let previous = (cell == Cell::Gru).then_some(trace.previous);
    let mut main = optional("previous_at", 6, previous, "0.0", &mut buffers);
    main += &length_of(7, lengths, &mut buffers);
    main += &wanted("inputs", 8, inputs, &mut buffers);
    main += &match constant {
        None => "fn add_constant(i: u32, x: f32, first: bool) {}\n".to_owned(),
        Some(_) => {
            wanted("constant", 9, constant, &mut buffers)
                + "fn add_constant(i: u32, x: f32, first: bool) { constant[i] = x + select(constant[i], 0.0, first); }\n"
        }
    };
    let choices = [reversed, delta.rows == memory.rows];
    let kernel =
        || Kernel { main: main.clone(), buffers: buffers.clone(), ..of(op, Part::RecurrenceBackward, cell, tiles) };
    let mut kernels = dispatches(kernel, weight, memory, steps, choices);
    kernels.reverse();
    kernels
}

/// The steps of each row; without lengths more than any sequence has.
fn length_of(binding: u32, lengths: Option<Tensor>, buffers: &mut Vec<(u32, Binding, Tensor)>) -> String {
    optional("length_of", binding, lengths, "1e9", buffers)
}

/// A kernel of this part, which has no buffers yet.
fn of(op: &Op, part: Part, cell: Cell, tiles: Tiles) -> Kernel {
    Kernel {
        constants: vec![
            ("ACTIVATION", activation_code(Activation::Logistic)),
            ("CELL", u32::from(cell == Cell::Gru)),
            ("GATES", cell.gates() as u32),
            ("STATES", cell.states() as u32),
            ("ROWS", ROWS as u32),
            ("LANES", if tiles == Tiles::Software { 64 } else { 256 }),
        ],
        parts: vec![Part::Prelude, Part::Activation, Part::RecurrenceCell, part],
        ..Kernel::named(op.name())
    }
}

/// The kernel for some steps after the other.
fn dispatches(
    kernel: impl Fn() -> Kernel,
    weight: Tensor,
    memory: Tensor,
    steps: usize,
    choices: [bool; 2],
) -> Vec<Kernel> {
    let each = (LARGEST / (memory.rows * weight.len())).clamp(1, steps);
    let of = |first: usize| Kernel {
        sizes: [
            words([memory.rows, weight.rows, steps, first, (first + each).min(steps)]),
            choices.map(u32::from).to_vec(),
        ]
        .concat(),
        workgroups: [groups(memory.rows, ROWS), 1, 1],
        ..kernel()
    };
    (0..steps).step_by(each).map(of).collect()
}
