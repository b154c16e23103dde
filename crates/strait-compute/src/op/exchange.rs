use super::*;

/// A chain of Gibbs sampling, as [`Op::Exchange`](crate::Op::Exchange) sees it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Replica {
    /// v, [B, K].
    pub visible: Tensor,
    /// b + v W, [B, N].
    pub inputs: Tensor,
    /// h, [B, N].
    pub hidden: Tensor,
}

/// Parallel tempering: chains that swap their states.
pub(super) fn access(chains: [Replica; 2], bias: Tensor, difference: f32) -> Access {
    let fits = || {
        if !difference.is_finite() {
            return Err(format!("the difference {difference} of inverse temperatures must be finite"));
        }
        let Replica { visible, hidden, .. } = chains[0];
        for chain in chains {
            same("the visible states", chain.visible, visible.rows, visible.cols)?;
            same("the hidden states", chain.hidden, visible.rows, hidden.cols)?;
            same("the hidden inputs", chain.inputs, visible.rows, hidden.cols)?;
        }
        same("the visible bias", bias, 1, visible.cols)
    };
    let of_chain = |chain: Replica| [reads([chain.visible, chain.inputs]), in_place([chain.hidden])].concat();
    let (reads, fits) = ([chains.map(of_chain).concat(), reads([bias])].concat(), fits());
    let writes = chains.map(|chain| Write::Bits(chain.hidden)).to_vec();
    Access { name: "exchange", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
