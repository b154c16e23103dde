use super::*;

/// Layers on rows of few numbers.
pub(super) fn access(input: SparseRows, weight: Tensor, bias: Tensor, out: Tensor) -> Access {
    let fits = || {
        input.fits()?;
        same("the bias", bias, 1, weight.cols)?;
        same("the output", out, input.values.rows, weight.cols)
    };
    let reads = reads([input.values, input.columns, weight, bias]);
    let work = Work::Elements(2 * (input.values.len() * weight.cols) as u64);
    let (writes, fits) = (computed([out]), fits());
    Access { name: "sparse linear", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}
