//! Free energies of rows with each label.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    CHAINS.map(|(rows, visible, hidden)| class_energies(rows, hidden, visible, visible.div_ceil(2))).to_vec()
}

/// The labels of rows by their free energies.
fn class_energies(rows: usize, hidden: usize, visible: usize, classes: usize) -> Case {
    let mut b = Builder::new();
    let (inputs, weight) = (b.values("t", rows, hidden), b.values("w", visible, hidden));
    let (bias, out) = (b.values("a", 1, visible), b.values("z", rows, classes));
    let op = Op::ClassEnergies { inputs, weight, bias, out };
    b.finish(format!("class energies {rows}x{hidden}x{visible} {classes}"), vec![op], vec![step(rows)])
}
