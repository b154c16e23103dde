//! Recurrent layers, there and back.

use super::*;

/// Steps, rows and units.
const SEQUENCES: [(usize, usize, usize); 6] =
    [(1, 3, 1), (1, 7, 16), (3, 17, 5), (5, 13, 33), (4, 41, 32), (9, 20, 17)];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for cell in Cell::ALL {
        for (number, &sizes) in SEQUENCES.iter().enumerate() {
            // Every choice with every other over the shapes.
            for choices in [number, number + 3, 7 - number] {
                let choice = |bit: usize| choices >> bit & 1 == 1;
                cases.push(sequence(cell, sizes, choice(0), [!choice(1) || choice(2), choice(1)], choice(2)));
            }
            cases.push(continued(cell, sizes));
        }
    }
    cases
}

/// Sums that are cut in parts.
pub(super) fn wide() -> Vec<Case> {
    Cell::ALL.map(|cell| sequence(cell, (2, 14, 360), false, [true, false], false)).to_vec()
}

/// What the tape records: there, the gradients' operands, and back.
fn sequence(
    cell: Cell,
    (steps, rows, units): (usize, usize, usize),
    reversed: bool,
    [varies, repeats]: [bool; 2],
    masked: bool,
) -> Case {
    let mut b = Builder::new();
    let gates = cell.gates() * units;
    let inputs = varies.then(|| b.values("inputs", rows * steps, gates));
    let constant = repeats.then(|| b.values("constant", rows, gates));
    let weight = b.values("w", units, gates);
    let bias = b.values("b", 1, gates);
    let lengths = masked.then(|| b.values("lengths", rows, 1));
    let memory = b.values("memory", rows, cell.states() * units + gates);
    let trace = Trace {
        gates: inputs.filter(|_| !repeats).unwrap_or_else(|| b.values("gates", rows * steps, gates)),
        cells: b.values("cells", rows * steps, units),
        previous: b.values("previous", rows * steps, units),
    };
    let out = (!masked).then(|| b.values("out", rows * steps, units));
    // The derivative of all outputs, or of the last one.
    let delta = b.values("delta", if masked { rows } else { rows * steps }, units);
    let carried = b.values("carried", rows, cell.states() * units + gates);
    let below = varies.then(|| b.values("below", rows * steps, gates));
    let below_all = repeats.then(|| b.values("below all", rows, gates));
    let start = if masked { Start::Nothing } else { Start::States(b.values("start", rows, units)) };
    let there = Op::Recurrence {
        cell,
        steps,
        reversed,
        start,
        inputs,
        constant,
        weight,
        bias,
        lengths,
        memory,
        trace: Some(trace),
        out,
    };
    let back = Op::RecurrenceBackward {
        cell,
        steps,
        reversed,
        delta,
        weight,
        lengths,
        memory: carried,
        trace,
        inputs: below,
        constant: below_all,
    };
    let name = format!(
        "{} {steps}x{rows}x{units} reversed={reversed} varies={varies} repeats={repeats} masked={masked}",
        cell.name()
    );
    b.finish(name, vec![there, back], vec![step(rows)])
}

/// From the states that are there, without a way back.
fn continued(cell: Cell, (steps, rows, units): (usize, usize, usize)) -> Case {
    let mut b = Builder::new();
    let gates = cell.gates() * units;
    let inputs = b.values("inputs", rows * steps, gates);
    let (weight, bias) = (b.values("w", units, gates), b.values("b", 1, gates));
    let memory = b.values("memory", rows, cell.states() * units + gates);
    let out = Some(b.values("out", rows * steps, units));
    let op = Op::Recurrence {
        cell,
        steps,
        reversed: false,
        start: Start::Memory,
        inputs: Some(inputs),
        constant: None,
        weight,
        bias,
        lengths: None,
        memory,
        trace: None,
        out,
    };
    b.finish(format!("{} {steps}x{rows}x{units} continued", cell.name()), vec![op], vec![step(rows), step(rows)])
}
