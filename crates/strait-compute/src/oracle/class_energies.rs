use super::*;

/// Free energies of rows with each label.
pub(super) fn run(at: &Replay<'_>, inputs: Tensor, weight: Tensor, bias: Tensor, out: Tensor) {
    let (t, w, a) = (at.get(inputs), at.get(weight), at.get(bias));
    let first = weight.rows - out.cols;
    let soft = |r: usize, c: usize, j: usize| Activation::Softplus.apply(t.at(r, j) + w.at(first + c, j));
    let energy = |r: usize, c: usize| a.at(0, first + c) + (0..t.cols).map(|j| soft(r, c, j)).sum::<f64>();
    at.put(out, energy);
}
