//! Sequences up to their ends.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    [(1, 1, 1), (7, 3, 5), (20, 6, 16)].map(|(rows, steps, each)| truncated(rows, steps, each)).to_vec()
}

fn truncated(rows: usize, steps: usize, each: usize) -> Case {
    let mut b = Builder::new();
    let [input, out] = ["x", "y"].map(|name| b.values(name, rows, steps * each));
    let lengths = b.values("lengths", rows, 1);
    let ops = vec![Op::Truncate { input, lengths, each, beyond: -0.5, out }];
    b.finish(format!("truncate {rows}x{steps}x{each}"), ops, vec![step(rows)])
}
