use super::*;

/// Minibatches into a data set.
pub(super) fn run(at: &Replay<'_>, input: Tensor, data: Tensor) {
    let active = at.active();
    let (source, mut target) = (at.get(input), at.get(data).values);
    for r in 0..active {
        let start = (at.step.offset as usize + r) * data.cols;
        target[start..start + data.cols].copy_from_slice(source.row(r));
    }
    at.set(data, target);
}
