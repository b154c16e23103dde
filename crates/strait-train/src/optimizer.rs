//! Optimisers, and what each keeps beside the parameters.

use serde::{Deserialize, Serialize};
use strait_compute::{Kind, Program, Tensor, Update};

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

    pub(crate) fn update(&self, program: &mut Program, parameter: Tensor) -> Update {
        let mut state = |name: &str| {
            let name = format!("{} {name}", program.name(parameter));
            program.tensor(name, parameter.rows, parameter.cols, Kind::Values)
        };
        match self {
            Self::Adam { .. } => Update::Adam { parameter, first: state("first"), second: state("second") },
            Self::Momentum { .. } => Update::Momentum { parameter, velocity: state("velocity") },
            // Stands for the vector that the minimiser asks for.
            Self::ConjugateGradients { .. } | Self::Lbfgs { .. } => Update::Store { gradient: parameter },
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
