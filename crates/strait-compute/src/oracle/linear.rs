use super::*;

/// Layers.
pub(super) fn run(
    at: &Replay<'_>,
    input: Tensor,
    (weight, transposed): (Tensor, bool),
    bias: Tensor,
    activation: Activation,
    out: Tensor,
    sample: Option<Sample>,
) {
    let (x, w, b) = (at.factor(input), at.factor(weight), at.get(bias));
    let mean = matrix(out.rows, out.cols, |r, c| {
        let places = (0..input.cols).map(|k| [(r, k), if transposed { (c, k) } else { (k, c) }]);
        activation.apply(sum_of_products(&x, &w, places) + b.at(0, c))
    });
    if let Some(sample) = sample {
        let state = |r: usize, c: usize| draw(sample.sampling, mean[r * out.cols + c], r, c, sample.stream, at.step);
        at.set(sample.out, matrix(out.rows, out.cols, state));
    }
    at.set(out, mean);
}
