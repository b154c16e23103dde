use super::*;

/// Losses.
pub(super) fn run(
    at: &mut Replay<'_>,
    kind: LossKind,
    input: Tensor,
    target: Tensor,
    output: Option<Tensor>,
    delta: Option<Tensor>,
) {
    let active = at.active();
    let (z, t) = (at.get(input), at.get(target));
    let p: Vec<f64> = match kind {
        LossKind::SquaredError { .. } => z.values.clone(),
        LossKind::CrossEntropy => z.values.iter().map(|&z| Activation::Logistic.apply(z)).collect(),
        LossKind::SoftmaxCrossEntropy => softmax(&z, input.rows),
    };
    let p = Matrix { cols: z.cols, values: p };
    for r in 0..input.rows {
        let squared: f64 = match kind {
            LossKind::SoftmaxCrossEntropy => f64::from(u8::from(largest(z.row(r)) != largest(t.row(r)))),
            _ => p.row(r).iter().zip(t.row(r)).map(|(p, t)| (p - t).powi(2)).sum(),
        };
        let pairs = z.row(r).iter().zip(t.row(r));
        let loss = match kind {
            LossKind::SquaredError { .. } => squared,
            LossKind::CrossEntropy => pairs.map(|(&z, &t)| Activation::Softplus.apply(z) - t * z).sum(),
            LossKind::SoftmaxCrossEntropy => {
                let normaliser = log_sum_exp(z.row(r));
                pairs.map(|(&z, &t)| t * (normaliser - z)).sum()
            }
        };
        let used = if r < active { 1.0 } else { 0.0 };
        at.metrics.extend([(loss * used) as f32, (squared * used) as f32]);
    }
    if let Some(delta) = delta {
        let element = |r: usize, c: usize| {
            let error = p.at(r, c) - t.at(r, c);
            match kind {
                _ if r >= active => 0.0,
                LossKind::SquaredError { activation } => 2.0 * error * activation.derivative(p.at(r, c)),
                LossKind::CrossEntropy => error,
                LossKind::SoftmaxCrossEntropy => p.at(r, c) * t.row(r).iter().sum::<f64>() - t.at(r, c),
            }
        };
        at.put(delta, element);
    }
    if let Some(output) = output {
        at.set(output, p.values);
    }
}

/// Where the largest value is, the first of equal ones.
fn largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// softmax(z), row by row.
fn softmax(z: &Matrix, rows: usize) -> Vec<f64> {
    matrix(rows, z.cols, |r, c| (z.at(r, c) - log_sum_exp(z.row(r))).exp())
}
