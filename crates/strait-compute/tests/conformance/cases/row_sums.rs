//! Sums of rows.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    CODES.map(|(batch, cols)| row_sums(batch, cols)).to_vec()
}

fn row_sums(batch: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (input, columns) = (b.values("x", batch, cols), b.values("c", 1, cols));
    let ops = [None, Some(columns)].map(|columns| Op::RowSums { input, columns });
    b.finish(format!("row sums {batch}x{cols}"), ops.to_vec(), vec![step(batch.div_ceil(2)), step(batch)])
}
