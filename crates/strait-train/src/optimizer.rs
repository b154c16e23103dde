//! Optimisers, and what each keeps beside the parameters.

use serde::{Deserialize, Serialize};
use strait_compute::{Program, Step, Tensor, Update};

use crate::Result;
use crate::error::{decay, positive, positive_rate};
use crate::minimize::{ConjugateGradients, Lbfgs};
use crate::net_problem::NetProblem;

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
    /// RMSprop (Tieleman & Hinton 2012): gradients over the root of the mean of their squares. It is Adam without a mean of the gradients
    /// and without correction for the first steps.
    RmsProp {
        /// Learning rate.
        rate: f32,
        /// What is left of the mean of squares after a step.
        decay: f32,
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
            Self::Adam { rate, .. } | Self::RmsProp { rate, .. } | Self::Momentum { rate, .. } => Some(rate),
            Self::ConjugateGradients { .. } | Self::Lbfgs { .. } => None,
        }
    }

    /// The rule by which a parameter follows its gradient, with what it keeps from step to step; none for minimisers.
    pub(crate) fn rule(&self, program: &mut Program, parameter: Tensor) -> Option<Update> {
        match self {
            Self::Adam { .. } | Self::RmsProp { .. } => {
                let [first, second] = ["adam.first", "adam.second"].map(|name| state(program, parameter, name));
                Some(Update::Adam { parameter, first, second })
            }
            Self::Momentum { .. } => Some(momentum(program, parameter)),
            Self::ConjugateGradients { .. } | Self::Lbfgs { .. } => None,
        }
    }

    /// Whether its settings make sense.
    pub(crate) fn check(&self) -> Result<()> {
        self.rate().map_or(Ok(()), |rate| positive_rate("the learning rate", rate))?;
        match *self {
            Self::Adam { beta1, beta2, .. } => {
                decay("beta1", beta1)?;
                decay("beta2", beta2)
            }
            Self::RmsProp { decay: share, .. } => decay("decay", share),
            Self::Momentum { momentum, .. } => decay("momentum", momentum),
            Self::ConjugateGradients { searches } => positive("searches", searches),
            Self::Lbfgs { iterations, memory } => {
                positive("iterations", iterations)?;
                positive("memory", memory)
            }
        }
    }

    /// A step with the numbers of its rule, where it is the `number`th from 0 and the schedule scales the learning rate by `factor`.
    pub(crate) fn at(&self, mut step: Step, number: usize, factor: f32) -> Step {
        match *self {
            Self::Adam { rate, beta1, beta2 } => {
                let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powi(number as i32 + 1))) as f32;
                (step.learning_rate, step.momentum, step.beta2) = (rate * factor, beta1, beta2);
                (step.correction1, step.correction2) = (correction(beta1), correction(beta2));
            }
            Self::RmsProp { rate, decay } => {
                (step.learning_rate, step.momentum, step.beta2) = (rate * factor, 0.0, decay);
            }
            Self::Momentum { rate, momentum } => (step.learning_rate, step.momentum) = (rate * factor, momentum),
            Self::ConjugateGradients { .. } | Self::Lbfgs { .. } => {}
        }
        step
    }

    /// Minimises the loss of a minibatch, and gives where it ended.
    pub(crate) fn minimize(&self, problem: &mut NetProblem<'_>) -> strait_compute::Result<f64> {
        match *self {
            Self::Lbfgs { iterations, memory } => Lbfgs { iterations, memory, ..Lbfgs::default() }.minimize(problem),
            Self::ConjugateGradients { searches } => {
                ConjugateGradients { searches, ..ConjugateGradients::default() }.minimize(problem)
            }
            Self::Adam { .. } | Self::RmsProp { .. } | Self::Momentum { .. } => {
                unreachable!("it takes one step for each minibatch")
            }
        }
    }

    /// Vectors beside the parameters that the minimiser needs.
    pub(crate) fn vectors(&self) -> usize {
        match self {
            Self::Adam { .. } | Self::RmsProp { .. } | Self::Momentum { .. } => 0,
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
