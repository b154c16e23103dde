//! The rules of optimisers.

use super::Replay;
use crate::Tensor;
use crate::op::Update;

impl Replay<'_> {
    pub(super) fn update(&self, gradient: Tensor, update: Update, decays: bool) {
        let cost = if decays { f64::from(self.step.weight_cost) } else { 0.0 };
        self.follow(update, self.get(gradient).values, cost);
    }

    pub(super) fn follow(&self, update: Update, gradient: Vec<f64>, weight_cost: f64) {
        let rate = f64::from(self.step.learning_rate);
        let (m, beta2) = (f64::from(self.step.momentum), f64::from(self.step.beta2));
        match update {
            Update::Store { gradient: out } => self.set(out, gradient),
            Update::Momentum { parameter, velocity } => {
                let (mut theta, mut v) = (self.get(parameter).values, self.get(velocity).values);
                for ((theta, v), g) in theta.iter_mut().zip(&mut v).zip(gradient) {
                    *v = m * *v - rate * (g + weight_cost * *theta);
                    *theta += *v;
                }
                self.set(parameter, theta);
                self.set(velocity, v);
            }
            Update::Adam { parameter, first, second } => {
                let (mut theta, mut m1, mut m2) =
                    (self.get(parameter).values, self.get(first).values, self.get(second).values);
                for (((theta, m1), m2), g) in theta.iter_mut().zip(&mut m1).zip(&mut m2).zip(gradient) {
                    let g = g + weight_cost * *theta;
                    *m1 = m * *m1 + (1.0 - m) * g;
                    *m2 = beta2 * *m2 + (1.0 - beta2) * g * g;
                    let (hat1, hat2) = (*m1 * f64::from(self.step.correction1), *m2 * f64::from(self.step.correction2));
                    *theta -= rate * hat1 / (hat2.sqrt() + f64::from(self.step.epsilon));
                }
                self.set(parameter, theta);
                self.set(first, m1);
                self.set(second, m2);
            }
        }
    }
}
