//! The largest values of rows.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    CODES.into_iter().flat_map(|(batch, cols)| [1, cols.div_ceil(2), cols].map(|k| top_k(batch, cols, k))).collect()
}

/// The largest values of rows many of which are equal.
fn top_k(batch: usize, cols: usize, k: usize) -> Case {
    let mut b = Builder::new();
    let [x, masked, out] = ["x", "masked", "largest"].map(|name| b.values(name, batch, cols));
    let ops = vec![
        Op::Corrupt { input: x, noise: Noise::SaltAndPepper(0.6), stream: 6, out: masked },
        Op::TopK { input: masked, k, out },
    ];
    b.finish(format!("{k} largest of {batch}x{cols}"), ops, vec![step(batch)])
}
