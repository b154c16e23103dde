use super::*;

/// Sums of rows, for the host.
pub(super) fn access(input: Tensor, columns: Option<Tensor>) -> Access {
    let fits = columns.map_or(Ok(()), |columns| same("the numbers of the columns", columns, 1, input.cols));
    let (reads, rows, report) = (reads([Some(input), columns]), Rows::Of(input.rows), Report::Losses(input.rows));
    Access { name: "row sums", reads, writes: vec![], rows, report, work: Work::Little, fits }
}
