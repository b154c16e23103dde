use super::*;

/// The largest values of rows.
pub(super) fn access(input: Tensor, k: usize, out: Tensor) -> Access {
    let fits = match (1..=input.cols).contains(&k) {
        true => same("the result", out, input.rows, input.cols),
        false => Err(format!("the {k} largest of {} values cannot be taken", input.cols)),
    };
    let (reads, writes) = (reads([input]), computed([out]));
    Access { name: "top k", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
