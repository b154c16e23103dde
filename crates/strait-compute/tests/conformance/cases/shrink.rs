//! Sparse codes and the weights of their dictionary.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let sizes = [(1, 1, 1), (7, 33, 20), (20, 16, 70)];
    let both = sizes.map(|(batch, codes, inputs)| [false, true].map(|rows| dictionary(batch, codes, inputs, rows)));
    both.concat()
}

/// A step towards sparse codes, and weights that are used both ways after their rows or columns were shortened.
fn dictionary(batch: usize, codes: usize, inputs: usize, rows: bool) -> Case {
    let mut b = Builder::new();
    let [code, overlap, correlation, prediction, next] =
        ["z", "s", "c", "f", "next"].map(|name| b.values(name, batch, codes));
    let (weight, norm) = (b.values("w", codes, inputs), 0.4 * if rows { inputs as f32 } else { codes as f32 }.sqrt());
    let (back, decoded) = (b.values("back", batch, codes), b.values("x", batch, inputs));
    let [up, down] = [("b", codes), ("a", inputs)].map(|(name, cols)| b.values(name, 1, cols));
    let shrinkage = Shrinkage { rate: 0.3, sparsity: 0.9, pull: 0.2 };
    let layer = |input: Tensor, transposed: bool, bias: Tensor, out: Tensor| {
        let activation = Activation::Linear;
        Op::Linear { input, weight, transposed, bias, activation, out, sample: None }
    };
    let ops = vec![
        Op::MaxNorm { weight, norm, rows, exact: batch == 7 },
        Op::Threshold { weight, threshold: 0.1 },
        Op::Shrink { code, overlap, correlation, prediction, shrinkage, out: next },
        layer(next, false, down, decoded),
        layer(decoded, true, up, back),
    ];
    b.finish(format!("dictionary {batch}x{codes}x{inputs} rows={rows}"), ops, vec![step(batch)])
}
