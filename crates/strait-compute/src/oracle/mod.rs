//! The back end that is right, and slow: what the fast ones are tested against. The file named after an operation says what it means,
//! in plain loops in double precision.

mod backprop;
mod batch_largest;
mod by_column;
mod class_energies;
mod column_means;
mod combine;
mod contraction;
mod copy_columns;
mod copy_rows;
mod corrupt;
mod dot;
mod draw;
mod exchange;
mod fold;
mod gather;
mod gradient;
mod jump_relu;
mod largest;
mod linear;
mod loss;
mod matrix;
mod max_norm;
mod penalty;
mod product;
mod recurrence;
mod recurrence_backward;
mod reparameterize;
mod reparameterize_backward;
mod row_sums;
mod run;
mod scatter;
mod shared_bias;
mod shrink;
mod slope;
mod softmax;
mod sparse_backprop;
mod sparse_gradient;
mod sparse_linear;
mod standardize;
mod threshold;
mod top_k;
mod truncate;
mod unfold;
mod unused_bias;
mod update;
mod windows;

use draw::{draw, draw_class, draw_uniform};
use matrix::{Factor, Matrix, log_sum_exp, matrix, sum_of_products};
pub use run::Oracle;
use run::Run;
use update::follow;
use windows::{map_index, seen_at};

use crate::groups::draws;
use crate::op::{
    Addend, Along, ByColumn, DOT_PARTS, Draw, Factors, FoldTail, LossKind, Op, PenaltyKind, Replica, Sample, Shrinkage,
    SparseRows, StraightThrough, Update,
};
use crate::{Activation, Groups, Kind, Noise, Operands, Sampling, Shift, Step, Tensor, Window};

/// One step of a routine.
struct Replay<'a> {
    run: &'a Run,
    operands: Operands,
    step: &'a Step,
    metrics: &'a mut Vec<f32>,
}

impl Replay<'_> {
    fn get(&self, tensor: Tensor) -> Matrix {
        self.run.get(tensor)
    }

    fn set(&self, tensor: Tensor, values: Vec<f64>) {
        self.run.set(tensor, values);
    }

    fn put(&self, tensor: Tensor, element: impl Fn(usize, usize) -> f64) {
        self.set(tensor, matrix(tensor.rows, tensor.cols, element));
    }

    /// Rows of the minibatch in use.
    fn active(&self) -> usize {
        self.step.rows as usize
    }

    /// Rows that means are taken over.
    fn all(&self) -> f64 {
        f64::from(self.step.all_rows())
    }

    /// A factor of a product, in the parts that the device multiplies.
    fn factor(&self, tensor: Tensor) -> Factor {
        Factor::new(self.get(tensor), self.operands)
    }

    fn execute(&mut self, op: &Op) {
        match *op {
            Op::Gather { data, index, first, shift, out } => gather::run(self, data, index, first, shift, out),
            Op::Scatter { input, data } => scatter::run(self, input, data),
            Op::CopyColumns { input, first, out, to, columns } => {
                copy_columns::run(self, input, first, out, to, columns)
            }
            Op::CopyRows { input, out } => copy_rows::run(self, input, out),
            Op::Linear { input, weight, transposed, bias, activation, out, sample } => {
                linear::run(self, input, (weight, transposed), bias, activation, out, sample)
            }
            Op::Backprop { delta, weight, transposed, output, activation, out } => {
                backprop::run(self, delta, (weight, transposed), output, activation, out)
            }
            Op::Gradient { positive, negative, weight, bias, input_bias, plus, positions, scale } => {
                gradient::run(self, positive, negative, [Some(weight), bias, input_bias], plus, positions, scale)
            }
            Op::Update { gradient, update, decays } => update::run(self, gradient, update, decays),
            Op::Unfold { input, window, out } => unfold::run(self, input, window, out),
            Op::Fold { input, window, tail, out } => fold::run(self, input, window, tail, out),
            Op::SharedBias { delta, bias } => shared_bias::run(self, delta, bias),
            Op::Loss { kind, input, target, output, delta } => loss::run(self, kind, input, target, output, delta),
            Op::Corrupt { input, noise, stream, out } => corrupt::run(self, input, noise, stream, out),
            Op::TopK { input, k, out } => top_k::run(self, input, k, out),
            Op::Largest { input, out } => largest::run(self, input, out),
            Op::BatchLargest { input, threshold, k, rate, out } => {
                batch_largest::run(self, input, threshold, k, rate, out)
            }
            Op::JumpRelu { input, threshold, out } => jump_relu::dense(self, input, threshold, out),
            Op::JumpReluBias { bias, threshold, bandwidth, out } => {
                jump_relu::bias(self, bias, threshold, bandwidth, out)
            }
            Op::JumpReluListed { input, threshold, bandwidth, out, active } => {
                jump_relu::listed(self, input, threshold, bandwidth, out, active)
            }
            Op::JumpReluBackward { input, order, threshold, active, straight, derivatives, gradient } => {
                jump_relu::backward(self, input, order, [threshold, active], straight, derivatives, gradient)
            }
            Op::SparseLinear { input, weight, bias, activation, out } => {
                sparse_linear::run(self, input, weight, bias, activation, out)
            }
            Op::SparseBackprop { delta, weight, input, out } => sparse_backprop::run(self, delta, weight, input, out),
            Op::ByColumn { rows, out } => by_column::run(self, rows, out),
            Op::UnusedBias { order, bias, since, limit, out } => unused_bias::run(self, order, bias, since, limit, out),
            Op::SparseGradient { values, order, dense, transposed, weight, bias, along } => {
                sparse_gradient::run(self, values, order, dense, transposed, [Some(weight), bias], along)
            }
            Op::Truncate { input, lengths, each, beyond, out } => {
                truncate::run(self, input, lengths, each, beyond, out)
            }
            Op::ColumnMeans { input, times, out } => column_means::run(self, input, times, out),
            Op::Penalty { kind, output, activation, delta } => penalty::run(self, kind, output, activation, delta),
            Op::Contraction { weight, output, activation, penalty, squares, costs } => {
                contraction::run(self, weight, output, activation, penalty, squares, costs)
            }
            Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                shrink::run(self, code, [overlap, correlation, prediction], shrinkage, out)
            }
            Op::RowSums { input, columns } => row_sums::run(self, input, columns),
            Op::MaxNorm { weight, norm, rows, exact } => max_norm::run(self, weight, norm, rows, exact),
            Op::Reparameterize { moments, kl_weight, stream, noise, out } => {
                reparameterize::run(self, moments, kl_weight, stream, noise, out)
            }
            Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out } => {
                reparameterize_backward::run(self, delta, moments, noise, kl_weight, out)
            }
            Op::Softmax { input, groups, scale, given, out, states } => {
                softmax::run(self, input, groups, scale, given, out, states)
            }
            Op::Threshold { weight, threshold } => threshold::run(self, weight, threshold),
            Op::Standardize { input, shift, scale, out } => standardize::run(self, input, shift, scale, out),
            Op::ClassEnergies { inputs, weight, bias, out } => class_energies::run(self, inputs, weight, bias, out),
            Op::Exchange { chains, bias, difference, parity, stream } => {
                exchange::run(self, chains, bias, difference, parity, stream)
            }
            Op::Combine { x, y, factors, out } => combine::run(self, x, y, factors, out),
            Op::Product { x, y, out } => product::run(self, x, y, out),
            Op::Slope { delta, output, activation, out } => slope::run(self, delta, output, activation, out),
            Op::Recurrence { .. } => recurrence::run(self, op),
            Op::RecurrenceBackward { .. } => recurrence_backward::run(self, op),
            Op::Dot { x, y } => dot::run(self, x, y),
        }
    }
}
