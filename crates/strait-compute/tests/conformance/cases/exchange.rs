//! Parallel tempering.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    CHAINS.map(|(rows, visible, hidden)| exchange(rows, visible, hidden)).to_vec()
}

/// Chains whose energies are alike, in a step in which they may change places and in one in which they may not.
fn exchange(rows: usize, visible: usize, hidden: usize) -> Case {
    let mut b = Builder::new();
    let chains = [0, 1].map(|_| Replica {
        visible: b.values("v", rows, visible),
        inputs: b.values("t", rows, hidden),
        hidden: b.values("h", rows, hidden),
    });
    let bias = b.values("a", 1, visible);
    let exchange = |parity: u32| Op::Exchange { chains, bias, difference: 0.7, parity, stream: 9 + parity };
    b.finish(format!("exchange {rows}x{visible}x{hidden}"), vec![exchange(0), exchange(1)], vec![step(rows)])
}
