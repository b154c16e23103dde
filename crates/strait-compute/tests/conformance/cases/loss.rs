//! Losses, with their outputs and derivatives where these are wanted.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let both = [true; 2];
    let mut cases =
        Activation::ALL.map(|activation| loss(6, 35, LossKind::SquaredError { activation }, 4, both)).to_vec();
    for kind in [
        LossKind::CrossEntropy,
        LossKind::SoftmaxCrossEntropy,
        LossKind::SquaredError { activation: Activation::Linear },
    ] {
        cases.extend([[true, false], [false, true]].map(|wanted| loss(3, 10, kind, 2, wanted)));
        for (batch, cols) in [(1, 1), (3, 10), (17, 33), (20, 784), (5, 300)] {
            cases.push(loss(batch, cols, kind, batch, both));
            cases.push(loss(batch, cols, kind, batch.div_ceil(2), [false; 2]));
        }
    }
    cases
}
