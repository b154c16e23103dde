//! Optimisers, and what each keeps beside the parameters.

use serde::{Deserialize, Serialize};
use strait_compute::{Program, Tensor, Update};

/// How the parameters follow the gradient.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Adam (Kingma & Ba 2015).
    Adam {
        /// Learning rate.
        rate: f32,
        /// β₁
        beta1: f32,
        /// β₂
        beta2: f32,
    },
    /// Stochastic gradient descent with momentum.
    Momentum {
        /// Learning rate.
        rate: f32,
        /// Momentum.
        momentum: f32,
    },
    /// Nonlinear conjugate gradients, anew for each minibatch: the paper's.
    ConjugateGradients {
        /// Line searches for a minibatch.
        searches: usize,
    },
    /// L-BFGS, anew for each minibatch.
    Lbfgs {
        /// Iterations for a minibatch.
        iterations: usize,
        /// Pairs of vectors that are remembered.
        memory: usize,
    },
}

impl Optimizer {
    /// Adam with its usual decay rates.
    pub fn adam(rate: f32) -> Self {
        Self::Adam { rate, beta1: 0.9, beta2: 0.999 }
    }

    pub(crate) fn rate(&self) -> Option<f32> {
        match *self {
            Self::Adam { rate, .. } | Self::Momentum { rate, .. } => Some(rate),
            Self::ConjugateGradients { .. } | Self::Lbfgs { .. } => None,
        }
    }

    /// The rule by which a parameter follows its gradient, with what it keeps from step to step; none for minimisers.
    pub(crate) fn rule(&self, program: &mut Program, parameter: Tensor) -> Option<Update> {
        match self {
            Self::Adam { .. } => {
                let [first, second] = ["adam.first", "adam.second"].map(|name| state(program, parameter, name));
                Some(Update::Adam { parameter, first, second })
            }
            Self::Momentum { .. } => Some(momentum(program, parameter)),
            Self::ConjugateGradients { .. } | Self::Lbfgs { .. } => None,
        }
    }

    /// Vectors beside the parameters that the minimiser needs.
    pub(crate) fn vectors(&self) -> usize {
        match self {
            Self::Adam { .. } | Self::Momentum { .. } => 0,
            Self::ConjugateGradients { .. } => 4,
            Self::Lbfgs { memory, .. } => 4 + 2 * memory,
        }
    }
}

/// Stochastic gradient descent with momentum for a parameter.
pub(crate) fn momentum(program: &mut Program, parameter: Tensor) -> Update {
    Update::Momentum { parameter, velocity: state(program, parameter, "momentum.velocity") }
}

/// What an optimiser keeps of a parameter from step to step.
fn state(program: &mut Program, parameter: Tensor, what: &str) -> Tensor {
    let name = format!("{}.{what}", program.name(parameter));
    program.state(name, parameter.rows, parameter.cols)
}

/// A tensor for the gradient of a parameter.
pub(crate) fn gradient_of(program: &mut Program, parameter: Tensor) -> Tensor {
    let name = format!("{}.gradient", program.name(parameter));
    program.value(name, parameter.rows, parameter.cols)
}
