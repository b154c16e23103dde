use super::*;

/// Sequences up to their ends.
pub(super) fn access(input: Tensor, lengths: Tensor, each: usize, out: Tensor) -> Access {
    let fits = || {
        if each == 0 || !input.cols.is_multiple_of(each) {
            return Err(format!("expected steps of {each} values, found {} columns", input.cols));
        }
        same("the lengths", lengths, input.rows, 1)?;
        same("the result", out, input.rows, input.cols)
    };
    let (reads, writes, fits) = (reads([input, lengths]), computed([out]), fits());
    Access { name: "truncate", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
