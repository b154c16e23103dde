use super::*;

/// Random states with the mean computed by [`Op::Linear`](crate::Op::Linear).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// How they are drawn.
    pub sampling: Sampling,
    /// Where they go, [B, N].
    pub out: Tensor,
    /// The stream of random numbers: different for each operation that draws.
    pub stream: u32,
}

/// Layers.
pub(super) fn access(
    input: Tensor,
    (weight, transposed): (Tensor, bool),
    bias: Tensor,
    activation: Activation,
    out: Tensor,
    sample: Option<Sample>,
) -> Access {
    let fits = || {
        let (inner, cols) = if transposed { (weight.cols, weight.rows) } else { (weight.rows, weight.cols) };
        if input.cols != inner {
            let turned = if transposed { " transposed" } else { "" };
            return Err(format!("X is {} but W is {}{turned}", input.shape(), weight.shape()));
        }
        same("the bias", bias, 1, cols)?;
        same("the output", out, input.rows, cols)?;
        let Some(sample) = sample else { return Ok(()) };
        if sample.sampling == Sampling::Rectified && activation != Activation::Softplus {
            return Err(format!("rectified states have softplus means, not {} ones", activation.name()));
        }
        same("the sample", sample.out, input.rows, cols)
    };
    let states = sample.map(|Sample { sampling, out, .. }| match sampling {
        Sampling::Bernoulli => Write::Bits(out),
        Sampling::Gaussian | Sampling::Rectified => Write::Computed(out),
    });
    let reads = reads([input, weight, bias]);
    let writes = [Write::Computed(out)].into_iter().chain(states).collect();
    let work = Work::Matmuls(vec![Matmul::Layer { input, weight, transposed }]);
    Access { name: "linear", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits: fits() }
}
