//! Functions on the host.

use std::convert::Infallible;

use super::{POINT, Problem, Vector};

/// A function on the host that returns its value and writes its gradient.
///
/// ```
/// use strait_train::minimize::{ConjugateGradients, HostProblem};
/// let mut bowl = HostProblem::new(vec![3.0, -2.0], |x, gradient| {
///     gradient.copy_from_slice(&[2.0 * x[0], 8.0 * x[1]]);
///     x[0] * x[0] + 4.0 * x[1] * x[1]
/// });
/// let Ok(value) = ConjugateGradients { searches: 10, ..Default::default() }.minimize(&mut bowl);
/// assert!(value < 1e-12);
/// ```
pub struct HostProblem<F> {
    vectors: Vec<Vec<f64>>,
    function: F,
}

impl<F: FnMut(&[f64], &mut [f64]) -> f64> HostProblem<F> {
    /// The function, to be minimised from this point on.
    pub fn new(start: Vec<f64>, function: F) -> Self {
        Self { vectors: vec![start], function }
    }

    /// The point reached.
    pub fn point(&self) -> &[f64] {
        &self.vectors[POINT.0]
    }
}

impl<F: FnMut(&[f64], &mut [f64]) -> f64> Problem for HostProblem<F> {
    type Error = Infallible;

    fn reserve(&mut self, count: usize) -> Result<(), Infallible> {
        let zero = vec![0.0; self.vectors[0].len()];
        self.vectors.resize(self.vectors.len().max(count), zero);
        Ok(())
    }

    fn combine(&mut self, alpha: f64, x: Vector, beta: f64, y: Vector, out: Vector) -> Result<(), Infallible> {
        let term = |scalar: f64, value: f64| if scalar == 0.0 { 0.0 } else { scalar * value };
        let pairs = self.vectors[x.0].iter().zip(&self.vectors[y.0]);
        self.vectors[out.0] = pairs.map(|(&x, &y)| term(alpha, x) + term(beta, y)).collect();
        Ok(())
    }

    fn dot(&mut self, x: Vector, y: Vector) -> Result<f64, Infallible> {
        Ok(self.vectors[x.0].iter().zip(&self.vectors[y.0]).map(|(x, y)| x * y).sum())
    }

    fn evaluate(&mut self, gradient: Vector) -> Result<f64, Infallible> {
        let mut slope = std::mem::take(&mut self.vectors[gradient.0]);
        slope.resize(self.vectors[0].len(), 0.0);
        let value = (self.function)(&self.vectors[0], &mut slope);
        self.vectors[gradient.0] = slope;
        Ok(value)
    }
}
