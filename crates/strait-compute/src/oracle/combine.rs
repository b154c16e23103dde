//! Sums of vectors.

use super::Replay;
use crate::Tensor;
use crate::op::Factors;

impl Replay<'_> {
    pub(super) fn combine(&self, x: Tensor, y: Tensor, factors: Factors, out: Tensor) {
        let (x, y) = (self.get(x).values, self.get(y).values);
        let (alpha, beta) = match factors {
            Factors::Step => (f64::from(self.step.alpha), f64::from(self.step.beta)),
            Factors::Fixed(alpha, beta) => (f64::from(alpha), f64::from(beta)),
        };
        // A scalar of zero drops its operand, whatever that holds.
        let term = |scalar: f64, value: f64| if scalar == 0.0 { 0.0 } else { scalar * value };
        self.set(out, x.iter().zip(&y).map(|(&x, &y)| term(alpha, x) + term(beta, y)).collect());
    }
}
