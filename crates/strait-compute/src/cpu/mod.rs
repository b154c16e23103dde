//! The CPU back end: long-lived workers that replay a program together.
//!
//! Each operation's work is split into units that do not depend on the number of workers, so that the results do not
//! either; the workers meet at a barrier before an operation that touches what one since the last barrier wrote.

mod backprop;
mod batch_largest;
mod bf16;
mod bf16_product;
mod binary;
mod block;
mod by_column;
mod candidates;
mod class_energies;
mod column_means;
mod combine;
mod compile;
mod contraction;
mod copy_columns;
mod copy_rows;
mod corrupt;
mod dot;
mod exchange;
mod fold;
mod gather;
mod gradient;
mod isa;
mod jump_relu;
mod kernel;
mod lanes;
mod largest;
mod layers;
mod linear;
mod loss;
mod math;
mod matmul;
mod max_norm;
mod multiplier;
#[cfg(target_arch = "aarch64")]
mod neon;
mod nonzero;
mod pack;
mod panels;
mod penalty;
mod plan;
mod product;
mod random;
mod recurrence;
mod recurrence_backward;
mod reparameterize;
mod reparameterize_backward;
mod row_sums;
mod run;
mod scatter;
mod sequence;
mod shared_bias;
mod shrink;
mod slope;
mod softmax;
mod sparse_backprop;
mod sparse_gradient;
mod sparse_linear;
mod standardize;
mod storage;
mod strips;
mod threshold;
mod tile;
mod tiling;
mod top_k;
mod truncate;
mod unfold;
mod unused_bias;
mod update;
mod windows;
mod workers;
#[cfg(target_arch = "x86_64")]
mod x86;

use bf16_product::Bf16Product;
use lanes::WIDTH;
use panels::{Panels, StepMetrics};
use plan::{Copy16, Work};
use run::Run;
use storage::{Storage, Values};
use update::Destination;
use workers::Taking;

use crate::op::{Addend, Factors, FoldTail, Op, PenaltyKind, Update};
use crate::{Along, ByColumn, Cell, Precision, Replica, Routine, SparseRows, Start, Step, Tensor, Trace};

pub use isa::Isa;
pub use run::Cpu;

impl Run {
    fn values(&self, tensor: Tensor) -> &Values {
        match &*self.storage[tensor.id] {
            Storage::Values(values) => values,
            _ => unreachable!("operations are checked for kinds when they are recorded"),
        }
    }

    fn panels(&self, tensor: Tensor) -> &Panels {
        &self.values(tensor).panels
    }

    /// A weight, or its transposed copy.
    fn weight(&self, tensor: Tensor, transposed: bool) -> &Panels {
        let values = self.values(tensor);
        let copy = || values.transposed.get().unwrap_or_else(|| unreachable!("`keep_copies` has made it"));
        if transposed { copy() } else { &values.panels }
    }

    fn destination(&self, update: Update) -> Destination<'_> {
        match update {
            Update::Store { gradient } => Destination::Store(self.values(gradient)),
            Update::Momentum { parameter, velocity } => {
                Destination::Momentum(self.values(parameter), self.values(velocity))
            }
            Update::Adam { parameter, first, second } => {
                Destination::Adam(self.values(parameter), self.values(first), self.values(second))
            }
        }
    }

    fn entries(&self, rows: SparseRows) -> largest::Entries<'_> {
        largest::Entries { values: self.panels(rows.values), columns: self.panels(rows.columns) }
    }

    fn order(&self, order: ByColumn) -> by_column::Order<'_> {
        by_column::Order { starts: self.panels(order.starts), entries: self.panels(order.entries) }
    }

    fn trace(&self, trace: Trace) -> sequence::Trace<'_> {
        let [gates, cells, previous] = [trace.gates, trace.cells, trace.previous].map(|it| self.panels(it));
        sequence::Trace { gates, cells, previous }
    }

    fn sequence(
        &self,
        (cell, steps, reversed): (Cell, usize, bool),
        lengths: Option<Tensor>,
        memory: Tensor,
        weight: Tensor,
    ) -> sequence::Sequence<'_> {
        let (lengths, memory) = (lengths.map(|lengths| self.panels(lengths)), self.panels(memory));
        sequence::Sequence { cell, steps, reversed, lengths, memory, units: weight.rows }
    }

    /// The sum of products of these copies.
    fn bf16_product(&self, products: &[[Copy16; 2]], precision: Precision, step: &Step) -> Option<Bf16Product<'_>> {
        let copy = |copy: Copy16| self.values(copy.tensor).bf16.get(copy.layout);
        let [left, right] = products.first()?;
        // Products over the rows of a minibatch leave out those that are not in use.
        let used = step.rows as usize * left.positions;
        let (rows, inner) =
            if left.layout.transposed() { (left.tensor.cols, used) } else { (left.tensor.rows, left.tensor.cols) };
        let cols = if right.layout.transposed() { right.tensor.rows } else { right.tensor.cols };
        let product = Bf16Product::new(rows, cols.div_ceil(WIDTH), inner);
        Some(products.iter().fold(product, |sum, &[left, right]| sum.plus(copy(left), copy(right), precision)))
    }

    /// One worker's part of a piece of work.
    fn perform(&self, work: &Work, routine: &Routine, step: &Step, metrics: StepMetrics<'_>, share: Taking<'_>) {
        let (isa, precision) = (self.isa, routine.precision());
        let of = |tensor: Tensor| self.panels(tensor);
        let (number, products, lookups) = match work {
            Work::Pack(copies) => return pack::pack(isa, copies, pack::units(copies), &self.storage, step, share),
            Work::Operation { number, products, lookups } => (*number, products, lookups.as_ref()),
        };
        let matmul = self.bf16_product(products, precision, step);
        match routine.ops()[number] {
            Op::Gather { data, index, first, shift, out } => {
                let index = index.map(|index| match &*self.storage[index.id] {
                    Storage::Index(index) => index,
                    _ => unreachable!("operations are checked for kinds when they are recorded"),
                });
                let source = match &*self.storage[data.id] {
                    Storage::Bytes(data) => gather::Data::Bytes(data),
                    Storage::Rows(data) => gather::Data::Rows(data),
                    _ => unreachable!("operations are checked for kinds when they are recorded"),
                };
                let columns = gather::Columns { first, of: data.cols };
                gather::run(&source, index, columns, shift, of(out), step, share);
            }
            Op::Scatter { input, data } => {
                if let Storage::Rows(data) = &*self.storage[data.id] {
                    scatter::run(of(input), data, step, share);
                }
            }
            Op::CopyColumns { input, first, out, to, columns } => {
                copy_columns::run((of(input), first), (of(out), to), columns, share);
            }
            Op::CopyRows { input, out } => {
                let [from, to] = [input, out].map(|rows| (of(rows.tensor), rows.first, rows.every));
                copy_rows::run(from, to, out.count(), share);
            }
            Op::Linear { input, weight, transposed, bias, activation, out, sample } => {
                let sample = sample.map(|sample| (sample.sampling, sample.stream, of(sample.out)));
                let job = linear::Linear { bias: of(bias), activation, out: of(out), sample };
                match matmul {
                    Some(matmul) => linear::run_bf16(isa, &job, &matmul, step, share),
                    None => {
                        let weight = self.weight(weight, transposed);
                        linear::run(isa, &job, of(input), lookups, weight, step, share);
                    }
                }
            }
            Op::Backprop { delta, weight, transposed, output, activation, out } => {
                let job = backprop::Backprop { output: of(output), activation, out: of(out) };
                match matmul {
                    Some(matmul) => backprop::run_bf16(isa, &job, &matmul, share),
                    None => backprop::run(isa, &job, of(delta), self.weight(weight, !transposed), share),
                }
            }
            Op::Gradient { positive, negative, weight, bias, input_bias, plus, positions, scale } => {
                let pair = |(a, b): (Tensor, Tensor)| (of(a), of(b));
                let job = gradient::Gradient {
                    positive: pair(positive),
                    negative: negative.map(pair),
                    weight: self.destination(weight),
                    bias: bias.map(|update| self.destination(update)),
                    input_bias: input_bias.map(|update| self.destination(update)),
                    plus: plus.map(|plus| match plus {
                        Addend::Decay { weight, costs } => gradient::Plus::Decay(of(weight), of(costs)),
                        Addend::Gradient(gradient) => gradient::Plus::Gradient(of(gradient)),
                    }),
                    positions,
                    scale,
                };
                match matmul {
                    Some(matmul) => gradient::run_bf16(isa, &job, &matmul, step, share),
                    None => gradient::run(isa, &job, step, share),
                }
            }
            Op::Update { gradient, update, decays } => {
                let cost = if decays { step.weight_cost } else { 0.0 };
                update::run(isa, of(gradient), self.destination(update), cost, step, share);
            }
            Op::Unfold { input, window, out } => unfold::run(isa, of(input), &window, of(out), share),
            Op::Fold { input, window, tail, out } => {
                let tail = match tail {
                    FoldTail::Sum => fold::Tail::Sum,
                    FoldTail::Layer { bias, activation } => fold::Tail::Layer(of(bias), activation),
                    FoldTail::Backprop { output, activation } => fold::Tail::Backprop(of(output), activation),
                };
                fold::run(isa, of(input), &window, tail, of(out), share);
            }
            Op::SharedBias { delta, bias } => {
                shared_bias::run(isa, of(delta), bias.target().cols, self.destination(bias), step, share);
            }
            Op::Loss { kind, input, target, output, delta } => {
                let (output, delta) = (output.map(of), delta.map(of));
                let job = loss::Loss { kind, input: of(input), target: of(target), output, delta, metrics };
                loss::run(isa, &job, step, share);
            }
            Op::Corrupt { input, noise, stream, out } => {
                corrupt::run(isa, of(input), noise, stream, of(out), step, share);
            }
            Op::TopK { input, k, out } => top_k::run(isa, of(input), k, of(out), share),
            Op::Largest { input, out } => match (layers::before(&self.program, routine, number), matmul) {
                (None, _) => largest::run(isa, of(input), self.entries(out), share),
                (Some(layer), Some(matmul)) => {
                    largest::run_layer_bf16(isa, &matmul, of(layer.bias), self.entries(out), share);
                }
                (Some(layer), None) => {
                    let weight = self.weight(layer.weight, layer.transposed);
                    largest::run_layer(isa, of(layer.input), weight, of(layer.bias), self.entries(out), share);
                }
            },
            Op::BatchLargest { input, threshold, k, rate, out } => {
                batch_largest::run(of(input), of(threshold), k, rate, of(out), step, share);
            }
            Op::JumpRelu { input, threshold, out } => jump_relu::run(isa, of(input), of(threshold), of(out), share),
            Op::JumpReluBias { bias, threshold, bandwidth, out } => {
                jump_relu::run_bias(isa, of(bias), of(threshold), bandwidth, of(out), share);
            }
            Op::JumpReluListed { input, threshold, bandwidth, out, active } => {
                let to = [of(out), of(active)];
                jump_relu::run_listed(self.entries(input), of(threshold), bandwidth, to, step, share);
            }
            Op::JumpReluBackward { input, order, threshold, active, straight, derivatives, gradient } => {
                let (input, order, threshold, active) = (of(input), self.order(order), of(threshold), of(active));
                let (derivatives, gradient) = (of(derivatives), of(gradient));
                let job = jump_relu::Backward { input, order, threshold, active, straight, derivatives, gradient };
                jump_relu::run_backward(&job, step, share);
            }
            Op::SparseLinear { input, weight, bias, activation, out } => {
                let (input, bias, out) = (self.entries(input), of(bias), of(out));
                sparse_linear::run(
                    isa,
                    &sparse_linear::SparseLinear { input, bias, activation, out },
                    of(weight),
                    share,
                );
            }
            Op::SparseBackprop { delta, weight, input, out } => {
                let job =
                    sparse_backprop::SparseBackprop { delta: of(delta), input: self.entries(input), out: of(out) };
                sparse_backprop::run(isa, &job, of(weight), share);
            }
            Op::ByColumn { rows, out } => by_column::run(self.entries(rows), self.order(out), step, share),
            Op::UnusedBias { order, bias, since, limit, out } => {
                unused_bias::run(self.order(order), of(bias), of(since), limit, of(out), step, share);
            }
            Op::SparseGradient { values, order, dense, transposed, weight, bias, along } => {
                let job = sparse_gradient::SparseGradient {
                    values: of(values),
                    order: self.order(order),
                    dense: of(dense),
                    weight: self.destination(weight),
                    bias: bias.map(|update| self.destination(update)),
                    along: along.map(|Along { derivatives, weight }| (of(derivatives), of(weight))),
                };
                sparse_gradient::run(isa, &job, transposed, step, share);
            }
            Op::Truncate { input, lengths, each, beyond, out } => {
                truncate::run(isa, of(input), of(lengths), each, beyond, of(out), share);
            }
            Op::ColumnMeans { input, times, out } => {
                column_means::run(isa, of(input), times.map(of), of(out), step, share);
            }
            Op::Penalty { kind, output, activation, delta } => {
                let kind = match kind {
                    PenaltyKind::L1 { weight } => penalty::Kind::L1 { weight },
                    PenaltyKind::Sparsity { weight, target, means } => {
                        penalty::Kind::Sparsity { weight, target, means: of(means) }
                    }
                    PenaltyKind::Contractive { weight, squares } => {
                        penalty::Kind::Contractive { weight, squares: of(squares) }
                    }
                };
                let job = penalty::Penalty { kind, output: of(output), activation, delta: of(delta), metrics };
                penalty::run(isa, &job, step, share);
            }
            Op::Contraction { weight, output, activation, penalty, squares, costs } => {
                let layer = (of(weight), of(output), activation);
                contraction::run(isa, layer, penalty, of(squares), of(costs), step, share);
            }
            Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                let others = [overlap, correlation, prediction].map(of);
                shrink::run(isa, of(code), others, shrinkage, of(out), share);
            }
            Op::RowSums { input, columns } => {
                row_sums::run(isa, of(input), columns.map(of), metrics, step, share);
            }
            Op::MaxNorm { weight, norm, rows, exact } => {
                max_norm::run(isa, self.values(weight), norm, rows, exact, share)
            }
            Op::Reparameterize { moments, kl_weight, stream, noise, out } => {
                let latent = reparameterize::Latent { moments: of(moments), kl_weight, noise: of(noise) };
                reparameterize::run(isa, &latent, stream, of(out), metrics, step, share);
            }
            Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out } => {
                let latent = reparameterize::Latent { moments: of(moments), kl_weight, noise: of(noise) };
                reparameterize_backward::run(isa, &latent, of(delta), of(out), step, share);
            }
            Op::Softmax { input, groups, scale, given, out, states } => {
                let states = states.map(|states| (of(states.out), states.stream));
                let (input, given, out) = (of(input), given.map(of), of(out));
                softmax::run(isa, &softmax::Softmax { input, groups, scale, given, out, states }, step, share);
            }
            Op::Threshold { weight, threshold } => threshold::run(isa, self.values(weight), threshold, share),
            Op::Standardize { input, shift, scale, out } => {
                standardize::run(isa, of(input), shift.map(of), scale.map(of), of(out), share);
            }
            Op::ClassEnergies { inputs, weight, bias, out } => {
                class_energies::run(isa, of(inputs), of(weight), of(bias), of(out), share);
            }
            Op::Exchange { chains, bias, difference, parity, stream } => {
                let chains = chains.map(|Replica { visible, inputs, hidden }| exchange::Chain {
                    visible: of(visible),
                    inputs: of(inputs),
                    hidden: of(hidden),
                });
                if step.counter % 2 == parity {
                    let job = exchange::Exchange { chains, bias: of(bias), difference, stream };
                    exchange::run(isa, &job, step, share);
                }
            }
            Op::Combine { x, y, factors, out } => {
                let factors = match factors {
                    Factors::Step => (step.alpha, step.beta),
                    Factors::Fixed(alpha, beta) => (alpha, beta),
                };
                combine::run(isa, self.values(x), self.values(y), factors, self.values(out), share);
            }
            Op::Product { x, y, out } => product::run(isa, of(x), of(y), of(out), share),
            Op::Slope { delta, output, activation, out } => {
                slope::run(isa, of(delta), of(output), activation, of(out), share);
            }
            Op::Recurrence {
                cell,
                steps,
                reversed,
                start,
                inputs,
                constant,
                weight,
                bias,
                lengths,
                memory,
                trace,
                out,
            } => {
                let job = recurrence::Recurrence {
                    sequence: self.sequence((cell, steps, reversed), lengths, memory, weight),
                    start: match start {
                        Start::Nothing => recurrence::Start::Nothing,
                        Start::States(states) => recurrence::Start::States(of(states)),
                        Start::Memory => recurrence::Start::Memory,
                    },
                    below: sequence::Below { inputs: inputs.map(of), constant: constant.map(of) },
                    bias: of(bias),
                    trace: trace.map(|trace| self.trace(trace)),
                    out: out.map(of),
                };
                recurrence::run(isa, &job, of(weight), share);
            }
            Op::RecurrenceBackward {
                cell,
                steps,
                reversed,
                delta,
                weight,
                lengths,
                memory,
                trace,
                inputs,
                constant,
            } => {
                let job = recurrence_backward::Backward {
                    sequence: self.sequence((cell, steps, reversed), lengths, memory, weight),
                    delta: of(delta),
                    trace: self.trace(trace),
                    below: sequence::Below { inputs: inputs.map(of), constant: constant.map(of) },
                };
                recurrence_backward::run(isa, &job, self.weight(weight, true), share);
            }
            Op::Dot { x, y } => dot::run(isa, self.values(x), self.values(y), metrics, share),
        }
    }
}
