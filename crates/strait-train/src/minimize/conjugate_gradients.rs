//! Nonlinear conjugate gradients.

use super::line_search::Line;
use super::{LineSearch, POINT, Point, Problem, Vector};

/// Conjugate gradients with the directions of Polak & Ribière (1969) and a Wolfe-Powell line search, as the paper's
/// fine-tuning uses them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConjugateGradients {
    /// Line searches.
    pub searches: usize,
    /// Settings of a line search.
    pub line_search: LineSearch,
}

impl Default for ConjugateGradients {
    fn default() -> Self {
        Self { searches: 3, line_search: LineSearch::default() }
    }
}

impl ConjugateGradients {
    /// Minimises from [`POINT`] on and leaves it at the lowest point found, whose value it returns.
    ///
    /// # Errors
    /// The problem's own.
    pub fn minimize<P: Problem>(&self, problem: &mut P) -> Result<f64, P::Error> {
        /// No step is extended by more than this from one search to the next.
        const RATIO: f64 = 10.0;
        let [start, gradient, before, direction] = [1, 2, 3, 4].map(Vector);
        problem.reserve(5)?;
        let mut value = problem.evaluate(gradient)?;
        let mut square = problem.dot(gradient, gradient)?;
        problem.combine(-1.0, gradient, 0.0, gradient, direction)?;
        let mut slope = -square;
        let mut step = 1.0 / (1.0 + square);
        let mut steepest = true;
        for _ in 0..self.searches {
            if square == 0.0 || !value.is_finite() {
                break;
            }
            problem.combine(1.0, POINT, 0.0, POINT, start)?;
            problem.combine(1.0, gradient, 0.0, gradient, before)?;
            let origin = Point { step: 0.0, value, slope };
            let line = Line { start, direction, gradient };
            let Some(found) = self.line_search.search(problem, line, origin, step)? else {
                problem.combine(1.0, before, 0.0, before, gradient)?;
                if steepest {
                    break;
                }
                // The direction was bad: try the steepest descent from here.
                problem.combine(-1.0, gradient, 0.0, gradient, direction)?;
                (slope, step, steepest) = (-square, 1.0 / (1.0 + square), true);
                continue;
            };
            value = found.value;
            // β = gᵀ(g − g′) / g′ᵀg′
            let next = problem.dot(gradient, gradient)?;
            let beta = (next - problem.dot(gradient, before)?) / square;
            square = next;
            problem.combine(-1.0, gradient, beta, direction, direction)?;
            let new_slope = problem.dot(gradient, direction)?;
            steepest = new_slope >= 0.0;
            if steepest {
                problem.combine(-1.0, gradient, 0.0, gradient, direction)?;
            }
            let new_slope = if steepest { -square } else { new_slope };
            step = found.step * (slope / new_slope).min(RATIO);
            slope = new_slope;
        }
        Ok(value)
    }
}
