//! What is minimised: the error of reconstructions, and penalties beside it.

use serde::{Deserialize, Serialize};

/// Which error of the reconstructions is minimised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// −Σ x ln x̂ + (1 − x) ln(1 − x̂), for logistic outputs: the paper's.
    #[default]
    CrossEntropy,
    /// Σ (x − x̂)²
    SquaredError,
    /// −Σ x ln x̂ with x̂ = softmax(z), for linear outputs z: rows that count, such as bags of words.
    SoftmaxCrossEntropy,
}

/// A penalty on the outputs y of a layer that makes them sparse, or that makes them change little with the input.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Penalty {
    /// λ Σ |y|
    L1 {
        /// λ
        weight: f32,
    },
    /// β Σ ρ ln(ρ / ρ̂) + (1 − ρ) ln((1 − ρ) / (1 − ρ̂)), where ρ̂ are the mean outputs of the units over a minibatch: for
    /// logistic units (Ng, "Sparse autoencoder", 2011).
    Sparsity {
        /// β
        weight: f32,
        /// ρ
        target: f32,
    },
    /// λ ‖∂y/∂x‖², the squared Frobenius norm of the Jacobian in closed form (Rifai et al. 2011): for a code that is the
    /// first layer's, of linear, logistic, tanh or rectified units.
    Contractive {
        /// λ
        weight: f32,
    },
}
