//! Which results of an operation are sums over the rows of a minibatch.

use super::*;

impl Op {
    /// The results that are sums, or means, over the rows of a minibatch: what the parts of a batch give adds up to them.
    pub(crate) fn sums(&self) -> Vec<Tensor> {
        match self {
            Self::Gradient { weight, bias, input_bias, .. } => {
                [Some(weight), bias.as_ref(), input_bias.as_ref()].into_iter().flatten().map(Update::target).collect()
            }
            Self::SharedBias { bias, .. } => vec![bias.target()],
            Self::SparseGradient { weight, bias, .. } => {
                [Some(weight), bias.as_ref()].into_iter().flatten().map(Update::target).collect()
            }
            Self::ColumnMeans { out, .. } => vec![*out],
            Self::Contraction { costs, .. } => vec![*costs],
            Self::JumpReluListed { active, .. } => vec![*active],
            Self::JumpReluBackward { gradient, .. } => vec![*gradient],
            #[rustfmt::skip]
            Self::Gather { .. } | Self::Scatter { .. } | Self::CopyColumns { .. } | Self::CopyRows { .. } | Self::Linear { .. }
            | Self::Backprop { .. } | Self::Unfold { .. } | Self::Fold { .. } | Self::Update { .. }
            | Self::Loss { .. } | Self::Corrupt { .. } | Self::TopK { .. } | Self::Shrink { .. } | Self::MaxNorm { .. }
            | Self::Threshold { .. } | Self::Standardize { .. } | Self::ClassEnergies { .. } | Self::Exchange { .. }
            | Self::Penalty { .. } | Self::Reparameterize { .. } | Self::ReparameterizeBackward { .. } | Self::RowSums { .. }
            | Self::Softmax { .. } | Self::Combine { .. } | Self::Product { .. } | Self::Slope { .. } | Self::Recurrence { .. }
            | Self::RecurrenceBackward { .. } | Self::Truncate { .. } | Self::Dot { .. } | Self::Largest { .. }
            | Self::SparseLinear { .. } | Self::SparseBackprop { .. } | Self::ByColumn { .. } | Self::UnusedBias { .. }
            | Self::BatchLargest { .. } | Self::JumpRelu { .. } | Self::JumpReluBias { .. } => Vec::new(),
        }
    }

    /// The sum of another use of the same weights that a gradient adds its own to.
    pub(crate) fn adds_to(&self) -> Option<Tensor> {
        match *self {
            Self::Gradient { plus: Some(Addend::Gradient(gradient)), .. } => Some(gradient),
            _ => None,
        }
    }
}
