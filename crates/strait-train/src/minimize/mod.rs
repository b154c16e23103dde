//! Minimisers that work on the whole parameter vector: nonlinear conjugate gradients and L-BFGS, over one line search.
//!
//! A [`Problem`] owns the vectors, so that they stay where the function is evaluated: on a device for a net
//! ([`NetProblem`](crate::NetProblem)), on the host for a [`HostProblem`].

mod conjugate_gradients;
mod host;
mod lbfgs;
mod line_search;

pub use conjugate_gradients::ConjugateGradients;
pub use host::HostProblem;
pub use lbfgs::Lbfgs;
pub use line_search::{LineSearch, Point};

/// Names one of a problem's vectors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Vector(pub usize);

/// The point at which the function is evaluated.
pub const POINT: Vector = Vector(0);

/// A differentiable function of [`POINT`], with vector algebra where its vectors are.
pub trait Problem {
    /// What can go wrong in an evaluation.
    type Error;

    /// Makes sure that the vectors 0 to `count` - 1 exist.
    ///
    /// # Errors
    /// The problem's own.
    fn reserve(&mut self, count: usize) -> Result<(), Self::Error>;

    /// out = α x + β y. A scalar of zero drops its vector; `out` may be `x` or `y`.
    ///
    /// # Errors
    /// The problem's own.
    fn combine(&mut self, alpha: f64, x: Vector, beta: f64, y: Vector, out: Vector) -> Result<(), Self::Error>;

    /// xᵀy
    ///
    /// # Errors
    /// The problem's own.
    fn dot(&mut self, x: Vector, y: Vector) -> Result<f64, Self::Error>;

    /// The function's value at [`POINT`]; its gradient goes to a vector.
    ///
    /// # Errors
    /// The problem's own.
    fn evaluate(&mut self, gradient: Vector) -> Result<f64, Self::Error>;
}
