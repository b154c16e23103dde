//! Columns of one minibatch in another.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    CHAINS.map(|(rows, left, right)| copies(rows, left, right)).to_vec()
}

/// Two minibatches side by side, and a part of them.
fn copies(rows: usize, left: usize, right: usize) -> Case {
    let mut b = Builder::new();
    let [x, y] = [("x", left), ("y", right)].map(|(name, cols)| b.values(name, rows, cols));
    let (joined, part) = (b.values("joined", rows, left + right), b.values("part", rows, left.div_ceil(2) + right));
    let ops = vec![
        Op::CopyColumns { input: x, first: 0, out: joined, to: 0, columns: left },
        Op::CopyColumns { input: y, first: 0, out: joined, to: left, columns: right },
        Op::CopyColumns { input: joined, first: left / 2, out: part, to: 0, columns: part.cols },
    ];
    b.finish(format!("copies {rows}x{left}+{right}"), ops, vec![step(rows)])
}
