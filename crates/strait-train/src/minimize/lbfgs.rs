//! Limited-memory BFGS.

use super::line_search::Line;
use super::{LineSearch, POINT, Point, Problem, Vector};

/// L-BFGS (Liu & Nocedal 1989) with a strong Wolfe line search.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lbfgs {
    /// Iterations.
    pub iterations: usize,
    /// Pairs of vectors that are remembered.
    pub memory: usize,
    /// Settings of a line search.
    pub line_search: LineSearch,
}

impl Default for Lbfgs {
    fn default() -> Self {
        let line_search = LineSearch { decrease: 1e-4, curvature: 0.9, ..LineSearch::default() };
        Self { iterations: 10, memory: 10, line_search }
    }
}

/// A remembered pair s = x⁺ − x, y = g⁺ − g.
#[derive(Clone, Copy)]
struct Pair {
    s: Vector,
    y: Vector,
    /// sᵀy
    product: f64,
}

impl Lbfgs {
    /// Minimises from [`POINT`] on and leaves it at the lowest point found, whose value it returns.
    ///
    /// ```
    /// use strait_train::minimize::{HostProblem, Lbfgs};
    /// let mut bowl = HostProblem::new(vec![3.0, -2.0], |x, gradient| {
    ///     gradient.copy_from_slice(&[2.0 * x[0], 8.0 * x[1]]);
    ///     x[0] * x[0] + 4.0 * x[1] * x[1]
    /// });
    /// let Ok(value) = Lbfgs::default().minimize(&mut bowl);
    /// assert!(value < 1e-9);
    /// ```
    ///
    /// # Errors
    /// The problem's own.
    pub fn minimize<P: Problem>(&self, problem: &mut P) -> Result<f64, P::Error> {
        let [start, gradient, before, direction] = [1, 2, 3, 4].map(Vector);
        let memory = self.memory.max(1);
        problem.reserve(5 + 2 * memory)?;
        let mut pairs: Vec<Pair> = Vec::new();
        let mut value = problem.evaluate(gradient)?;
        for iteration in 0..self.iterations {
            let square = problem.dot(gradient, gradient)?;
            if square == 0.0 || !value.is_finite() {
                break;
            }
            two_loops(problem, &pairs, gradient, direction)?;
            let mut slope = problem.dot(gradient, direction)?;
            if slope >= 0.0 {
                pairs.clear();
                problem.combine(-1.0, gradient, 0.0, gradient, direction)?;
                slope = -square;
            }
            problem.combine(1.0, POINT, 0.0, POINT, start)?;
            problem.combine(1.0, gradient, 0.0, gradient, before)?;
            let step = if pairs.is_empty() { (1.0 / square.sqrt()).min(1.0) } else { 1.0 };
            let origin = Point { step: 0.0, value, slope };
            let line = Line { start, direction, gradient };
            let Some(found) = self.line_search.search(problem, line, origin, step)? else {
                problem.combine(1.0, before, 0.0, before, gradient)?;
                if pairs.is_empty() {
                    break;
                }
                pairs.clear();
                continue;
            };
            value = found.value;
            let slot = 5 + 2 * (iteration % memory);
            let (s, y) = (Vector(slot), Vector(slot + 1));
            pairs.retain(|pair| pair.s != s);
            problem.combine(1.0, POINT, -1.0, start, s)?;
            problem.combine(1.0, gradient, -1.0, before, y)?;
            let product = problem.dot(s, y)?;
            if product > 0.0 {
                pairs.push(Pair { s, y, product });
            }
        }
        Ok(value)
    }
}

/// direction = −H g, with the inverse Hessian H that the pairs imply (Nocedal & Wright, algorithm 7.4).
fn two_loops<P: Problem>(problem: &mut P, pairs: &[Pair], gradient: Vector, direction: Vector) -> Result<(), P::Error> {
    problem.combine(-1.0, gradient, 0.0, gradient, direction)?;
    let mut factors = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let factor = problem.dot(pair.s, direction)? / pair.product;
        problem.combine(1.0, direction, -factor, pair.y, direction)?;
        factors.push(factor);
    }
    if let Some(last) = pairs.last() {
        let scale = last.product / problem.dot(last.y, last.y)?;
        problem.combine(scale, direction, 0.0, direction, direction)?;
    }
    for (pair, factor) in pairs.iter().zip(factors.into_iter().rev()) {
        let other = problem.dot(pair.y, direction)? / pair.product;
        problem.combine(1.0, direction, factor - other, pair.s, direction)?;
    }
    Ok(())
}
