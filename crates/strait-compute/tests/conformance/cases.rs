//! The table of operations, tails and shapes that every back end has to compute like the oracle.

use strait_compute::{
    Activation, Kind, LossKind, Op, Program, Routine, RoutineId, Sample, Sampling, Shift, Step, Tensor, Update,
};

/// One program with one routine to run on the oracle and on a back end.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) program: Program,
    pub(crate) routine: RoutineId,
    pub(crate) steps: Vec<Step>,
    pub(crate) tensors: Vec<Tensor>,
}

/// Collects a case's tensors.
struct Builder {
    program: Program,
    tensors: Vec<Tensor>,
}

impl Builder {
    fn new() -> Self {
        Self { program: Program::default(), tensors: Vec::new() }
    }

    fn tensor(&mut self, name: &str, rows: usize, cols: usize, kind: Kind) -> Tensor {
        let tensor = self.program.tensor(name, rows, cols, kind);
        self.tensors.push(tensor);
        tensor
    }

    fn values(&mut self, name: &str, rows: usize, cols: usize) -> Tensor {
        self.tensor(name, rows, cols, Kind::Values)
    }

    fn finish(mut self, name: String, ops: Vec<Op>, steps: Vec<Step>) -> Case {
        let mut routine = Routine::new(name.clone());
        for op in ops {
            routine.push(op).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let routine = self.program.add(routine);
        Case { name, program: self.program, routine, steps, tensors: self.tensors }
    }

    fn update(&mut self, kind: usize, name: &str, rows: usize, cols: usize) -> Update {
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

fn step(rows: usize) -> Step {
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

/// Ragged shapes (batch, inner, columns): ones, primes, tile edges and their neighbours, the paper's layers scaled down.
const SHAPES: [(usize, usize, usize); 14] = [
    (1, 1, 1),
    (2, 3, 5),
    (7, 1, 17),
    (13, 31, 1),
    (15, 16, 17),
    (16, 15, 16),
    (17, 17, 31),
    (31, 33, 32),
    (64, 64, 64),
    (63, 65, 66),
    (65, 63, 129),
    (100, 98, 125),
    (12, 127, 47),
    (100, 62, 30),
];

fn linear(batch: usize, inner: usize, cols: usize, turned: bool, act: Activation, sampling: Option<Sampling>) -> Case {
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

fn backprop(batch: usize, inner: usize, cols: usize, activation: Activation) -> Case {
    let mut b = Builder::new();
    let delta = b.values("delta", batch, cols);
    let weight = b.values("w", inner, cols);
    let output = b.values("y", batch, inner);
    let out = b.values("dx", batch, inner);
    let op = Op::Backprop { delta, weight, output, activation, out };
    b.finish(format!("backprop {batch}x{inner}x{cols} {}", activation.name()), vec![op], vec![step(batch)])
}

fn gradient(batch: usize, inner: usize, cols: usize, kind: usize, contrastive: bool, active: usize) -> Case {
    let mut b = Builder::new();
    let positive = (b.values("x", batch, inner), b.values("d", batch, cols));
    let negative = contrastive.then(|| (b.values("v1", batch, inner), b.values("h1", batch, cols)));
    let weight = b.update(kind, "w", inner, cols);
    let bias = Some(b.update(kind, "b", 1, cols));
    let input_bias = contrastive.then(|| b.update(kind, "a", 1, inner));
    let op = Op::Gradient { positive, negative, weight, bias, input_bias };
    let name = format!("gradient {batch}({active})x{inner}x{cols} update {kind} contrastive={contrastive}");
    b.finish(name, vec![op], vec![step(active), step(active)])
}

fn loss(batch: usize, cols: usize, kind: LossKind, active: usize, outputs: bool) -> Case {
    let mut b = Builder::new();
    let input = b.values("z", batch, cols);
    let target = b.values("target", batch, cols);
    let output = outputs.then(|| b.values("p", batch, cols));
    let delta = outputs.then(|| b.values("delta", batch, cols));
    let op = Op::Loss { kind, input, target, output, delta };
    b.finish(format!("loss {batch}({active})x{cols} {kind:?} outputs={outputs}"), vec![op], vec![step(active)])
}

fn rows(kind: Kind, indexed: bool) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 11, 19, kind);
    let index = indexed.then(|| b.tensor("index", 1, 11, Kind::Index));
    let out = b.values("x", 5, 19);
    let copy = b.tensor("copy", 11, 19, Kind::Rows);
    let steps = [(0, 5), (5, 5), (10, 1)].map(|(offset, rows)| Step { offset, ..step(rows) });
    let ops = vec![Op::Gather { data, index, shift: None, out }, Op::Scatter { input: out, data: copy }];
    b.finish(format!("gather and scatter {kind:?} indexed={indexed}"), ops, steps.to_vec())
}

/// Images of 5 x 7 pixels, shifted at random.
fn shifted(pixels: u32) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 30, 35, Kind::Bytes);
    let out = b.values("x", 20, 35);
    let steps = [(0, 20), (10, 20), (20, 7)].map(|(offset, rows)| Step { offset, counter: offset, ..step(rows) });
    let shift = Some(Shift { width: 5, pixels, stream: 9 });
    b.finish(format!("gather shifted by {pixels}"), vec![Op::Gather { data, index: None, shift, out }], steps.to_vec())
}

fn vectors(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (x, y, z) = (b.values("x", rows, cols), b.values("y", rows, cols), b.values("out", rows, cols));
    let (input, bias, used) = (b.values("in", 2, cols), b.values("b", 1, rows), b.values("used", 2, rows));
    let activation = Activation::Linear;
    let ops = vec![
        Op::Combine { x, y, out: z },
        Op::Combine { x: z, y, out: z },
        Op::Dot { x: z, y },
        Op::Linear { input, weight: z, transposed: true, bias, activation, out: used, sample: None },
    ];
    b.finish(format!("combine and dot {rows}x{cols}"), ops, vec![step(2)])
}

fn softmax(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (input, out) = (b.values("z", rows, cols), b.values("p", rows, cols));
    b.finish(format!("softmax {rows}x{cols}"), vec![Op::Softmax { input, out }], vec![step(rows)])
}

/// One step of contrastive divergence, whole.
fn contrastive_divergence(batch: usize, visible: usize, hidden: usize) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 2 * batch, visible, Kind::Bytes);
    let [v0, v1] = ["v0", "v1"].map(|name| b.values(name, batch, visible));
    let [h0, s0, h1] = ["h0", "s0", "h1"].map(|name| b.values(name, batch, hidden));
    let weight = b.update(1, "w", visible, hidden);
    let hidden_bias = b.update(1, "b", 1, hidden);
    let visible_bias = b.update(1, "a", 1, visible);
    let activation = Activation::Logistic;
    let up = |input: Tensor, out: Tensor, sample: Option<Sample>| Op::Linear {
        input,
        weight: weight.target(),
        transposed: false,
        bias: hidden_bias.target(),
        activation,
        out,
        sample,
    };
    let ops = vec![
        Op::Gather { data, index: None, shift: None, out: v0 },
        up(v0, h0, Some(Sample { sampling: Sampling::Bernoulli, out: s0, stream: 1 })),
        Op::Linear {
            input: s0,
            weight: weight.target(),
            transposed: true,
            bias: visible_bias.target(),
            activation,
            out: v1,
            sample: None,
        },
        up(v1, h1, None),
        Op::Loss {
            kind: LossKind::SquaredError { activation: Activation::Linear },
            input: v1,
            target: v0,
            output: None,
            delta: None,
        },
        Op::Gradient {
            positive: (v0, h0),
            negative: Some((v1, h1)),
            weight,
            bias: Some(hidden_bias),
            input_bias: Some(visible_bias),
        },
    ];
    let steps = [0, batch as u32].map(|offset| Step { offset, counter: offset, ..step(batch) });
    b.finish(format!("CD-1 step {batch}x{visible}x{hidden}"), ops, steps.to_vec())
}

/// Two steps of fine-tuning with Adam, whole: two layers, cross-entropy from logits, on a shuffled minibatch that is
/// not full.
fn fine_tuning(batch: usize, inputs: usize, hidden: usize) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 2 * batch, inputs, Kind::Bytes);
    let index = b.tensor("index", 1, 2 * batch, Kind::Index);
    let x = b.values("x", batch, inputs);
    let y = b.values("y", batch, hidden);
    let [z, delta] = ["z", "delta"].map(|name| b.values(name, batch, inputs));
    let below = b.values("delta below", batch, hidden);
    let sizes = [(inputs, hidden), (hidden, inputs)];
    let [first, second] = sizes.map(|(rows, cols)| (b.update(2, "w", rows, cols), b.update(2, "b", 1, cols)));
    let layer = |input: Tensor, (weight, bias): (Update, Update), activation: Activation, out: Tensor| Op::Linear {
        input,
        weight: weight.target(),
        transposed: false,
        bias: bias.target(),
        activation,
        out,
        sample: None,
    };
    let learn = |x: Tensor, d: Tensor, (weight, bias): (Update, Update)| Op::Gradient {
        positive: (x, d),
        negative: None,
        weight,
        bias: Some(bias),
        input_bias: None,
    };
    let activation = Activation::Softplus;
    let ops = vec![
        Op::Gather { data, index: Some(index), shift: None, out: x },
        layer(x, first, activation, y),
        layer(y, second, Activation::Linear, z),
        Op::Loss { kind: LossKind::CrossEntropy, input: z, target: x, output: None, delta: Some(delta) },
        Op::Backprop { delta, weight: second.0.target(), output: y, activation, out: below },
        learn(y, delta, second),
        learn(x, below, first),
    ];
    let steps = [0, 1].map(|i| Step { offset: i * batch as u32, ..step(batch - 1) });
    b.finish(format!("fine-tuning step {batch}x{inputs}x{hidden}"), ops, steps.to_vec())
}

/// The whole table.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (batch, inner, cols) in SHAPES {
        for turned in [false, true] {
            cases.push(linear(batch, inner, cols, turned, Activation::Linear, None));
            cases.push(linear(batch, inner, cols, turned, Activation::Logistic, Some(Sampling::Bernoulli)));
        }
        cases.push(backprop(batch, inner, cols, Activation::Logistic));
        for kind in 0..3 {
            cases.push(gradient(batch, inner, cols, kind, false, batch));
            cases.push(gradient(batch, inner, cols, kind, true, batch.div_ceil(2)));
        }
    }
    for activation in Activation::ALL {
        cases.push(linear(9, 20, 21, false, activation, Some(Sampling::Gaussian)));
        cases.push(linear(9, 20, 21, true, activation, Some(Sampling::Bernoulli)));
        cases.push(backprop(9, 20, 21, activation));
        cases.push(loss(6, 35, LossKind::SquaredError { activation }, 4, true));
    }
    for kind in [
        LossKind::CrossEntropy,
        LossKind::SoftmaxCrossEntropy,
        LossKind::SquaredError { activation: Activation::Linear },
    ] {
        for (batch, cols) in [(1, 1), (3, 10), (17, 33), (20, 784), (5, 300)] {
            cases.push(loss(batch, cols, kind, batch, true));
            cases.push(loss(batch, cols, kind, batch.div_ceil(2), false));
        }
    }
    for kind in [Kind::Bytes, Kind::Rows] {
        for indexed in [false, true] {
            cases.push(rows(kind, indexed));
        }
    }
    for (rows, cols) in [(1, 1), (1, 100), (17, 33), (98, 125), (300, 70)] {
        cases.push(vectors(rows, cols));
        cases.push(softmax(rows, cols));
    }
    cases.extend([1, 3].map(shifted));
    cases.push(contrastive_divergence(10, 49, 40));
    cases.push(contrastive_divergence(33, 17, 70));
    cases.push(fine_tuning(21, 49, 30));
    cases
}
