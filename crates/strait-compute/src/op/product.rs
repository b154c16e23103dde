use super::*;

/// Products of vectors.
pub(super) fn access(x: Tensor, y: Tensor, out: Tensor) -> Access {
    let fits = same("y", y, x.rows, x.cols).and_then(|()| same("the result", out, x.rows, x.cols));
    let (reads, writes, work) = (in_place([x, y]), computed([out]), Work::Elements(x.len() as u64));
    Access { name: "product", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}
