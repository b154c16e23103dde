use super::*;

/// Gradients of biases that all positions of a map share.
pub(super) fn access(delta: Tensor, bias: Update) -> Access {
    let fits = || {
        let channels = bias.target().cols;
        if !delta.cols.is_multiple_of(channels) {
            return Err(format!("δ is {}, not a map of {channels} channels", delta.shape()));
        }
        bias.tensors().into_iter().try_for_each(|tensor| same("the bias", tensor, 1, channels))
    };
    let (moments, writes) = updated([bias]);
    let (reads, rows, fits) = ([reads([delta]), moments].concat(), Rows::Of(delta.rows), fits());
    Access { name: "shared bias", reads, writes, rows, report: Report::Nothing, work: Work::Little, fits }
}
