//! Codes drawn from normal distributions, and the derivative through the draw.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    CODES.map(|(batch, codes)| latent(batch, codes)).to_vec()
}

/// Codes of a variational autoencoder, there and back.
fn latent(batch: usize, codes: usize) -> Case {
    let mut b = Builder::new();
    let [moments, out] = ["moments", "d moments"].map(|name| b.values(name, batch, 2 * codes));
    let [noise, code, delta] = ["noise", "code", "delta"].map(|name| b.values(name, batch, codes));
    let kl_weight = 0.8;
    let ops = vec![
        Op::Reparameterize { moments, kl_weight, stream: 4, noise, out: code },
        Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out },
    ];
    b.finish(format!("latent {batch}x{codes}"), ops, vec![step(batch.div_ceil(2)), step(batch)])
}
