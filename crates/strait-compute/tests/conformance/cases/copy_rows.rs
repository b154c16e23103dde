//! Rows of one minibatch in another.

use strait_compute::{EveryRow, Op};

use super::{Builder, CHAINS, Case, step};

pub(super) fn cases() -> Vec<Case> {
    CHAINS.map(|(rows, cols, _)| copies(rows, cols)).to_vec()
}

/// Three time steps in the rows of one matrix, and one of them out of it.
fn copies(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let steps = ["x", "y", "z"].map(|name| b.values(name, rows, cols));
    let (stacked, second) = (b.values("stacked", 3 * rows, cols), b.values("second", rows, cols));
    let of_step = |first| EveryRow { tensor: stacked, first, every: 3 };
    let mut ops: Vec<Op> = Vec::new();
    for (t, step) in steps.into_iter().enumerate() {
        ops.push(Op::CopyRows { input: EveryRow::all(step), out: of_step(t) });
    }
    ops.push(Op::CopyRows { input: of_step(1), out: EveryRow::all(second) });
    b.finish(format!("copies rows {rows}x{cols}"), ops, vec![step(rows)])
}
