use super::*;

/// Sums over processes that train together.
pub(super) fn access(tensors: &[Tensor]) -> Access {
    let (reads, writes) = (in_place(tensors.iter().copied()), computed(tensors.iter().copied()));
    let fits = if tensors.is_empty() { Err("there is no tensor to sum".to_owned()) } else { Ok(()) };
    Access { name: "reduce", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
