use super::*;

/// A loss, by the outputs it expects and the derivative it passes on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LossKind {
    /// Σ (y − t)². `input` holds the outputs y; the derivative passed on, 2 (y − t) y′, is through `activation`.
    SquaredError {
        /// The activation that gave y.
        activation: Activation,
    },
    /// −Σ t ln p + (1 − t) ln(1 − p) with p = logistic(z), computed from the logits z in `input`.
    CrossEntropy,
    /// −Σ t ln p with p = softmax(z) over the row, computed from the logits z in `input`. In place of the squared error the
    /// metrics get 1 if the largest z (the first of equal ones) is not where the largest t is, else 0.
    SoftmaxCrossEntropy,
}

/// Losses.
pub(super) fn access(input: Tensor, target: Tensor, output: Option<Tensor>, delta: Option<Tensor>) -> Access {
    let fits = || {
        same("the target", target, input.rows, input.cols)?;
        let mut outs = [output, delta].into_iter().flatten();
        outs.try_for_each(|tensor| same("the result", tensor, input.rows, input.cols))
    };
    let (reads, writes, fits) = (reads([input, target]), computed([output, delta]), fits());
    let (rows, report) = (Rows::Of(input.rows), Report::Losses(input.rows));
    Access { name: "loss", reads, writes, rows, report, work: Work::Little, fits }
}
