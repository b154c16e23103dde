//! Sums of vectors, and dot products.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    SHAPES.map(|(rows, cols)| vectors(rows, cols)).to_vec()
}

fn vectors(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let [x, y, z, other] = ["x", "y", "out", "other"].map(|name| b.values(name, rows, cols));
    let (input, bias, used) = (b.values("in", 2, cols), b.values("b", 1, rows), b.values("used", 2, rows));
    let activation = Activation::Linear;
    let ops = vec![
        Op::Combine { x, y, factors: Factors::Step, out: z },
        Op::Combine { x: z, y, factors: Factors::Fixed(1.5, -1.0), out: z },
        Op::Combine { x: z, y, factors: Factors::Step, out: z },
        Op::Combine { x, y: z, factors: Factors::Fixed(1.0, -0.5), out: other },
        Op::Dot { x: z, y },
        Op::Linear { input, weight: z, transposed: true, bias, activation, out: used, sample: None },
    ];
    b.finish(format!("combine and dot {rows}x{cols}"), ops, vec![step(2)])
}
