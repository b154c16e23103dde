use super::*;

/// The numbers of [`Op::Shrink`](crate::Op::Shrink).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shrinkage {
    /// η, the step.
    pub rate: f32,
    /// λ, the weight of the absolute values.
    pub sparsity: f32,
    /// α, the weight of the squared distance from the prediction.
    pub pull: f32,
}

/// Steps of iterative shrinkage towards sparse codes.
///
/// `others` are the overlap, the correlation and the prediction.
pub(super) fn access(code: Tensor, others: [Tensor; 3], shrinkage: Shrinkage, out: Tensor) -> Access {
    let fits = || {
        let Shrinkage { rate, sparsity, pull } = shrinkage;
        if [rate, sparsity, pull].iter().any(|x| !x.is_finite() || *x < 0.0) {
            return Err(format!("{shrinkage:?} must be numbers from 0 on"));
        }
        let mut others = others.into_iter().chain([out]);
        others.try_for_each(|tensor| same("each operand", tensor, code.rows, code.cols))
    };
    let (reads, writes, fits) = (reads([code].into_iter().chain(others)), computed([out]), fits());
    Access { name: "shrink", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
