use super::*;

/// The derivative of codes drawn from normal distributions.
pub(super) fn access(delta: Tensor, moments: Tensor, noise: Tensor, out: Tensor) -> Access {
    let fits = || {
        same("the noise", noise, delta.rows, delta.cols)?;
        same("the means and variances", moments, delta.rows, 2 * delta.cols)?;
        same("the result", out, delta.rows, 2 * delta.cols)
    };
    let (reads, writes, fits) = (reads([delta, moments, noise]), computed([out]), fits());
    let (rows, report) = (Rows::Any, Report::Nothing);
    Access { name: "reparameterize backward", reads, writes, rows, report, work: Work::Little, fits }
}
