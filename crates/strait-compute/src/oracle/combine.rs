use super::*;

/// Sums of vectors.
pub(super) fn run(at: &Replay<'_>, x: Tensor, y: Tensor, factors: Factors, out: Tensor) {
    let (x, y) = (at.get(x).values, at.get(y).values);
    let (alpha, beta) = match factors {
        Factors::Step => (f64::from(at.step.alpha), f64::from(at.step.beta)),
        Factors::Fixed(alpha, beta) => (f64::from(alpha), f64::from(beta)),
    };
    // A scalar of zero drops its operand, whatever that holds.
    let term = |scalar: f64, value: f64| if scalar == 0.0 { 0.0 } else { scalar * value };
    at.set(out, x.iter().zip(&y).map(|(&x, &y)| term(alpha, x) + term(beta, y)).collect());
}
