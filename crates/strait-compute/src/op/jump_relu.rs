use super::*;

/// Outputs below the thresholds of their units.
pub(super) fn dense(input: Tensor, threshold: Tensor, out: Tensor) -> Access {
    let fits =
        same("the thresholds", threshold, 1, input.cols).and_then(|()| same("the result", out, input.rows, input.cols));
    let reads = [in_place([input]), reads([threshold])].concat();
    let (rows, report, work) = (Rows::Any, Report::Nothing, Work::Little);
    Access { name: "jump relu", reads, writes: computed([out]), rows, report, work, fits }
}

/// Biases from which thresholds are subtracted.
pub(super) fn bias(bias: Tensor, threshold: Tensor, out: Tensor) -> Access {
    let fits = || {
        let [rows, cols] = [1, bias.cols];
        [("the bias", bias), ("the thresholds", threshold), ("the result", out)]
            .into_iter()
            .try_for_each(|(what, tensor)| same(what, tensor, rows, cols))
    };
    let (reads, writes, fits) = (reads([bias, threshold]), computed([out]), fits());
    let (rows, report, work) = (Rows::Any, Report::Nothing, Work::Little);
    Access { name: "jump relu bias", reads, writes, rows, report, work, fits }
}

/// Entries above the thresholds of their units, and how many these are.
pub(super) fn listed(input: SparseRows, threshold: Tensor, bandwidth: f32, out: Tensor, active: Tensor) -> Access {
    let fits = || {
        input.fits()?;
        same("the thresholds", threshold, 1, threshold.cols)?;
        same("the result", out, input.values.rows, input.values.cols)?;
        same("the mean number", active, 1, 1)?;
        wide(bandwidth)
    };
    let (reads, writes, fits) = (reads([input.values, input.columns, threshold]), computed([out, active]), fits());
    let (rows, report, work) = (Rows::Of(input.values.rows), Report::Nothing, Work::Little);
    Access { name: "jump relu listed", reads, writes, rows, report, work, fits }
}

/// The way back to the entries and to the thresholds.
pub(super) fn backward(
    input: Tensor,
    order: ByColumn,
    threshold: Tensor,
    active: Tensor,
    straight: StraightThrough,
    derivatives: Tensor,
    gradient: Tensor,
) -> Access {
    let fits = || {
        let columns = threshold.cols;
        order.fits(input.len(), columns)?;
        same("the thresholds", threshold, 1, columns)?;
        same("their gradient", gradient, 1, columns)?;
        same("the mean number", active, 1, 1)?;
        same("the derivatives", derivatives, input.rows, input.cols)?;
        if straight.mean.is_nan() || straight.mean <= 0.0 {
            return Err(format!("a mean of {} active units is not above 0", straight.mean));
        }
        wide(straight.bandwidth)
    };
    let reads = [reads([input, order.starts, order.entries, threshold, active]), in_place([derivatives])].concat();
    let (writes, fits) = (computed([derivatives, gradient]), fits());
    let (rows, report, work) = (Rows::Of(input.rows), Report::Nothing, Work::Little);
    Access { name: "jump relu backward", reads, writes, rows, report, work, fits }
}

/// How thresholds learn (Rajamanoharan et al. 2024): their derivative is estimated from the outputs that are near them, and the number of active
/// units per row is drawn to a mean by the loss w (L₀ / k − 1)².
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StraightThrough {
    /// ε: outputs within half of it on either side of a threshold count.
    pub bandwidth: f32,
    /// w
    pub weight: f32,
    /// k
    pub mean: f32,
}

fn wide(bandwidth: f32) -> Fits {
    match bandwidth > 0.0 && bandwidth.is_finite() {
        true => Ok(()),
        false => Err(format!("a bandwidth of {bandwidth} is not above 0")),
    }
}
