//! What every operation can be asked.

use super::access::Access;
use super::*;

impl Op {
    /// The gradient xᵀ δ of weights by themselves: [`Op::Gradient`] with what may be left out left out.
    ///
    /// ```
    /// use strait_compute::{Op, Program, Update};
    /// let mut program = Program::default();
    /// let [x, delta] = [("x", 3), ("δ", 2)].map(|(name, cols)| program.value(name, 100, cols));
    /// let gradient = program.value("∇W", 3, 2);
    /// assert_eq!(Op::gradient((x, delta), Update::Store { gradient }).flops(), 2 * 100 * 3 * 2);
    /// ```
    pub fn gradient(positive: (Tensor, Tensor), weight: Update) -> Self {
        let (bias, input_bias) = (None, None);
        Self::Gradient { positive, negative: None, weight, bias, input_bias, plus: None, positions: 1, scale: 1.0 }
    }

    /// What it does with its tensors.
    pub(crate) fn access(&self) -> Access {
        match *self {
            Self::Gather { data, index, first, shift, out } => gather::access(data, index, first, shift, out),
            Self::Scatter { input, data } => scatter::access(input, data),
            Self::CopyColumns { input, first, out, to, columns } => {
                copy_columns::access(input, first, out, to, columns)
            }
            Self::CopyRows { input, out } => copy_rows::access(input, out),
            Self::Linear { input, weight, transposed, bias, activation, out, sample } => {
                linear::access(input, (weight, transposed), bias, activation, out, sample)
            }
            Self::Backprop { delta, weight, transposed, output, out, activation: _ } => {
                backprop::access(delta, weight, transposed, output, out)
            }
            Self::Gradient { positive, negative, weight, bias, input_bias, plus, positions, scale } => {
                gradient::access(positive, negative, [Some(weight), bias, input_bias], plus, positions, scale)
            }
            Self::Unfold { input, window, out } => unfold::access(input, window, out),
            Self::Fold { input, window, tail, out } => fold::access(input, window, tail, out),
            Self::SharedBias { delta, bias } => shared_bias::access(delta, bias),
            Self::Update { gradient, update, decays: _ } => update::access(gradient, update),
            Self::Loss { kind: _, input, target, output, delta } => loss::access(input, target, output, delta),
            Self::Corrupt { input, noise, stream: _, out } => corrupt::access(input, noise, out),
            Self::TopK { input, k, out } => top_k::access(input, k, out),
            Self::Largest { input, out } => largest::access(input, out),
            Self::BatchLargest { input, threshold, k, rate, out } => {
                batch_largest::access(input, threshold, k, rate, out)
            }
            Self::JumpRelu { input, threshold, out } => jump_relu::dense(input, threshold, out),
            Self::JumpReluBias { bias, threshold, bandwidth: _, out } => jump_relu::bias(bias, threshold, out),
            Self::JumpReluListed { input, threshold, bandwidth, out, active } => {
                jump_relu::listed(input, threshold, bandwidth, out, active)
            }
            Self::JumpReluBackward { input, order, threshold, active, straight, derivatives, gradient } => {
                jump_relu::backward(input, order, threshold, active, straight, derivatives, gradient)
            }
            Self::SparseLinear { input, weight, bias, activation: _, out } => {
                sparse_linear::access(input, weight, bias, out)
            }
            Self::SparseBackprop { delta, weight, input, out } => sparse_backprop::access(delta, weight, input, out),
            Self::ByColumn { rows, out } => by_column::access(rows, out),
            Self::UnusedBias { order, bias, since, limit: _, out } => unused_bias::access(order, bias, since, out),
            Self::SparseGradient { values, order, dense, transposed, weight, bias, along } => {
                sparse_gradient::access(values, order, dense, transposed, [Some(weight), bias], along)
            }
            Self::Truncate { input, lengths, each, beyond: _, out } => truncate::access(input, lengths, each, out),
            Self::ColumnMeans { input, times, out } => column_means::access(input, times, out),
            Self::Contraction { weight, output, activation: _, penalty: _, squares, costs } => {
                contraction::access(weight, output, squares, costs)
            }
            Self::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                shrink::access(code, [overlap, correlation, prediction], shrinkage, out)
            }
            Self::MaxNorm { weight, norm, rows: _, exact: _ } => max_norm::access(weight, norm),
            Self::Threshold { weight, threshold } => threshold::access(weight, threshold),
            Self::Standardize { input, shift, scale, out } => standardize::access(input, shift, scale, out),
            Self::ClassEnergies { inputs, weight, bias, out } => class_energies::access(inputs, weight, bias, out),
            Self::Exchange { chains, bias, difference, parity: _, stream: _ } => {
                exchange::access(chains, bias, difference)
            }
            Self::Penalty { kind, output, activation, delta } => penalty::access(kind, output, activation, delta),
            Self::Reparameterize { moments, kl_weight: _, stream: _, noise, out } => {
                reparameterize::access(moments, noise, out)
            }
            Self::ReparameterizeBackward { delta, moments, noise, kl_weight: _, out } => {
                reparameterize_backward::access(delta, moments, noise, out)
            }
            Self::RowSums { input, columns } => row_sums::access(input, columns),
            Self::Softmax { input, groups, scale, given, out, states } => {
                softmax::access(input, groups, scale, given, out, states)
            }
            Self::Combine { x, y, factors, out } => combine::access(x, y, factors, out),
            Self::Product { x, y, out } => product::access(x, y, out),
            Self::Slope { delta, output, activation: _, out } => slope::access(delta, output, out),
            Self::Recurrence { .. } => recurrence::access(self),
            Self::RecurrenceBackward { .. } => recurrence_backward::access(self),
            Self::Dot { x, y } => dot::access(x, y),
        }
    }

    /// The updates in its tail, each with whether it has the step's weight cost.
    pub(crate) fn tails(&mut self) -> Vec<(&mut Update, bool)> {
        match self {
            Self::Gradient { weight, bias, input_bias, .. } => {
                let biases = [bias.as_mut(), input_bias.as_mut()].into_iter().flatten().map(|bias| (bias, false));
                std::iter::once((weight, true)).chain(biases).collect()
            }
            Self::SharedBias { bias, .. } => vec![(bias, false)],
            Self::SparseGradient { weight, bias, .. } => {
                std::iter::once((weight, true)).chain(bias.as_mut().map(|bias| (bias, false))).collect()
            }
            #[rustfmt::skip]
            Self::Gather { .. } | Self::Scatter { .. } | Self::CopyColumns { .. } | Self::CopyRows { .. } | Self::Linear { .. }
            | Self::Backprop { .. } | Self::Unfold { .. } | Self::Fold { .. } | Self::Update { .. }
            | Self::Loss { .. } | Self::Corrupt { .. } | Self::TopK { .. }
            | Self::ColumnMeans { .. } | Self::Contraction { .. } | Self::Shrink { .. } | Self::MaxNorm { .. }
            | Self::Threshold { .. } | Self::Standardize { .. } | Self::ClassEnergies { .. } | Self::Exchange { .. }
            | Self::Penalty { .. } | Self::Reparameterize { .. } | Self::ReparameterizeBackward { .. } | Self::RowSums { .. }
            | Self::Softmax { .. } | Self::Combine { .. } | Self::Product { .. } | Self::Slope { .. } | Self::Recurrence { .. }
            | Self::RecurrenceBackward { .. } | Self::Truncate { .. } | Self::Dot { .. } | Self::Largest { .. }
            | Self::SparseLinear { .. } | Self::SparseBackprop { .. } | Self::ByColumn { .. } | Self::UnusedBias { .. } | Self::BatchLargest { .. }
            | Self::JumpRelu { .. } | Self::JumpReluBias { .. } | Self::JumpReluListed { .. } | Self::JumpReluBackward { .. } => Vec::new(),
        }
    }

    /// The operation's name in printouts, profiles and errors.
    pub fn name(&self) -> &'static str {
        self.access().name
    }

    /// The tensors that it reads and those that it writes (an updated parameter is in both).
    pub fn tensors(&self) -> (Vec<Tensor>, Vec<Tensor>) {
        let access = self.access();
        (access.read().collect(), access.written().collect())
    }

    /// Multiplications and additions of the products; tails, which are small beside them, are not counted.
    pub fn flops(&self) -> u64 {
        self.access().flops()
    }

    /// Bytes of the tensors that it reads and writes; of a data set, those of one minibatch.
    pub fn bytes(&self) -> u64 {
        self.access().bytes()
    }
}
