use super::*;

/// What the contractive penalty needs of a layer.
pub(super) fn run(
    at: &Replay<'_>,
    weight: Tensor,
    output: Tensor,
    activation: Activation,
    penalty: f32,
    squares: Tensor,
    costs: Tensor,
) {
    let active = at.active();
    let (w, y) = (at.get(weight), at.get(output));
    let square = |_, c: usize| (0..weight.rows).map(|r| w.at(r, c).powi(2)).sum();
    let slope = |r: usize, c: usize| activation.derivative(y.at(r, c)).powi(2);
    let factor = 2.0 * f64::from(penalty) / at.all();
    let cost = |_, c: usize| factor * (0..active).map(|r| slope(r, c)).sum::<f64>();
    at.set(squares, matrix(1, weight.cols, square));
    at.set(costs, matrix(1, weight.cols, cost));
}
