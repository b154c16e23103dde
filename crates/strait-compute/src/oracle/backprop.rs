use super::*;

/// Derivatives on their way back through layers.
pub(super) fn run(
    at: &Replay<'_>,
    delta: Tensor,
    (weight, transposed): (Tensor, bool),
    output: Tensor,
    activation: Activation,
    out: Tensor,
) {
    let (d, w, y) = (at.factor(delta), at.factor(weight), at.get(output));
    let element = |r: usize, c: usize| {
        let places = (0..delta.cols).map(|j| [(r, j), if transposed { (j, c) } else { (c, j) }]);
        sum_of_products(&d, &w, places) * activation.derivative(y.at(r, c))
    };
    at.put(out, element);
}
