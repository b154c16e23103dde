use super::*;

/// Biases of units that were not used for a while.
pub(super) fn access(order: ByColumn, bias: Tensor, since: Tensor, out: Tensor) -> Access {
    let fits = || {
        order.fits(order.entries.cols, bias.cols)?;
        [("the bias", bias), ("the rows since the last use", since), ("the result", out)]
            .into_iter()
            .try_for_each(|(what, tensor)| same(what, tensor, 1, bias.cols))
    };
    let reads = [reads([order.starts, order.entries, bias]), in_place([since])].concat();
    let (writes, fits) = (computed([since, out]), fits());
    let (rows, report, work) = (Rows::Any, Report::Nothing, Work::Little);
    Access { name: "unused bias", reads, writes, rows, report, work, fits }
}
