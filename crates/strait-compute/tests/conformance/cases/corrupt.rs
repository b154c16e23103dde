//! Noise on inputs.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (batch, cols) in CODES {
        let noises = [Noise::Masking(0.25), Noise::SaltAndPepper(0.4), Noise::Gaussian(0.3)];
        cases.extend(noises.map(|noise| corrupt(batch, cols, noise)));
        if cols > 1 {
            cases.push(corrupt(2 * batch, cols, Noise::Missing(Missing { first: cols as u32 / 3, share: 0.3 })));
        }
    }
    cases
}

fn corrupt(batch: usize, cols: usize, noise: Noise) -> Case {
    let mut b = Builder::new();
    let (input, out) = (b.values("x", batch, cols), b.values("noisy", batch, cols));
    let op = Op::Corrupt { input, noise, stream: 6, out };
    b.finish(format!("corrupt {batch}x{cols} {noise:?}"), vec![op], vec![step(batch.div_ceil(2))])
}
