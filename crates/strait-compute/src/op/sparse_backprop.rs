use super::*;

/// The way back through layers on rows of few numbers.
pub(super) fn access(delta: Tensor, weight: Tensor, input: SparseRows, out: Tensor) -> Access {
    let fits = || {
        input.fits()?;
        same("the derivative", delta, input.values.rows, weight.cols)?;
        same("the result", out, input.values.rows, input.values.cols)
    };
    let reads = reads([delta, weight, input.values, input.columns]);
    let work = Work::Elements(2 * (input.values.len() * weight.cols) as u64);
    let (writes, fits) = (computed([out]), fits());
    Access { name: "sparse backprop", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}
