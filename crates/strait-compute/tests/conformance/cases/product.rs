//! Products of vectors, also in place and of a vector with itself.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    SHAPES.map(|(rows, cols)| product(rows, cols)).to_vec()
}

fn product(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let [x, y, out, square] = ["x", "y", "out", "square"].map(|name| b.values(name, rows, cols));
    let ops = vec![
        Op::Product { x, y, out },
        Op::Product { x: out, y, out },
        Op::Product { x, y: out, out },
        Op::Product { x: out, y: out, out: square },
    ];
    b.finish(format!("product {rows}x{cols}"), ops, vec![step(rows)])
}
