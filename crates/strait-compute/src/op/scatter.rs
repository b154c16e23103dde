use super::*;

/// Minibatches into a data set.
pub(super) fn access(input: Tensor, data: Tensor) -> Access {
    let fits = match data.kind {
        Kind::Rows => same("the minibatch", input, input.rows, data.cols),
        kind => Err(format!("the data set is of kind {kind:?}, not Rows")),
    };
    let (reads, writes) = (reads([input]), vec![Write::Scattered(data)]);
    let rows = Rows::Data { data, index: None, minibatch: input };
    Access { name: "scatter", reads, writes, rows, report: Report::Nothing, work: Work::Little, fits }
}
