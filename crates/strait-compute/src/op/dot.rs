use super::*;

/// Dot products, for the host.
pub(super) fn access(x: Tensor, y: Tensor) -> Access {
    let (fits, work) = (same("y", y, x.rows, x.cols), Work::Elements(2 * x.len() as u64));
    Access { name: "dot", reads: reads([x, y]), writes: vec![], rows: Rows::Any, report: Report::Dot, work, fits }
}
