//! A line search that ends at a point with the strong Wolfe conditions, by cubic extrapolation and interpolation
//! (Wolfe 1969, Powell 1976; the bracketing is that of Nocedal & Wright, Numerical Optimization, section 3.5).

use super::{POINT, Problem, Vector};

/// What is known of the function at a point of the line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// α, the distance in units of the direction's length.
    pub step: f64,
    /// φ(α)
    pub value: f64,
    /// φ′(α)
    pub slope: f64,
}

/// The settings of a line search. The defaults are those that nonlinear conjugate gradients want.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LineSearch {
    /// ρ of φ(α) ≤ φ(0) + ρ α φ′(0).
    pub decrease: f64,
    /// σ of |φ′(α)| ≤ −σ φ′(0).
    pub curvature: f64,
    /// The most evaluations of one search.
    pub evaluations: usize,
    /// The most by which a step is extended at once.
    pub extension: f64,
}

impl Default for LineSearch {
    fn default() -> Self {
        Self { decrease: 0.05, curvature: 0.1, evaluations: 20, extension: 3.0 }
    }
}

/// The vectors of a line: it starts at `start` in the direction `direction`, and leaves gradients in `gradient`.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) start: Vector,
    pub(super) direction: Vector,
    pub(super) gradient: Vector,
}

impl LineSearch {
    /// Whether a point keeps both conditions, given the point at the start of the line.
    pub fn accepts(&self, origin: Point, point: Point) -> bool {
        point.value <= origin.value + self.decrease * point.step * origin.slope
            && point.slope.abs() <= -self.curvature * origin.slope
    }

    /// Searches from `origin`, first at `step`. Leaves [`POINT`] and the gradient at the point that it returns: one
    /// that keeps both conditions, else the lowest that it found, else `None` with POINT back at the start.
    pub(super) fn search<P: Problem>(
        &self,
        problem: &mut P,
        line: Line,
        origin: Point,
        step: f64,
    ) -> Result<Option<Point>, P::Error> {
        let (mut low, mut high) = (origin, None::<Point>);
        let mut best = origin;
        let mut step = step;
        for _ in 0..self.evaluations {
            let point = evaluate(problem, line, step)?;
            let usable = point.value.is_finite() && point.slope.is_finite();
            if usable && self.accepts(origin, point) {
                return Ok(Some(point));
            }
            if usable && point.value < best.value {
                best = point;
            }
            let too_high =
                !usable || point.value > origin.value + self.decrease * step * origin.slope || point.value >= low.value;
            if too_high {
                high = Some(point);
            } else {
                // A new lowest point: a minimum lies between it and the side towards which the function falls.
                match high {
                    Some(far) if point.slope * (far.step - point.step) >= 0.0 => high = Some(low),
                    None if point.slope >= 0.0 => high = Some(low),
                    _ => {}
                }
                low = point;
            }
            step = match high {
                None => extrapolate(origin, low, self.extension),
                Some(high) => interpolate(low, high),
            };
            if high.is_some_and(|high| (high.step - low.step).abs() <= 1e-12 * high.step.abs().max(low.step.abs())) {
                break;
            }
        }
        if best.step > 0.0 {
            return evaluate(problem, line, best.step).map(Some);
        }
        problem.combine(1.0, line.start, 0.0, line.start, POINT)?;
        Ok(None)
    }
}

fn evaluate<P: Problem>(problem: &mut P, line: Line, step: f64) -> Result<Point, P::Error> {
    problem.combine(1.0, line.start, step, line.direction, POINT)?;
    let value = problem.evaluate(line.gradient)?;
    Ok(Point { step, value, slope: problem.dot(line.gradient, line.direction)? })
}

/// The minimum of the cubic through two points with their slopes, if it has one.
fn cubic_minimum(a: Point, b: Point) -> Option<f64> {
    let width = b.step - a.step;
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.step - b.step);
    let root = (d1 * d1 - a.slope * b.slope).sqrt() * width.signum();
    let step = b.step - width * (b.slope + root - d1) / (b.slope - a.slope + 2.0 * root);
    step.is_finite().then_some(step)
}

/// A step beyond `low`, by the cubic through it and the origin, at most `extension` times as far.
fn extrapolate(origin: Point, low: Point, extension: f64) -> f64 {
    let most = low.step * extension;
    cubic_minimum(origin, low).filter(|&step| step > low.step * 1.1).map_or(most, |step| step.min(most))
}

/// A step between `low` and `high`, away from both ends.
fn interpolate(low: Point, high: Point) -> f64 {
    let middle = 0.5 * (low.step + high.step);
    if !(high.value.is_finite() && high.slope.is_finite()) {
        return low.step + 0.1 * (high.step - low.step);
    }
    let (left, right) = (low.step.min(high.step), low.step.max(high.step));
    let margin = 0.1 * (right - left);
    cubic_minimum(low, high).map_or(middle, |step| step.clamp(left + margin, right - margin))
}

#[cfg(test)]
mod tests {
    use super::super::HostProblem;
    use super::*;

    /// Along many lines of a wavy function the search ends where both conditions hold.
    #[test]
    fn wolfe_conditions_hold() {
        for first in [1e-3, 0.1, 1.0, 20.0] {
            for phase in 0..12 {
                let shift = f64::from(phase) * 0.5;
                let function = move |x: &[f64], g: &mut [f64]| {
                    g[0] = 0.2 * x[0] + (x[0] + shift).cos();
                    0.1 * x[0] * x[0] + (x[0] + shift).sin()
                };
                let mut problem = HostProblem::new(vec![7.0], function);
                let Ok(()) = problem.reserve(4);
                let Ok(value) = problem.evaluate(Vector(2));
                let Ok(()) = problem.combine(1.0, POINT, 0.0, POINT, Vector(1));
                let Ok(()) = problem.combine(-1.0, Vector(2), 0.0, POINT, Vector(3));
                let Ok(square) = problem.dot(Vector(2), Vector(2));
                let origin = Point { step: 0.0, value, slope: -square };
                let line = Line { start: Vector(1), direction: Vector(3), gradient: Vector(2) };
                let search = LineSearch { evaluations: 40, ..LineSearch::default() };
                let Ok(found) = search.search(&mut problem, line, origin, first);
                let found = found.expect("the function falls along the line");
                assert!(search.accepts(origin, found), "from {first}, phase {phase}: {found:?} after {origin:?}");
            }
        }
    }
}
