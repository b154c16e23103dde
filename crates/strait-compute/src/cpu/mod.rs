//! The CPU back end: long-lived workers that replay a program together.
//!
//! Each operation's work is split into units that do not depend on the number of workers, so that the results do not
//! either; the workers meet at a barrier before an operation that touches what one since the last barrier wrote.

mod binary;
mod block;
mod chains;
mod dictionary;
mod exclusive;
mod gradient;
mod half_product;
mod halves;
mod isa;
mod latent;
mod linear;
mod math;
mod multiplier;
mod noise;
mod pack;
mod plan;
mod present;
mod product;
mod random;
mod rows;
mod sparsity;
mod storage;
mod tile;
mod vector;
mod windows;
mod workers;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::Arc;
use std::time::{Duration, Instant};

use binary::Lookups;
use chains::{Chain, Exchange, exchange};
use dictionary::{max_norm, shrink, threshold};
use exclusive::{Softmax, class_energies, softmax};
use gradient::{Destination, Gradient, Plus, gradient, half_gradient};
use half_product::HalfProduct;
pub use isa::Isa;
use latent::{Latent, reparameterize, reparameterize_backward};
use linear::{Backprop, Linear, backprop, half_backprop, half_linear, linear};
use noise::corrupt;
use pack::pack;
use plan::{Copied, Plan, Work, products, weight};
use rows::{Columns, Data, Loss, copy_columns, gather, loss, row_sums, scatter};
use sparsity::{Penalty, Sparsity, column_means, contraction, penalty, top_k};
use storage::{Panels, Shared, Storage, Values, WIDTH};
use vector::{combine, dot, standardize};
use windows::{Folded, fold, shared_bias, unfold};
use workers::{Counters, Taking, Workers};

use crate::backend::{Indices, check_read, check_shared, check_steps, check_tensor, check_write};
use crate::op::{Addend, Factors, FoldTail, Op, PenaltyKind, Update};
use crate::{
    Backend, Buffer, Control, Error, Execution, Hardware, Kind, Metrics, Operands, Precision, Program, Replica, Result,
    Routine, RoutineId, Step, Tensor,
};

/// Steps between two looks at the stop flag.
const SLICE: usize = 50;

/// The CPU back end.
pub struct Cpu {
    isa: Isa,
    workers: Arc<Workers>,
}

impl Cpu {
    /// One worker for each core that this process may use.
    ///
    /// # Errors
    /// [`Error::Workers`] if the threads cannot be started.
    pub fn new() -> Result<Self> {
        Self::with_threads(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// That many workers, at least one.
    ///
    /// # Errors
    /// [`Error::Workers`] if the threads cannot be started.
    pub fn with_threads(threads: usize) -> Result<Self> {
        Ok(Self { isa: Isa::detect(), workers: Arc::new(Workers::new(threads.max(1))?) })
    }

    /// The same workers with another instruction set than the best.
    ///
    /// # Errors
    /// [`Error::Isa`] if this processor does not have it.
    pub fn with_isa(self, isa: Isa) -> Result<Self> {
        if Isa::available().contains(&isa) { Ok(Self { isa, ..self }) } else { Err(Error::Isa(isa.name())) }
    }
}

impl Backend for Cpu {
    fn hardware(&self) -> Hardware {
        Hardware::Cpu
    }

    fn describe(&self) -> String {
        let threads = self.workers.count();
        format!("CPU, {}, {threads} thread{}", self.isa.name(), if threads == 1 { "" } else { "s" })
    }

    fn operands(&self, precision: Precision) -> Operands {
        match precision {
            Precision::F32 => Operands::F32,
            Precision::Mixed => Operands::Bf16,
            Precision::Split => Operands::TwoBf16,
        }
    }

    fn fastest(&self) -> Precision {
        if self.isa.has_halves() { Precision::Mixed } else { Precision::F32 }
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>> {
        check_shared(&program, shared)?;
        let mut storage = Vec::with_capacity(program.tensors.len());
        for declared in &program.tensors {
            let (tensor, name) = (declared.tensor, &*declared.name);
            let given = shared.iter().find(|(shared, _)| *shared == tensor);
            storage.push(match given {
                Some((_, buffer)) => match buffer.contents.downcast_ref::<Owned>() {
                    Some(owned) if Arc::ptr_eq(&owned.workers, &self.workers) => owned.storage.clone(),
                    _ => {
                        let message = "the shared buffer lives on another device".to_owned();
                        return Err(Error::Tensor { tensor: name.to_owned(), message });
                    }
                },
                None => Arc::new(allocate(tensor, name)?),
            });
        }
        let Program { tensors, routines } = program;
        let mut run = Run {
            isa: self.isa,
            workers: self.workers.clone(),
            program: Program { tensors, routines: Vec::new() },
            storage,
            plans: Vec::new(),
            indices: Indices::default(),
        };
        for routine in routines {
            run.add(routine)?;
        }
        Ok(Box::new(run))
    }
}

fn allocate(tensor: Tensor, name: &str) -> Result<Storage> {
    Ok(match tensor.kind {
        Kind::Values => Storage::Values(Values::new(tensor.rows, tensor.cols, name)?),
        Kind::Bytes => Storage::Bytes(Shared::new(0, tensor.len(), name)?),
        Kind::Rows => Storage::Rows(Shared::new(0.0, tensor.len(), name)?),
        Kind::Index => Storage::Index(Shared::new(0, tensor.len(), name)?),
    })
}

/// A shared tensor, with the workers that alone may touch it: they run one job at a time.
struct Owned {
    workers: Arc<Workers>,
    storage: Arc<Storage>,
}

struct Run {
    isa: Isa,
    workers: Arc<Workers>,
    program: Program,
    storage: Vec<Arc<Storage>>,
    plans: Vec<Plan>,
    indices: Indices,
}

impl Run {
    /// Makes room for the copies that the routine's operations read, and brings those of weights up to date.
    fn keep_copies(&self, routine: &Routine) -> Result<()> {
        let precision = routine.precision();
        for op in routine.ops() {
            for (left, right) in products(op, precision).into_iter().flatten() {
                for Copied { tensor, layout, .. } in [left, right] {
                    let (values, name) = (self.values(tensor), self.program.name(tensor));
                    values.halves.make(&values.panels, layout, precision == Precision::Split, name)?;
                }
            }
            let transposed = matches!(op, Op::Linear { transposed: true, .. } | Op::Backprop { transposed: false, .. });
            if let Some(weight) = weight(op) {
                let values = self.values(weight);
                if transposed && precision == Precision::F32 && values.transposed.get().is_none() {
                    // Should another thread be quicker, its copy stays.
                    let _ = values.transposed.set(Panels::new(weight.cols, weight.rows, self.program.name(weight))?);
                }
                let _pause = self.workers.pause();
                // SAFETY: the pause keeps jobs from running.
                unsafe { values.renew_all() };
            }
        }
        Ok(())
    }

    fn values(&self, tensor: Tensor) -> &Values {
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
    fn perform(&self, work: &Work, routine: &Routine, step: &Step, metrics: (&Shared<f32>, usize), share: Taking<'_>) {
        match work {
            Work::Operation(number, lookups) => {
                let op = &routine.ops()[*number];
                self.execute(op, lookups.as_ref(), routine.precision(), step, metrics, share);
            }
            Work::Pack(copies) => pack(self.isa, copies, &self.storage, step, share),
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

impl Execution for Run {
    fn program(&self) -> &Program {
        &self.program
    }

    fn add(&mut self, routine: Routine) -> Result<RoutineId> {
        self.indices.admit(&self.program, &routine)?;
        self.keep_copies(&routine)?;
        self.plans.push(Plan::new(&self.program, &routine)?);
        Ok(self.program.add(routine))
    }

    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Values, Kind::Rows], values.len())?;
        let _pause = self.workers.pause();
        match &*self.storage[tensor.id] {
            Storage::Values(to) => {
                // SAFETY: the pause keeps jobs away, and this is the only access.
                unsafe { to.panels.write(values) };
                // SAFETY: as above.
                unsafe { to.renew_all() };
            }
            // SAFETY: the pause keeps jobs away, and this is the only access.
            Storage::Rows(to) => unsafe { to.slice_mut(0..to.len()) }.copy_from_slice(values),
            _ => {}
        }
        Ok(())
    }

    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Bytes], values.len())?;
        let _pause = self.workers.pause();
        if let Storage::Bytes(to) = &*self.storage[tensor.id] {
            // SAFETY: the pause keeps jobs away, and this is the only access.
            unsafe { to.slice_mut(0..to.len()) }.copy_from_slice(values);
        }
        Ok(())
    }

    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()> {
        self.indices.write(&self.program, tensor, values)?;
        let _pause = self.workers.pause();
        if let Storage::Index(to) = &*self.storage[tensor.id] {
            // SAFETY: the pause keeps jobs away, and this is the only access.
            unsafe { to.slice_mut(0..to.len()) }.copy_from_slice(values);
        }
        Ok(())
    }

    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        check_read(&self.program, tensor)?;
        let _pause = self.workers.pause();
        match &*self.storage[tensor.id] {
            // SAFETY: the pause keeps jobs away.
            Storage::Values(values) => Ok(unsafe { values.panels.read() }),
            // SAFETY: the pause keeps jobs away.
            Storage::Rows(rows) => Ok(unsafe { rows.slice(0..rows.len()) }.to_vec()),
            _ => unreachable!("bytes and indices are not read back"),
        }
    }

    fn share(&self, tensor: Tensor) -> Result<Buffer> {
        check_tensor(&self.program, tensor)?;
        let owned = Owned { workers: self.workers.clone(), storage: self.storage[tensor.id].clone() };
        Ok(Buffer { contents: Arc::new(owned), tensor })
    }

    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics> {
        let plan = &self.plans[routine.0];
        let routine = self.program.routine(routine);
        check_steps(routine, steps)?;
        let width = routine.metrics();
        let raw = Shared::new(0.0, width * steps.len(), "metrics")?;
        for (slice, steps) in steps.chunks(SLICE).enumerate() {
            let first = slice * SLICE;
            if control(first).is_break() {
                return Err(Error::Stopped { steps: first });
            }
            plan.reset(0);
            self.workers.run(&|worker| {
                for (number, step) in steps.iter().enumerate() {
                    let mut metric = (first + number) * width;
                    if worker.index == 0 {
                        plan.reset(number + 1);
                    }
                    for planned in &plan.works {
                        if planned.meet {
                            worker.meet();
                        }
                        let taking = Taking { worker, counters: &planned.counters[number % 2] };
                        self.perform(&planned.work, routine, step, (&raw, metric), taking);
                        metric += planned.metrics(routine);
                    }
                    worker.meet();
                }
            });
        }
        // SAFETY: the jobs have ended, and nobody else knows this memory.
        Ok(Metrics::collect(routine, steps, unsafe { raw.slice(0..raw.len()) }))
    }

    fn profile(&mut self, routine: RoutineId, step: &Step) -> Result<Option<Vec<Duration>>> {
        let plan = &self.plans[routine.0];
        let routine = self.program.routine(routine);
        check_steps(routine, std::slice::from_ref(step))?;
        let raw = Shared::new(0.0, routine.metrics(), "metrics")?;
        let (mut times, mut metric, mut packing) = (Vec::new(), 0, Duration::ZERO);
        for planned in &plan.works {
            let start = Instant::now();
            let counters = Counters::default();
            self.workers.run(&|worker| {
                let taking = Taking { worker, counters: &counters };
                self.perform(&planned.work, routine, step, (&raw, metric), taking);
            });
            // Copies count to the operation that wants them first.
            match planned.work {
                Work::Pack(_) => packing = start.elapsed(),
                Work::Operation(..) => times.push(std::mem::take(&mut packing) + start.elapsed()),
            }
            metric += planned.metrics(routine);
        }
        Ok(Some(times))
    }
}
