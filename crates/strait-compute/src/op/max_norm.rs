use super::*;

/// Weights of bounded length.
pub(super) fn access(weight: Tensor, norm: f32) -> Access {
    let fits = match norm.is_finite() && norm > 0.0 {
        true => Ok(()),
        false => Err(format!("a norm of {norm} leaves nothing of the weights")),
    };
    let (reads, writes) = (in_place([weight]), vec![Write::Renewed(weight)]);
    Access { name: "max norm", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
