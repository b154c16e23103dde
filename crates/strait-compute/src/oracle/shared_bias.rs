use super::*;

/// Gradients of biases that all positions of a map share.
pub(super) fn run(at: &Replay<'_>, delta: Tensor, bias: Update) {
    let active = at.active();
    let (map, channels) = (at.get(delta), bias.target().cols);
    let used = &map.values[..active * delta.cols];
    let mean = |c: usize| used.iter().skip(c).step_by(channels).sum::<f64>() / at.all();
    follow(at, bias, (0..channels).map(mean).collect(), 0.0);
}
