use super::*;

/// Layers on rows of few numbers.
pub(super) fn run(
    at: &Replay<'_>,
    input: SparseRows,
    weight: Tensor,
    bias: Tensor,
    activation: Activation,
    out: Tensor,
) {
    let (x, columns, w, b) = (at.get(input.values), at.get(input.columns), at.get(weight), at.get(bias));
    at.put(out, |r, c| {
        let sum = (0..x.cols).map(|j| x.at(r, j) * w.at(columns.at(r, j) as usize, c)).sum::<f64>();
        activation.apply(sum + b.at(0, c))
    });
}
