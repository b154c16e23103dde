//! Columns shifted and scaled, and their means.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    SHAPES.map(|(rows, cols)| standardize(rows, cols)).to_vec()
}

fn standardize(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (input, m, s) = (b.values("x", rows, cols), b.values("m", 1, cols), b.values("s", 1, cols));
    let (both, other) =
        ([(None, None), (Some(m), None), (None, Some(s)), (Some(m), Some(s))], b.values("y", rows, cols));
    let mut ops: Vec<Op> = both
        .into_iter()
        .map(|(shift, scale)| Op::Standardize { input, shift, scale, out: b.values("out", rows, cols) })
        .collect();
    ops.push(Op::ColumnMeans { input, times: Some(other), out: b.values("means", 1, cols) });
    b.finish(format!("standardize {rows}x{cols}"), ops, vec![step(rows.div_ceil(2))])
}
