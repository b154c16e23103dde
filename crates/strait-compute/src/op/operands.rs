//! The tensors of an operation, one by one: passes put others in their place.

use super::*;

impl Op {
    /// The same operation on other tensors.
    pub(crate) fn on(&self, mut other: impl FnMut(Tensor) -> Tensor) -> Self {
        let mut op = self.clone();
        op.operands().into_iter().for_each(|tensor| *tensor = other(*tensor));
        op
    }

    /// All its tensors.
    fn operands(&mut self) -> Vec<&mut Tensor> {
        match self {
            Self::Gather { data, index, out, first: _, shift: _ } => all([Some(data), index.as_mut(), Some(out)]),
            Self::Scatter { input, data } => vec![input, data],
            Self::CopyColumns { input, out, first: _, to: _, columns: _ } => vec![input, out],
            Self::CopyRows { input, out } => vec![&mut input.tensor, &mut out.tensor],
            Self::Linear { input, weight, bias, out, sample, transposed: _, activation: _ } => {
                all([Some(input), Some(weight), Some(bias), Some(out), sample.as_mut().map(|sample| &mut sample.out)])
            }
            Self::Backprop { delta, weight, output, out, transposed: _, activation: _ } => {
                vec![delta, weight, output, out]
            }
            Self::Gradient { positive, negative, weight, bias, input_bias, plus, positions: _, scale: _ } => {
                let phases = [Some(positive), negative.as_mut()].into_iter().flatten().flat_map(|(x, d)| [x, d]);
                let updates = [Some(weight), bias.as_mut(), input_bias.as_mut()].into_iter().flatten();
                let plus = plus.iter_mut().flat_map(|plus| match plus {
                    Addend::Decay { weight, costs } => vec![weight, costs],
                    Addend::Gradient(gradient) => vec![gradient],
                });
                phases.chain(updates.flat_map(Update::operands)).chain(plus).collect()
            }
            Self::Unfold { input, out, window: _ } => vec![input, out],
            Self::Fold { input, tail, out, window: _ } => {
                let tail = match tail {
                    FoldTail::Sum => None,
                    FoldTail::Layer { bias, activation: _ } => Some(bias),
                    FoldTail::Backprop { output, activation: _ } => Some(output),
                };
                all([Some(input), tail, Some(out)])
            }
            Self::SharedBias { delta, bias } => std::iter::once(delta).chain(bias.operands()).collect(),
            Self::Update { gradient, update, decays: _ } => {
                std::iter::once(gradient).chain(update.operands()).collect()
            }
            Self::Loss { input, target, output, delta, kind: _ } => {
                all([Some(input), Some(target), output.as_mut(), delta.as_mut()])
            }
            Self::Corrupt { input, out, noise: _, stream: _ } => vec![input, out],
            Self::TopK { input, out, k: _ } => vec![input, out],
            Self::Largest { input, out } => vec![input, &mut out.values, &mut out.columns],
            Self::BatchLargest { input, threshold, out, k: _, rate: _ } => vec![input, threshold, out],
            Self::JumpRelu { input, threshold, out } => vec![input, threshold, out],
            Self::JumpReluBias { bias, threshold, out, bandwidth: _ } => vec![bias, threshold, out],
            Self::JumpReluListed { input, threshold, out, active, bandwidth: _ } => {
                vec![&mut input.values, &mut input.columns, threshold, out, active]
            }
            Self::JumpReluBackward { input, order, threshold, active, derivatives, gradient, straight: _ } => {
                vec![input, &mut order.starts, &mut order.entries, threshold, active, derivatives, gradient]
            }
            Self::SparseLinear { input, weight, bias, out, activation: _ } => {
                vec![&mut input.values, &mut input.columns, weight, bias, out]
            }
            Self::SparseBackprop { delta, weight, input, out } => {
                vec![delta, weight, &mut input.values, &mut input.columns, out]
            }
            Self::ByColumn { rows, out } => {
                vec![&mut rows.values, &mut rows.columns, &mut out.starts, &mut out.entries]
            }
            Self::UnusedBias { order, bias, since, out, limit: _ } => {
                vec![&mut order.starts, &mut order.entries, bias, since, out]
            }
            Self::SparseGradient { values, order, dense, weight, bias, along, transposed: _ } => {
                let updates = [Some(weight), bias.as_mut()].into_iter().flatten().flat_map(Update::operands);
                let along = along.iter_mut().flat_map(|along| [&mut along.derivatives, &mut along.weight]);
                let order = [&mut order.starts, &mut order.entries];
                [values, dense].into_iter().chain(order).chain(updates).chain(along).collect()
            }
            Self::Truncate { input, lengths, out, each: _, beyond: _ } => vec![input, lengths, out],
            Self::ColumnMeans { input, times, out } => all([Some(input), times.as_mut(), Some(out)]),
            Self::Contraction { weight, output, squares, costs, activation: _, penalty: _ } => {
                vec![weight, output, squares, costs]
            }
            Self::Shrink { code, overlap, correlation, prediction, out, shrinkage: _ } => {
                vec![code, overlap, correlation, prediction, out]
            }
            Self::MaxNorm { weight, norm: _, rows: _, exact: _ } | Self::Threshold { weight, threshold: _ } => {
                vec![weight]
            }
            Self::Standardize { input, shift, scale, out } => {
                all([Some(input), shift.as_mut(), scale.as_mut(), Some(out)])
            }
            Self::ClassEnergies { inputs, weight, bias, out } => vec![inputs, weight, bias, out],
            Self::Exchange { chains, bias, difference: _, parity: _, stream: _ } => {
                let chains = chains.iter_mut().flat_map(|it| [&mut it.visible, &mut it.inputs, &mut it.hidden]);
                chains.chain([bias]).collect()
            }
            Self::Penalty { kind, output, delta, activation: _ } => {
                let kind = match kind {
                    PenaltyKind::L1 { weight: _ } => None,
                    PenaltyKind::Sparsity { means, weight: _, target: _ } => Some(means),
                    PenaltyKind::Contractive { squares, weight: _ } => Some(squares),
                };
                all([kind, Some(output), Some(delta)])
            }
            Self::Reparameterize { moments, noise, out, kl_weight: _, stream: _ } => vec![moments, noise, out],
            Self::ReparameterizeBackward { delta, moments, noise, out, kl_weight: _ } => {
                vec![delta, moments, noise, out]
            }
            Self::RowSums { input, columns } => all([Some(input), columns.as_mut()]),
            Self::Softmax { input, given, out, states, groups: _, scale: _ } => {
                all([Some(input), given.as_mut(), Some(out), states.as_mut().map(|states| &mut states.out)])
            }
            Self::Combine { x, y, out, factors: _ } | Self::Product { x, y, out } => vec![x, y, out],
            Self::Slope { delta, output, out, activation: _ } => vec![delta, output, out],
            Self::Recurrence {
                start,
                inputs,
                constant,
                weight,
                bias,
                lengths,
                memory,
                trace,
                out,
                cell: _,
                steps: _,
                reversed: _,
            } => {
                let start = match start {
                    Start::States(states) => Some(states),
                    Start::Nothing | Start::Memory => None,
                };
                let below = [inputs.as_mut(), constant.as_mut(), Some(weight), Some(bias), lengths.as_mut()];
                let others = all(below.into_iter().chain([start, Some(memory), out.as_mut()]));
                others.into_iter().chain(trace.iter_mut().flat_map(Trace::operands)).collect()
            }
            Self::RecurrenceBackward {
                delta,
                weight,
                lengths,
                memory,
                trace,
                inputs,
                constant,
                cell: _,
                steps: _,
                reversed: _,
            } => {
                let below = [Some(delta), Some(weight), lengths.as_mut(), Some(memory)];
                let others = all(below.into_iter().chain([inputs.as_mut(), constant.as_mut()]));
                others.into_iter().chain(trace.operands()).collect()
            }
            Self::Dot { x, y } => vec![x, y],
        }
    }
}

impl Update {
    fn operands(&mut self) -> Vec<&mut Tensor> {
        match self {
            Self::Store { gradient } => vec![gradient],
            Self::Momentum { parameter, velocity } => vec![parameter, velocity],
            Self::Adam { parameter, first, second } => vec![parameter, first, second],
        }
    }
}

impl Trace {
    fn operands(&mut self) -> [&mut Tensor; 3] {
        [&mut self.gates, &mut self.cells, &mut self.previous]
    }
}

/// Those that are there.
fn all<'a>(tensors: impl IntoIterator<Item = Option<&'a mut Tensor>>) -> Vec<&'a mut Tensor> {
    tensors.into_iter().flatten().collect()
}
