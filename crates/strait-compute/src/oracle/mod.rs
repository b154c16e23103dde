//! The back end that is right, and slow: what the fast ones are tested against. The file named after an operation says what it means,
//! in plain loops in double precision.

mod backprop;
mod class_energies;
mod column_means;
mod combine;
mod contraction;
mod copy_columns;
mod corrupt;
mod dot;
mod draw;
mod exchange;
mod fold;
mod gather;
mod gradient;
mod linear;
mod loss;
mod matrix;
mod max_norm;
mod penalty;
mod reparameterize;
mod reparameterize_backward;
mod row_sums;
mod run;
mod scatter;
mod shared_bias;
mod shrink;
mod softmax;
mod standardize;
mod threshold;
mod top_k;
mod unfold;
mod update;
mod windows;

use matrix::{Factor, Matrix, matrix};
pub use run::Oracle;
use run::Run;

use crate::{Op, Operands, Step, Tensor};

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

    /// A factor of a product, in the parts that the device multiplies.
    fn factor(&self, tensor: Tensor) -> Factor {
        Factor::new(self.get(tensor), self.operands)
    }

    fn execute(&mut self, op: &Op) {
        match *op {
            Op::Gather { data, index, first, shift, out } => self.gather(data, index, first, shift, out),
            Op::Scatter { input, data } => self.scatter(input, data),
            Op::CopyColumns { input, first, out, to, columns } => self.copy_columns(input, first, out, to, columns),
            Op::Linear { input, weight, transposed, bias, activation, out, sample } => {
                self.linear(input, (weight, transposed), bias, activation, out, sample)
            }
            Op::Backprop { delta, weight, transposed, output, activation, out } => {
                self.backprop(delta, (weight, transposed), output, activation, out)
            }
            Op::Gradient { positive, negative, weight, bias, input_bias, plus, positions, scale } => {
                self.gradient(positive, negative, [Some(weight), bias, input_bias], plus, positions, scale)
            }
            Op::Update { gradient, update, decays } => self.update(gradient, update, decays),
            // There is no other process.
            Op::Reduce { .. } => {}
            Op::Unfold { input, window, out } => self.unfold(input, window, out),
            Op::Fold { input, window, tail, out } => self.fold(input, window, tail, out),
            Op::SharedBias { delta, bias } => self.shared_bias(delta, bias),
            Op::Loss { kind, input, target, output, delta } => self.loss(kind, input, target, output, delta),
            Op::Corrupt { input, noise, stream, out } => self.corrupt(input, noise, stream, out),
            Op::TopK { input, k, out } => self.top_k(input, k, out),
            Op::ColumnMeans { input, times, out } => self.column_means(input, times, out),
            Op::Penalty { kind, output, activation, delta } => self.penalty(kind, output, activation, delta),
            Op::Contraction { weight, output, activation, penalty, squares, costs } => {
                self.contraction(weight, output, activation, penalty, squares, costs)
            }
            Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                self.shrink(code, [overlap, correlation, prediction], shrinkage, out)
            }
            Op::RowSums { input, columns } => self.row_sums(input, columns),
            Op::MaxNorm { weight, norm, rows } => self.max_norm(weight, norm, rows),
            Op::Reparameterize { moments, kl_weight, stream, noise, out } => {
                self.reparameterize(moments, kl_weight, stream, noise, out)
            }
            Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out } => {
                self.reparameterize_backward(delta, moments, noise, kl_weight, out)
            }
            Op::Softmax { input, groups, scale, given, out, states } => {
                self.softmax(input, groups, scale, given, out, states)
            }
            Op::Threshold { weight, threshold } => self.threshold(weight, threshold),
            Op::Standardize { input, shift, scale, out } => self.standardize(input, shift, scale, out),
            Op::ClassEnergies { inputs, weight, bias, out } => self.class_energies(inputs, weight, bias, out),
            Op::Exchange { chains, bias, difference, parity, stream } => {
                self.exchange(chains, bias, difference, parity, stream)
            }
            Op::Combine { x, y, factors, out } => self.combine(x, y, factors, out),
            Op::Dot { x, y } => self.dot(x, y),
        }
    }
}
