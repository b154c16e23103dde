//! What the workers do for each operation of a routine.

use super::Run;
use super::binary::Lookups;
use super::chains::{Chain, Exchange, exchange};
use super::dictionary::{max_norm, shrink, threshold};
use super::exclusive::{Softmax, class_energies, softmax};
use super::gradient::{Destination, Gradient, Plus, gradient, half_gradient};
use super::half_product::HalfProduct;
use super::latent::{Latent, reparameterize, reparameterize_backward};
use super::linear::{Backprop, Linear, backprop, half_backprop, half_linear, linear};
use super::noise::corrupt;
use super::pack::{pack, units};
use super::plan::{Copied, Work, products};
use super::rows::{Columns, Data, Loss, copy_columns, gather, loss, row_sums, scatter};
use super::sparsity::{Penalty, Sparsity, column_means, contraction, penalty, top_k};
use super::storage::{Panels, Shared, Storage, Values, WIDTH};
use super::update::apply;
use super::vector::{combine, dot, standardize};
use super::windows::{Folded, fold, shared_bias, unfold};
use super::workers::Taking;
use crate::op::{Addend, Factors, FoldTail, Op, PenaltyKind, Update};
use crate::{Precision, Replica, Routine, Step, Tensor};

impl Run {
    pub(super) fn values(&self, tensor: Tensor) -> &Values {
        match &*self.storage[tensor.id] {
            Storage::Values(values) => values,
            _ => unreachable!("operations are checked for kinds when they are recorded"),
        }
    }

    fn panels(&self, tensor: Tensor) -> &Panels {
        &self.values(tensor).panels
    }

    fn transposed(&self, tensor: Tensor) -> &Panels {
        self.values(tensor).transposed.get().unwrap_or_else(|| unreachable!("`keep_copies` has made it"))
    }

    fn destination(&self, update: &Update) -> Destination<'_> {
        match *update {
            Update::Store { gradient } => Destination::Store(self.values(gradient)),
            Update::Momentum { parameter, velocity } => {
                Destination::Momentum(self.values(parameter), self.values(velocity))
            }
            Update::Adam { parameter, first, second } => {
                Destination::Adam(self.values(parameter), self.values(first), self.values(second))
            }
        }
    }

    /// The product that an operation on operands of 16 bits computes.
    fn half_product(&self, op: &Op, precision: Precision, step: &Step) -> Option<HalfProduct<'_>> {
        let halves = |copied: Copied| self.values(copied.tensor).halves.get(copied.layout);
        let [first, second] = products(op, precision);
        let (left, right) = first?;
        // Products over the rows of a minibatch leave out those that are not in use.
        let used = step.rows as usize * left.positions;
        let (rows, inner) =
            if left.layout.turned() { (left.tensor.cols, used) } else { (left.tensor.rows, left.tensor.cols) };
        let cols = if right.layout.turned() { right.tensor.rows } else { right.tensor.cols };
        let product = HalfProduct::new(rows, cols.div_ceil(WIDTH), inner);
        let factors = [first, second].into_iter().flatten();
        Some(factors.fold(product, |sum, (left, right)| sum.plus(halves(left), halves(right), precision)))
    }

    /// One worker's part of a piece of work.
    pub(super) fn perform(
        &self,
        work: &Work,
        routine: &Routine,
        step: &Step,
        metrics: (&Shared<f32>, usize),
        share: Taking<'_>,
    ) {
        match work {
            Work::Operation(number, lookups) => {
                let op = &routine.ops()[*number];
                self.execute(op, lookups.as_ref(), routine.precision(), step, metrics, share);
            }
            Work::Pack(copies) => pack(self.isa, copies, units(copies), &self.storage, step, share),
        }
    }

    /// One worker's part of an operation.
    fn execute(
        &self,
        op: &Op,
        lookups: Option<&Lookups>,
        precision: Precision,
        step: &Step,
        metrics: (&Shared<f32>, usize),
        share: Taking<'_>,
    ) {
        let pair = |(a, b): (Tensor, Tensor)| (self.panels(a), self.panels(b));
        let half_product = self.half_product(op, precision, step);
        match op {
            Op::Gather { data, index, first, shift, out } => {
                let index = index.map(|index| match &*self.storage[index.id] {
                    Storage::Index(index) => index,
                    _ => unreachable!("operations are checked for kinds when they are recorded"),
                });
                let source = match &*self.storage[data.id] {
                    Storage::Bytes(data) => Data::Bytes(data),
                    Storage::Rows(data) => Data::Rows(data),
                    _ => unreachable!("operations are checked for kinds when they are recorded"),
                };
                let columns = Columns { first: *first, of: data.cols };
                gather(&source, index, columns, *shift, self.panels(*out), step, share);
            }
            Op::Scatter { input, data } => {
                if let Storage::Rows(data) = &*self.storage[data.id] {
                    scatter(self.panels(*input), data, step, share);
                }
            }
            Op::Linear { input, weight, transposed, bias, activation, out, sample } => {
                let job = Linear {
                    bias: self.panels(*bias),
                    activation: *activation,
                    out: self.panels(*out),
                    sample: sample.map(|sample| (sample.sampling, sample.stream, self.panels(sample.out))),
                };
                if let Some(product) = half_product {
                    return half_linear(self.isa, &job, &product, step, share);
                }
                let weight = if *transposed { self.transposed(*weight) } else { self.panels(*weight) };
                linear(self.isa, &job, self.panels(*input), lookups, weight, step, share);
            }
            Op::Backprop { delta, weight, transposed, output, activation, out } => {
                let job = Backprop { output: self.panels(*output), activation: *activation, out: self.panels(*out) };
                match half_product {
                    Some(product) => half_backprop(self.isa, &job, &product, share),
                    None => {
                        let weight = if *transposed { self.panels(*weight) } else { self.transposed(*weight) };
                        backprop(self.isa, &job, self.panels(*delta), weight, share);
                    }
                }
            }
            Op::Gradient { positive, negative, weight, bias, input_bias, plus, positions, scale } => {
                let job = Gradient {
                    positive: pair(*positive),
                    negative: negative.map(pair),
                    weight: self.destination(weight),
                    bias: bias.as_ref().map(|update| self.destination(update)),
                    input_bias: input_bias.as_ref().map(|update| self.destination(update)),
                    plus: plus.map(|plus| match plus {
                        Addend::Decay { weight, costs } => Plus::Decay(self.panels(weight), self.panels(costs)),
                        Addend::Gradient(gradient) => Plus::Gradient(self.panels(gradient)),
                    }),
                    positions: *positions,
                    scale: *scale,
                };
                match half_product {
                    Some(product) => half_gradient(self.isa, &job, &product, step, share),
                    None => gradient(self.isa, &job, step, share),
                }
            }
            Op::Update { gradient, update, decays } => {
                let cost = if *decays { step.weight_cost } else { 0.0 };
                apply(self.isa, self.panels(*gradient), self.destination(update), cost, step, share);
            }
            // There is no other process.
            Op::Reduce { .. } => {}
            Op::Unfold { input, window, out } => {
                unfold(self.isa, self.panels(*input), window, self.panels(*out), share);
            }
            Op::Fold { input, window, tail, out } => {
                let tail = match *tail {
                    FoldTail::Sum => Folded::Sum,
                    FoldTail::Layer { bias, activation } => Folded::Layer(self.panels(bias), activation),
                    FoldTail::Backprop { output, activation } => Folded::Backprop(self.panels(output), activation),
                };
                fold(self.isa, self.panels(*input), window, tail, self.panels(*out), share);
            }
            Op::SharedBias { delta, bias } => {
                let channels = bias.target().cols;
                shared_bias(self.isa, self.panels(*delta), channels, self.destination(bias), step, share);
            }
            Op::Loss { kind, input, target, output, delta } => {
                let job = Loss {
                    kind: *kind,
                    input: self.panels(*input),
                    target: self.panels(*target),
                    output: output.map(|output| self.panels(output)),
                    delta: delta.map(|delta| self.panels(delta)),
                    metrics,
                };
                loss(self.isa, &job, step, share);
            }
            Op::Corrupt { input, noise, stream, out } => {
                corrupt(self.isa, self.panels(*input), *noise, *stream, self.panels(*out), step, share);
            }
            Op::TopK { input, k, out } => top_k(self.isa, self.panels(*input), *k, self.panels(*out), share),
            Op::ColumnMeans { input, times, out } => {
                let times = times.map(|times| self.panels(times));
                column_means(self.isa, self.panels(*input), times, self.panels(*out), step, share);
            }
            Op::Penalty { kind, output, activation, delta } => {
                let kind = match *kind {
                    PenaltyKind::L1 { weight } => Sparsity::L1 { weight },
                    PenaltyKind::Sparsity { weight, target, means } => {
                        Sparsity::Target { weight, target, means: self.panels(means) }
                    }
                    PenaltyKind::Contractive { weight, squares } => {
                        Sparsity::Contractive { weight, squares: self.panels(squares) }
                    }
                };
                let (output, delta) = (self.panels(*output), self.panels(*delta));
                let job = Penalty { kind, output, activation: *activation, delta, metrics };
                penalty(self.isa, &job, step, share);
            }
            Op::Contraction { weight, output, activation, penalty, squares, costs } => {
                let layer = (self.panels(*weight), self.panels(*output), *activation);
                contraction(self.isa, layer, *penalty, self.panels(*squares), self.panels(*costs), step, share);
            }
            Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                let others = [overlap, correlation, prediction].map(|tensor| self.panels(*tensor));
                shrink(self.isa, self.panels(*code), others, *shrinkage, self.panels(*out), share);
            }
            Op::RowSums { input, columns } => {
                let columns = columns.map(|columns| self.panels(columns));
                row_sums(self.isa, self.panels(*input), columns, metrics, step, share);
            }
            Op::MaxNorm { weight, norm, rows } => max_norm(self.isa, self.values(*weight), *norm, *rows, share),
            Op::Reparameterize { moments, kl_weight, stream, noise, out } => {
                let latent =
                    Latent { moments: self.panels(*moments), kl_weight: *kl_weight, noise: self.panels(*noise) };
                reparameterize(self.isa, &latent, *stream, self.panels(*out), metrics, step, share);
            }
            Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out } => {
                let latent =
                    Latent { moments: self.panels(*moments), kl_weight: *kl_weight, noise: self.panels(*noise) };
                reparameterize_backward(self.isa, &latent, self.panels(*delta), self.panels(*out), step, share);
            }
            Op::CopyColumns { input, first, out, to, columns } => {
                copy_columns((self.panels(*input), *first), (self.panels(*out), *to), *columns, share);
            }
            Op::Softmax { input, groups, scale, given, out, states } => {
                let job = Softmax {
                    input: self.panels(*input),
                    groups: *groups,
                    scale: *scale,
                    given: given.map(|given| self.panels(given)),
                    out: self.panels(*out),
                    states: states.map(|states| (self.panels(states.out), states.stream)),
                };
                softmax(self.isa, &job, step, share);
            }
            Op::Threshold { weight, threshold: by } => threshold(self.isa, self.values(*weight), *by, share),
            Op::Standardize { input, shift, scale, out } => {
                let [shift, scale] = [shift, scale].map(|columns| columns.map(|columns| self.panels(columns)));
                standardize(self.isa, self.panels(*input), shift, scale, self.panels(*out), share);
            }
            Op::ClassEnergies { inputs, weight, bias, out } => {
                let [inputs, weight, bias] = [inputs, weight, bias].map(|tensor| self.panels(*tensor));
                class_energies(self.isa, inputs, weight, bias, self.panels(*out), share);
            }
            Op::Exchange { parity, .. } if step.counter % 2 != *parity => {}
            Op::Exchange { chains, bias, difference, stream, .. } => {
                let chains = chains.map(|Replica { visible, inputs, hidden }| Chain {
                    visible: self.panels(visible),
                    inputs: self.panels(inputs),
                    hidden: self.panels(hidden),
                });
                let job = Exchange { chains, bias: self.panels(*bias), difference: *difference, stream: *stream };
                exchange(self.isa, &job, step, share);
            }
            Op::Combine { x, y, factors, out } => {
                let factors = match *factors {
                    Factors::Step => (step.alpha, step.beta),
                    Factors::Fixed(alpha, beta) => (alpha, beta),
                };
                combine(self.isa, self.values(*x), self.values(*y), factors, self.values(*out), share);
            }
            Op::Dot { x, y } => dot(self.isa, self.values(*x), self.values(*y), metrics.0, metrics.1, share),
        }
    }
}
