//! Operations on given shapes: what the conformance test compares and the benchmarks time.

use strait_compute::philox::Stream;
use strait_compute::{
    Activation, Execution, Kind, LossKind, Op, Precision, Program, Routine, RoutineId, Sample, Sampling, Step, Tensor,
    Update,
};

/// One program with one routine to run on the oracle and on a back end.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) program: Program,
    pub(crate) routine: RoutineId,
    pub(crate) steps: Vec<Step>,
    pub(crate) tensors: Vec<Tensor>,
}

impl Case {
    /// The same with its products in another precision.
    pub(crate) fn in_precision(mut self, precision: Precision) -> Self {
        let routine = self.program.routine(self.routine).clone().in_precision(precision);
        self.routine = self.program.add(routine);
        self.name = format!("{} {}", precision.name(), self.name);
        self
    }
}

/// Collects a case's tensors.
pub(crate) struct Builder {
    pub(crate) program: Program,
    tensors: Vec<Tensor>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { program: Program::default(), tensors: Vec::new() }
    }

    pub(crate) fn tensor(&mut self, name: &str, rows: usize, cols: usize, kind: Kind) -> Tensor {
        // What each is for is seen when all operations are known.
        let tensor = match kind {
            Kind::Values => self.program.value(name, rows, cols),
            kind => self.program.data(name, rows, cols, kind),
        };
        self.tensors.push(tensor);
        tensor
    }

    pub(crate) fn values(&mut self, name: &str, rows: usize, cols: usize) -> Tensor {
        self.tensor(name, rows, cols, Kind::Values)
    }

    pub(crate) fn finish(mut self, name: String, ops: Vec<Op>, steps: Vec<Step>) -> Case {
        let mut routine = Routine::new(name.clone());
        for op in ops {
            routine.push(op).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        self.program.infer_roles(&routine);
        let routine = self.program.add(routine);
        Case { name, program: self.program, routine, steps, tensors: self.tensors }
    }

    pub(crate) fn update(&mut self, kind: usize, name: &str, rows: usize, cols: usize) -> Update {
        match kind {
            0 => Update::Store { gradient: self.values(&format!("{name} gradient"), rows, cols) },
            1 => Update::Momentum {
                parameter: self.values(name, rows, cols),
                velocity: self.values(&format!("{name} velocity"), rows, cols),
            },
            _ => Update::Adam {
                parameter: self.values(name, rows, cols),
                first: self.values(&format!("{name} first"), rows, cols),
                second: self.values(&format!("{name} second"), rows, cols),
            },
        }
    }
}

pub(crate) fn step(rows: usize) -> Step {
    Step {
        rows: rows as u32,
        counter: 5,
        learning_rate: 0.05,
        momentum: 0.8,
        beta2: 0.95,
        weight_cost: 0.01,
        correction1: 1.7,
        correction2: 2.5,
        alpha: 0.7,
        beta: -1.3,
        ..Step::seeded(0x1234_5678_9abc_def0)
    }
}

/// The layers of the paper's MNIST autoencoder, (inputs, units).
pub(crate) const PAPER: [(usize, usize); 4] = [(784, 1000), (1000, 500), (500, 250), (250, 30)];

/// Every product of training with its tails at the shape of a layer.
pub(crate) fn layer(batch: usize, inputs: usize, units: usize) -> Vec<Case> {
    let logistic = Activation::Logistic;
    vec![
        linear(batch, inputs, units, false, logistic, None),
        linear(batch, inputs, units, false, logistic, Some(Sampling::Bernoulli)),
        linear(batch, units, inputs, true, logistic, None),
        backprop(batch, inputs, units, false, logistic),
        gradient(batch, inputs, units, 0, false, batch),
        gradient(batch, inputs, units, 2, false, batch),
        gradient(batch, inputs, units, 1, true, batch),
    ]
}

/// What goes row by row at the size of an image.
pub(crate) fn by_row(batch: usize, width: usize) -> Vec<Case> {
    let mut b = Builder::new();
    let data = b.tensor("data", 2 * batch, width, Kind::Bytes);
    let index = Some(b.tensor("index", 1, 2 * batch, Kind::Index));
    let out = b.values("x", batch, width);
    let gather = Op::Gather { data, index, first: 0, shift: None, out };
    vec![
        b.finish(format!("gather {batch}x{width}"), vec![gather], vec![step(batch)]),
        loss(batch, width, LossKind::CrossEntropy, batch, [true; 2]),
    ]
}

pub(crate) fn linear(
    batch: usize,
    inner: usize,
    cols: usize,
    turned: bool,
    act: Activation,
    sampling: Option<Sampling>,
) -> Case {
    let mut b = Builder::new();
    let input = b.values("x", batch, inner);
    let weight = if turned { b.values("w", cols, inner) } else { b.values("w", inner, cols) };
    let bias = b.values("b", 1, cols);
    let out = b.values("y", batch, cols);
    let sample = sampling.map(|sampling| Sample { sampling, out: b.values("s", batch, cols), stream: 3 });
    let op = Op::Linear { input, weight, transposed: turned, bias, activation: act, out, sample };
    let name = format!("linear {batch}x{inner}x{cols} transposed={turned} {} {sampling:?}", act.name());
    b.finish(name, vec![op], vec![step(batch)])
}

pub(crate) fn backprop(batch: usize, inner: usize, cols: usize, turned: bool, activation: Activation) -> Case {
    let mut b = Builder::new();
    let delta = b.values("delta", batch, cols);
    let weight = if turned { b.values("w", cols, inner) } else { b.values("w", inner, cols) };
    let output = b.values("y", batch, inner);
    let out = b.values("dx", batch, inner);
    let op = Op::Backprop { delta, weight, transposed: turned, output, activation, out };
    b.finish(
        format!("backprop {batch}x{inner}x{cols} transposed={turned} {}", activation.name()),
        vec![op],
        vec![step(batch)],
    )
}

pub(crate) fn gradient(batch: usize, inner: usize, cols: usize, kind: usize, contrastive: bool, active: usize) -> Case {
    let mut b = Builder::new();
    let positive = (b.values("x", batch, inner), b.values("d", batch, cols));
    let negative = contrastive.then(|| (b.values("v1", batch, inner), b.values("h1", batch, cols)));
    let weight = b.update(kind, "w", inner, cols);
    let bias = Some(b.update(kind, "b", 1, cols));
    let input_bias = contrastive.then(|| b.update(kind, "a", 1, inner));
    let scale = if contrastive { 0.3 } else { 1.0 };
    let op = Op::Gradient { positive, negative, weight, bias, input_bias, plus: None, positions: 1, scale };
    let name = format!("gradient {batch}({active})x{inner}x{cols} update {kind} contrastive={contrastive}");
    b.finish(name, vec![op], vec![step(active), step(active)])
}

/// A loss; `wanted` are its outputs and its derivatives.
pub(crate) fn loss(batch: usize, cols: usize, kind: LossKind, active: usize, wanted: [bool; 2]) -> Case {
    let mut b = Builder::new();
    let input = b.values("z", batch, cols);
    let target = b.values("target", batch, cols);
    let output = wanted[0].then(|| b.values("p", batch, cols));
    let delta = wanted[1].then(|| b.values("delta", batch, cols));
    let op = Op::Loss { kind, input, target, output, delta };
    b.finish(format!("loss {batch}({active})x{cols} {kind:?} wanted={wanted:?}"), vec![op], vec![step(active)])
}

fn inputs_of(case: &Case) -> Vec<Tensor> {
    let (mut inputs, mut written): (Vec<Tensor>, Vec<Tensor>) = (Vec::new(), Vec::new());
    for op in case.program.routine(case.routine).ops() {
        let (reads, writes) = op.tensors();
        inputs.extend(reads.into_iter().filter(|tensor| !written.contains(tensor)));
        written.extend(writes);
    }
    inputs
}

/// Fills the tensors that the routine reads before it writes them with random numbers, all others with NaN.
pub(crate) fn fill(execution: &mut dyn Execution, case: &Case) {
    let inputs = inputs_of(case);
    for (number, &tensor) in case.tensors.iter().enumerate() {
        fill_tensor(execution, case, tensor, number, inputs.contains(&tensor));
    }
}

fn fill_tensor(execution: &mut dyn Execution, case: &Case, tensor: Tensor, number: usize, input: bool) {
    let mut stream = Stream::new(17, number as u32);
    let name = case.program.name(tensor);
    let result = match tensor.kind {
        Kind::Bytes => {
            let bytes: Vec<u8> = (0..tensor.len()).map(|_| stream.next_word() as u8).collect();
            execution.write_bytes(tensor, &bytes)
        }
        Kind::Index => execution.write_index(tensor, &stream.permutation(tensor.len())),
        Kind::Values | Kind::Rows => {
            // Second moments are not negative, targets are probabilities. Of images, whole patches are zero, in images that
            // follow each other.
            let draw = |stream: &mut Stream, row: usize, col: usize| match name {
                _ if !input => f32::NAN,
                "images" if !(row / 9 + col / 20).is_multiple_of(3) => 0.0,
                "images" => (stream.next_word() >> 24).saturating_sub(128) as f32 / 127.0,
                "infinite" if (row * tensor.cols + col).is_multiple_of(97) => f32::INFINITY,
                "bits" => (stream.next_word() >> 31) as f32,
                "bits and a half" if (row + 1, col + 1) == (tensor.rows, tensor.cols) => 0.5,
                "bits and a half" => (stream.next_word() >> 31) as f32,
                _ if name.contains("second") => stream.next_normal().abs(),
                // How often units were given: mostly not at all.
                "given" => (stream.next_word() >> 29).saturating_sub(5) as f32,
                "target" => stream.next_word() as f32 / u32::MAX as f32,
                _ => 0.5 * stream.next_normal(),
            };
            let values: Vec<f32> =
                (0..tensor.len()).map(|i| draw(&mut stream, i / tensor.cols, i % tensor.cols)).collect();
            execution.write(tensor, &values)
        }
    };
    result.unwrap_or_else(|error| panic!("{}: {error}", case.name));
}
