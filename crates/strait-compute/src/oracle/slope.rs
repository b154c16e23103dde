use super::*;

/// Derivatives through activations.
pub(super) fn run(at: &Replay<'_>, delta: Tensor, output: Tensor, activation: Activation, out: Tensor) {
    let (d, y) = (at.get(delta), at.get(output));
    at.put(out, |r, c| d.at(r, c) * activation.derivative(y.at(r, c)));
}
