use super::*;

/// Means of columns over a minibatch.
pub(super) fn access(input: Tensor, times: Option<Tensor>, out: Tensor) -> Access {
    let fits = || {
        times.map_or(Ok(()), |times| same("the factors", times, input.rows, input.cols))?;
        same("the means", out, 1, input.cols)
    };
    let (reads, writes, fits) = (reads([Some(input), times]), computed([out]), fits());
    let (rows, report) = (Rows::Of(input.rows), Report::Nothing);
    Access { name: "column means", reads, writes, rows, report, work: Work::Little, fits }
}
