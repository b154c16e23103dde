//! What there is to say of an operation beside its tensors: tails that are fused into it, kinds and factors.

use crate::{Activation, Sampling, Tensor};

/// The random states drawn beside the mean by [`Op::Linear`](crate::Op::Linear).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// How they are drawn.
    pub sampling: Sampling,
    /// Where they go, [B, N].
    pub out: Tensor,
    /// The stream of random numbers: different for each operation that draws.
    pub stream: u32,
}

/// Random states drawn beside means by [`Op::Softmax`](crate::Op::Softmax).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Draw {
    /// Where they go, [B, N].
    pub out: Tensor,
    /// The stream of random numbers: different for each operation that draws.
    pub stream: u32,
}

/// A chain of Gibbs sampling, as [`Op::Exchange`](crate::Op::Exchange) sees it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Replica {
    /// v, [B, K].
    pub visible: Tensor,
    /// b + v W, [B, N].
    pub inputs: Tensor,
    /// h, [B, N].
    pub hidden: Tensor,
}

/// What becomes of a gradient g, the mean over the active rows: the tail of [`Op::Gradient`](crate::Op::Gradient) and [`Op::SharedBias`](crate::Op::SharedBias).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Update {
    /// gradient ← g
    Store {
        /// Where g goes.
        gradient: Tensor,
    },
    /// v ← m v − ε (g + λ θ), θ ← θ + v: stochastic gradient descent with momentum. λ acts on weights only.
    Momentum {
        /// θ
        parameter: Tensor,
        /// v
        velocity: Tensor,
    },
    /// Adam (Kingma & Ba 2015), with λ θ added to the gradient of weights.
    Adam {
        /// θ
        parameter: Tensor,
        /// First moment.
        first: Tensor,
        /// Second moment.
        second: Tensor,
    },
}

impl Update {
    /// The tensor that the update writes first: the gradient or the parameter.
    pub fn target(&self) -> Tensor {
        match *self {
            Self::Store { gradient } => gradient,
            Self::Momentum { parameter, .. } | Self::Adam { parameter, .. } => parameter,
        }
    }

    /// All tensors of the update.
    pub fn tensors(&self) -> Vec<Tensor> {
        match *self {
            Self::Store { gradient } => vec![gradient],
            Self::Momentum { parameter, velocity } => vec![parameter, velocity],
            Self::Adam { parameter, first, second } => vec![parameter, first, second],
        }
    }
}

/// What is added to the gradient of a weight matrix, whatever becomes of that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Addend {
    /// λⱼ wᵢⱼ: a weight cost of its own for each column.
    Decay {
        /// W, [K, N], which an update may be about to change.
        weight: Tensor,
        /// λ, [1, N].
        costs: Tensor,
    },
    /// The gradient, [K, N], that another use of the same weights has given.
    Gradient(Tensor),
}

impl Addend {
    /// Its tensors.
    pub(super) fn tensors(&self) -> Vec<Tensor> {
        match *self {
            Self::Decay { weight, costs } => vec![weight, costs],
            Self::Gradient(gradient) => vec![gradient],
        }
    }
}

/// What [`Op::Fold`](crate::Op::Fold) makes of the sums.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum FoldTail {
    /// s, the sums themselves.
    Sum,
    /// act(s + b): a layer whose weights are those of a convolution, transposed.
    Layer {
        /// b, [1, C].
        bias: Tensor,
        /// act
        activation: Activation,
    },
    /// s ⊙ act′(y): the derivative of the loss with respect to the total input of the layer below a convolution.
    Backprop {
        /// y, the outputs of the layer below, a map.
        output: Tensor,
        /// act
        activation: Activation,
    },
}

impl FoldTail {
    /// The tensor that it reads, where there is one.
    pub(crate) fn tensor(&self) -> Option<Tensor> {
        match *self {
            Self::Sum => None,
            Self::Layer { bias, .. } => Some(bias),
            Self::Backprop { output, .. } => Some(output),
        }
    }
}

/// A loss, by the outputs it expects and the derivative it passes on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LossKind {
    /// Σ (y − t)². `input` holds the outputs y; the derivative passed on, 2 (y − t) y′, is through `activation`.
    SquaredError {
        /// The activation that gave y.
        activation: Activation,
    },
    /// −Σ t ln p + (1 − t) ln(1 − p) with p = logistic(z), computed from the logits z in `input`.
    CrossEntropy,
    /// −Σ t ln p with p = softmax(z) over the row, computed from the logits z in `input`. In place of the squared error the
    /// metrics get 1 if the largest z (the first of equal ones) is not where the largest t is, else 0.
    SoftmaxCrossEntropy,
}

/// A penalty on the outputs y of a layer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PenaltyKind {
    /// λ Σ |y|
    L1 {
        /// λ
        weight: f32,
    },
    /// β Σ ρ ln(ρ / ρ̂) + (1 − ρ) ln((1 − ρ) / (1 − ρ̂)) over the units, whose mean outputs over the minibatch are ρ̂
    /// (Ng 2011); for logistic outputs.
    Sparsity {
        /// β
        weight: f32,
        /// ρ, between 0 and 1.
        target: f32,
        /// ρ̂, [1, N], from [`Op::ColumnMeans`](crate::Op::ColumnMeans).
        means: Tensor,
    },
    /// λ ‖∂y/∂x‖², the squared Frobenius norm of the Jacobian of y = act(x W + b), which is λ Σ act′(aⱼ)² Σ wᵢⱼ² (Rifai et al.
    /// 2011): its derivative with respect to the total inputs a. That with respect to W is an [`Addend::Decay`]; for both
    /// [`Op::Contraction`](crate::Op::Contraction) prepares the columns. For linear, logistic, tanh and rectified units.
    Contractive {
        /// λ
        weight: f32,
        /// Σ wᵢⱼ², [1, N].
        squares: Tensor,
    },
}

/// The factors of [`Op::Combine`](crate::Op::Combine).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Factors {
    /// The α and β of the [`Step`](crate::Step).
    Step,
    /// These, in every step.
    Fixed(f32, f32),
}

/// The numbers of [`Op::Shrink`](crate::Op::Shrink).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shrinkage {
    /// η, the step.
    pub rate: f32,
    /// λ, the weight of the absolute values.
    pub sparsity: f32,
    /// α, the weight of the squared distance from the prediction.
    pub pull: f32,
}

/// What an operation reads and writes that, beside reading this, updates something.
pub(super) fn with_updates<'a>(
    mut reads: Vec<Tensor>,
    updates: impl IntoIterator<Item = &'a Update>,
) -> (Vec<Tensor>, Vec<Tensor>) {
    let mut writes = Vec::new();
    for update in updates {
        writes.extend(update.tensors());
        if !matches!(update, Update::Store { .. }) {
            reads.extend(update.tensors());
        }
    }
    (reads, writes)
}
