//! Which operands of an operation have rows for the rows of a minibatch.

use super::*;

impl Op {
    /// The operands that have one or more rows for each row of a minibatch, where one of them has: either all of these have, or none. The others
    /// are the same for all rows: weights, biases, and sums over the rows.
    pub(crate) fn per_row(&self) -> Vec<Tensor> {
        match *self {
            Self::Gather { out, .. } => vec![out],
            Self::Scatter { input, .. } | Self::RowSums { input, .. } => vec![input],
            Self::CopyRows { input, out } => vec![input.tensor, out.tensor],
            Self::Linear { input, out, sample, .. } => some([Some(input), Some(out), sample.map(|sample| sample.out)]),
            Self::Backprop { delta, output, out, .. } => vec![delta, output, out],
            Self::Gradient { positive, negative, .. } => {
                [Some(positive), negative].into_iter().flatten().flat_map(|(x, d)| [x, d]).collect()
            }
            Self::Fold { input, tail, out, .. } => {
                let output = match tail {
                    FoldTail::Backprop { output, .. } => Some(output),
                    FoldTail::Sum | FoldTail::Layer { .. } => None,
                };
                some([Some(input), output, Some(out)])
            }
            Self::SharedBias { delta, .. } => vec![delta],
            Self::Loss { input, target, output, delta, .. } => some([Some(input), Some(target), output, delta]),
            Self::CopyColumns { input, out, .. }
            | Self::Unfold { input, out, .. }
            | Self::Corrupt { input, out, .. }
            | Self::TopK { input, out, .. }
            | Self::BatchLargest { input, out, .. }
            | Self::JumpRelu { input, out, .. }
            | Self::Standardize { input, out, .. } => vec![input, out],
            Self::Largest { input, out } => vec![input, out.values, out.columns],
            Self::JumpReluListed { input, out, .. } => vec![input.values, input.columns, out],
            Self::JumpReluBackward { input, order, derivatives, .. } => {
                vec![input, order.starts, order.entries, derivatives]
            }
            Self::SparseLinear { input, out, .. } => vec![input.values, input.columns, out],
            Self::SparseBackprop { delta, input, out, .. } => vec![delta, input.values, input.columns, out],
            Self::ByColumn { rows, out } => vec![rows.values, rows.columns, out.starts, out.entries],
            Self::SparseGradient { values, order, dense, along, .. } => some([
                Some(values),
                Some(order.starts),
                Some(order.entries),
                Some(dense),
                along.map(|along| along.derivatives),
            ]),
            Self::Truncate { input, lengths, out, .. } => vec![input, lengths, out],
            Self::ColumnMeans { input, times, .. } => some([Some(input), times]),
            Self::Contraction { output, .. } => vec![output],
            Self::Shrink { code, overlap, correlation, prediction, out, .. } => {
                vec![code, overlap, correlation, prediction, out]
            }
            Self::MaxNorm { weight, .. } | Self::Threshold { weight, .. } => vec![weight],
            Self::ClassEnergies { inputs, out, .. } => vec![inputs, out],
            Self::Exchange { chains, .. } => chains.iter().flat_map(|it| [it.visible, it.inputs, it.hidden]).collect(),
            Self::Penalty { output, delta, .. } => vec![output, delta],
            Self::Reparameterize { moments, noise, out, .. } => vec![moments, noise, out],
            Self::ReparameterizeBackward { delta, moments, noise, out, .. } => vec![delta, moments, noise, out],
            Self::Softmax { input, given, out, states, .. } => {
                some([Some(input), given, Some(out), states.map(|states| states.out)])
            }
            Self::Combine { x, y, out, .. } | Self::Product { x, y, out } => vec![x, y, out],
            Self::Slope { delta, output, out, .. } => vec![delta, output, out],
            Self::Recurrence { start, inputs, constant, lengths, memory, trace, out, .. } => {
                let start = match start {
                    Start::States(states) => Some(states),
                    Start::Nothing | Start::Memory => None,
                };
                let [gates, cells, previous] = of_trace(trace);
                some([start, inputs, constant, lengths, Some(memory), gates, cells, previous, out])
            }
            Self::RecurrenceBackward { delta, lengths, memory, trace, inputs, constant, .. } => {
                let [gates, cells, previous] = of_trace(Some(trace));
                some([Some(delta), lengths, Some(memory), gates, cells, previous, inputs, constant])
            }
            // Which units were not used is a question to all rows together.
            Self::UnusedBias { .. } => Vec::new(),
            Self::JumpReluBias { .. } | Self::Update { .. } | Self::Dot { .. } => Vec::new(),
        }
    }
}

fn of_trace(trace: Option<Trace>) -> [Option<Tensor>; 3] {
    trace.map_or([None; 3], |Trace { gates, cells, previous }| [Some(gates), Some(cells), Some(previous)])
}

/// Those that are there.
fn some(tensors: impl IntoIterator<Item = Option<Tensor>>) -> Vec<Tensor> {
    tensors.into_iter().flatten().collect()
}
