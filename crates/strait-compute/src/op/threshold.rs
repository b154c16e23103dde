use super::*;

/// Sparse weights.
pub(super) fn access(weight: Tensor, threshold: f32) -> Access {
    let fits = match threshold.is_finite() && threshold >= 0.0 {
        true => Ok(()),
        false => Err(format!("a threshold of {threshold} is none")),
    };
    let (reads, writes) = (in_place([weight]), vec![Write::Renewed(weight)]);
    Access { name: "threshold", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
