use super::*;

/// Penalties on the outputs of layers.
pub(super) fn run(at: &mut Replay<'_>, kind: PenaltyKind, output: Tensor, activation: Activation, delta: Tensor) {
    let active = at.active();
    let (y, mut d) = (at.get(output), at.get(delta).values);
    let columns = kind.parts().1.map(|columns| at.get(columns).values).unwrap_or_default();
    // The penalty on one output, and its derivative with respect to the total input.
    let of = |y: f64, c: usize| match kind {
        PenaltyKind::L1 { weight } => {
            let sign = if y == 0.0 { 0.0 } else { y.signum() };
            (f64::from(weight) * y.abs(), f64::from(weight) * sign * activation.derivative(y))
        }
        PenaltyKind::Contractive { weight, .. } => {
            let (slope, scaled) = (activation.derivative(y), f64::from(weight) * columns[c]);
            (scaled * slope * slope, 2.0 * scaled * slope * activation.second_derivative(y))
        }
        PenaltyKind::Sparsity { weight, target, .. } => {
            let (weight, rho) = (f64::from(weight), f64::from(target));
            let mean = columns[c].clamp(1e-6, 1.0 - 1e-6);
            let divergence = rho * (rho / mean).ln() + (1.0 - rho) * ((1.0 - rho) / (1.0 - mean)).ln();
            let slope = (1.0 - rho) / (1.0 - mean) - rho / mean;
            (weight * divergence, weight * slope * activation.derivative(y))
        }
    };
    for r in 0..output.rows {
        let parts = (0..output.cols).map(|c| of(y.at(r, c), c));
        let loss: f64 = if r < active { parts.clone().map(|(loss, _)| loss).sum() } else { 0.0 };
        at.metrics.extend([loss as f32, 0.0]);
        for (c, (_, slope)) in parts.enumerate().filter(|_| r < active) {
            d[r * output.cols + c] += slope;
        }
    }
    at.set(delta, d);
}
