use super::*;

/// Columns shifted and scaled.
pub(super) fn access(input: Tensor, shift: Option<Tensor>, scale: Option<Tensor>, out: Tensor) -> Access {
    let fits = || {
        let mut columns = [shift, scale].into_iter().flatten();
        columns.try_for_each(|tensor| same("the numbers of the columns", tensor, 1, input.cols))?;
        same("the result", out, input.rows, input.cols)
    };
    let (reads, writes, fits) = (reads([Some(input), shift, scale]), computed([out]), fits());
    Access { name: "standardize", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
