use super::*;

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

impl PenaltyKind {
    /// Its weight, and the number for each column that it reads, where it does.
    pub(crate) fn parts(self) -> (f32, Option<Tensor>) {
        match self {
            Self::L1 { weight } => (weight, None),
            Self::Sparsity { weight, means, .. } => (weight, Some(means)),
            Self::Contractive { weight, squares } => (weight, Some(squares)),
        }
    }
}

/// Penalties on the outputs of layers.
pub(super) fn access(kind: PenaltyKind, output: Tensor, activation: Activation, delta: Tensor) -> Access {
    let (weight, columns) = kind.parts();
    let fits = || {
        same("δ", delta, output.rows, output.cols)?;
        if !weight.is_finite() || weight < 0.0 {
            return Err("the weight of a penalty must be a number from 0 on".to_owned());
        }
        match kind {
            PenaltyKind::L1 { .. } => Ok(()),
            PenaltyKind::Sparsity { target, means, .. } => {
                if !(0.0 < target && target < 1.0) || activation != Activation::Logistic {
                    return Err(format!("a mean output of {target} is no target for {} units", activation.name()));
                }
                same("the means", means, 1, output.cols)
            }
            PenaltyKind::Contractive { squares, .. } => {
                if activation == Activation::Softplus {
                    return Err("softplus units have no contractive penalty here".to_owned());
                }
                same("the squares", squares, 1, output.cols)
            }
        }
    };
    // The derivative is added to what is there.
    let reads = [reads([Some(output), columns]), in_place([delta])].concat();
    let (writes, report, fits) = (computed([delta]), Report::Losses(output.rows), fits());
    Access { name: "penalty", reads, writes, rows: Rows::Any, report, work: Work::Little, fits }
}
