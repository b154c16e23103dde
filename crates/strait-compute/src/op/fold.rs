use super::*;

/// What [`Op::Fold`](crate::Op::Fold) makes of the sums.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum FoldTail {
    /// s, the sums themselves.
    Sum,
    /// act(s + b): a layer whose weights are those of a convolution, transposed.
    Layer {
        /// b, [1, C].
        bias: Tensor,
        /// act
        activation: Activation,
    },
    /// s ⊙ act′(y): the derivative of the loss with respect to the total input of the layer below a convolution.
    Backprop {
        /// y, the outputs of the layer below, a map.
        output: Tensor,
        /// act
        activation: Activation,
    },
}

impl FoldTail {
    /// The tensor that it reads, where there is one.
    pub(crate) fn tensor(&self) -> Option<Tensor> {
        match *self {
            Self::Sum => None,
            Self::Layer { bias, .. } => Some(bias),
            Self::Backprop { output, .. } => Some(output),
        }
    }
}

/// Windows into maps.
pub(super) fn access(input: Tensor, window: Window, tail: FoldTail, out: Tensor) -> Access {
    let fits = || {
        let batch = window.check(input.rows)?;
        same("the windows", input, batch * window.positions(), window.taps())?;
        same("the map", out, batch, window.values())?;
        match tail {
            FoldTail::Sum => Ok(()),
            FoldTail::Layer { bias, .. } => same("the bias", bias, 1, window.channels),
            FoldTail::Backprop { output, .. } => same("the layer's output", output, out.rows, out.cols),
        }
    };
    let (reads, writes, fits) = (reads([Some(input), tail.tensor()]), computed([out]), fits());
    Access { name: "fold", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
