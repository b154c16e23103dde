use super::*;

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

/// The rules of optimisers.
pub(super) fn access(gradient: Tensor, update: Update) -> Access {
    let fits = || {
        if matches!(update, Update::Store { .. }) {
            return Err("a gradient that is stored already is not stored again: use momentum or Adam".to_owned());
        }
        let [rows, cols] = [gradient.rows, gradient.cols];
        update.tensors().into_iter().try_for_each(|tensor| same("the parameter or its state", tensor, rows, cols))
    };
    let (moments, writes) = updated([update]);
    let (reads, fits) = ([reads([gradient]), moments].concat(), fits());
    Access { name: "update", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
