use super::*;

/// The rules of optimisers.
pub(super) fn run(at: &Replay<'_>, gradient: Tensor, update: Update, decays: bool) {
    let cost = if decays { f64::from(at.step.weight_cost) } else { 0.0 };
    follow(at, update, at.get(gradient).values, cost);
}

pub(super) fn follow(at: &Replay<'_>, update: Update, gradient: Vec<f64>, weight_cost: f64) {
    let rate = f64::from(at.step.learning_rate);
    let (m, beta2) = (f64::from(at.step.momentum), f64::from(at.step.beta2));
    match update {
        Update::Store { gradient: out } => at.set(out, gradient),
        Update::Momentum { parameter, velocity } => {
            let (mut theta, mut v) = (at.get(parameter).values, at.get(velocity).values);
            for ((theta, v), g) in theta.iter_mut().zip(&mut v).zip(gradient) {
                *v = m * *v - rate * (g + weight_cost * *theta);
                *theta += *v;
            }
            at.set(parameter, theta);
            at.set(velocity, v);
        }
        Update::Adam { parameter, first, second } => {
            let (mut theta, mut m1, mut m2) = (at.get(parameter).values, at.get(first).values, at.get(second).values);
            for (((theta, m1), m2), g) in theta.iter_mut().zip(&mut m1).zip(&mut m2).zip(gradient) {
                let g = g + weight_cost * *theta;
                *m1 = m * *m1 + (1.0 - m) * g;
                *m2 = beta2 * *m2 + (1.0 - beta2) * g * g;
                let (hat1, hat2) = (*m1 * f64::from(at.step.correction1), *m2 * f64::from(at.step.correction2));
                *theta -= rate * hat1 / (hat2.sqrt() + f64::from(at.step.epsilon));
            }
            at.set(parameter, theta);
            at.set(first, m1);
            at.set(second, m2);
        }
    }
}
