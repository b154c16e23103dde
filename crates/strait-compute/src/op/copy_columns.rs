use super::*;

/// Some columns of a minibatch into another.
pub(super) fn access(input: Tensor, first: usize, out: Tensor, to: usize, columns: usize) -> Access {
    let fits = || {
        let fits = |start: usize, cols: usize| start.checked_add(columns).is_some_and(|end| end <= cols);
        if columns == 0 || !fits(first, input.cols) || !fits(to, out.cols) {
            let (from, into) = (input.shape(), out.shape());
            return Err(format!("{columns} columns from {first} of {from} do not fit from {to} of {into}"));
        }
        same("the result", out, input.rows, out.cols)
    };
    let (reads, writes, fits) = (reads([input]), computed([out]), fits());
    Access { name: "copy columns", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
