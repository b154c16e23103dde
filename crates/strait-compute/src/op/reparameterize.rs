use super::*;

/// Codes drawn from normal distributions.
pub(super) fn access(moments: Tensor, noise: Tensor, out: Tensor) -> Access {
    let fits = || {
        same("the noise", noise, moments.rows, moments.cols / 2)?;
        same("the means and variances", moments, out.rows, 2 * out.cols)?;
        same("the code", out, moments.rows, moments.cols / 2)
    };
    let (reads, writes, fits) = (reads([moments]), computed([noise, out]), fits());
    let report = Report::Losses(moments.rows);
    Access { name: "reparameterize", reads, writes, rows: Rows::Any, report, work: Work::Little, fits }
}
