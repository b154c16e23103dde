//! Derivatives through activations, also in place.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let of = |(rows, cols)| Activation::ALL.map(|activation| slope(rows, cols, activation));
    CODES.into_iter().flat_map(of).collect()
}

fn slope(rows: usize, cols: usize, activation: Activation) -> Case {
    let mut b = Builder::new();
    // Outputs of which all activations could be.
    let [delta, output, out] = ["delta", "target", "out"].map(|name| b.values(name, rows, cols));
    let slope = |delta, out| Op::Slope { delta, output, activation, out };
    let name = format!("slope {rows}x{cols} {}", activation.name());
    b.finish(name, vec![slope(delta, out), slope(delta, delta)], vec![step(rows)])
}
