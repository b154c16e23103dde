//! Gradients against finite differences in double precision, for every loss and every activation.

use strait_compute::philox::Stream;
use strait_compute::{Activation, Backend, Cpu, LossKind, Op, Oracle, Program, Routine, Step, Update, go_on};

const SIZES: [usize; 4] = [5, 7, 4, 6];
const BATCH: usize = 3;

/// The parameters of one layer: weights [inputs, outputs], then biases.
type Parameters = Vec<Vec<f64>>;

/// The mean loss over the rows, computed here and nowhere else.
fn loss(parameters: &Parameters, x: &[f64], targets: &[f64], hidden: Activation, kind: LossKind) -> f64 {
    let mut sum = 0.0;
    for (row, target) in x.chunks_exact(SIZES[0]).zip(targets.chunks_exact(SIZES[3])) {
        let mut values = row.to_vec();
        for (layer, pair) in SIZES.windows(2).enumerate() {
            let (weight, bias) = (&parameters[2 * layer], &parameters[2 * layer + 1]);
            let total = |j: usize| bias[j] + (0..pair[0]).map(|i| values[i] * weight[i * pair[1] + j]).sum::<f64>();
            let activation = match kind {
                _ if layer + 2 < SIZES.len() => hidden,
                LossKind::SquaredError { activation } => activation,
                _ => Activation::Linear,
            };
            values = (0..pair[1]).map(|j| activation.apply(total(j))).collect();
        }
        let normaliser = values.iter().map(|z| z.exp()).sum::<f64>().ln();
        sum += values
            .iter()
            .zip(target)
            .map(|(&z, &t)| match kind {
                LossKind::SquaredError { .. } => (z - t).powi(2),
                LossKind::CrossEntropy => {
                    let p = 1.0 / (1.0 + (-z).exp());
                    -t * p.ln() - (1.0 - t) * (1.0 - p).ln()
                }
                LossKind::SoftmaxCrossEntropy => t * (normaliser - z),
            })
            .sum::<f64>();
    }
    sum / BATCH as f64
}

/// The gradient that a back end computes, in the order of the parameters.
fn gradient(
    backend: &dyn Backend,
    parameters: &Parameters,
    x: &[f64],
    t: &[f64],
    hidden: Activation,
    kind: LossKind,
) -> Vec<Vec<f32>> {
    let mut program = Program::default();
    let mut values = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
    let input = values("x", BATCH, SIZES[0]);
    let target = values("t", BATCH, SIZES[3]);
    let layers: Vec<_> =
        SIZES.windows(2).map(|pair| (values("w", pair[0], pair[1]), values("b", 1, pair[1]))).collect();
    let stored: Vec<_> =
        SIZES.windows(2).map(|pair| (values("dw", pair[0], pair[1]), values("db", 1, pair[1]))).collect();
    let outputs: Vec<_> = SIZES[1..].iter().map(|&size| values("y", BATCH, size)).collect();
    let deltas: Vec<_> = SIZES[1..].iter().map(|&size| values("d", BATCH, size)).collect();
    let mut routine = Routine::new("gradient");
    let mut push = |op| routine.push(op).expect("the shapes fit");
    for (i, &(weight, bias)) in layers.iter().enumerate() {
        let activation = match kind {
            _ if i + 1 < layers.len() => hidden,
            LossKind::SquaredError { activation } => activation,
            _ => Activation::Linear,
        };
        let from = if i == 0 { input } else { outputs[i - 1] };
        push(Op::Linear { input: from, weight, transposed: false, bias, activation, out: outputs[i], sample: None });
    }
    push(Op::Loss { kind, input: outputs[2], target, output: None, delta: Some(deltas[2]) });
    for i in (0..layers.len()).rev() {
        let from = if i == 0 { input } else { outputs[i - 1] };
        if i > 0 {
            let (weight, out) = (layers[i].0, deltas[i - 1]);
            push(Op::Backprop { delta: deltas[i], weight, transposed: false, output: from, activation: hidden, out });
        }
        push(Op::Gradient {
            positive: (from, deltas[i]),
            negative: None,
            weight: Update::Store { gradient: stored[i].0 },
            bias: Some(Update::Store { gradient: stored[i].1 }),
            input_bias: None,
            plus: None,
            positions: 1,
            scale: 1.0,
        });
    }
    program.infer_roles(&routine);
    let routine = program.add(routine);
    let mut execution = backend.load(program, &[]).expect("it loads");
    let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<_>>();
    execution.write(input, &narrow(x)).expect("it is written");
    execution.write(target, &narrow(t)).expect("it is written");
    for (i, &(weight, bias)) in layers.iter().enumerate() {
        execution.write(weight, &narrow(&parameters[2 * i])).expect("it is written");
        execution.write(bias, &narrow(&parameters[2 * i + 1])).expect("it is written");
    }
    execution.run(routine, &[Step { rows: BATCH as u32, ..Step::default() }], &mut go_on).expect("it runs");
    stored.iter().flat_map(|&(w, b)| [w, b]).map(|part| execution.read(part).expect("it is read")).collect()
}

#[test]
fn gradients_agree_with_finite_differences() {
    let mut stream = Stream::new(23, 0);
    // Numbers that single precision holds exactly, so that all see the same ones.
    let mut random =
        |count: usize, scale: f32| (0..count).map(|_| f64::from(scale * stream.next_normal())).collect::<Vec<_>>();
    let x = random(BATCH * SIZES[0], 1.0);
    let targets: Vec<f64> =
        random(BATCH * SIZES[3], 1.0).iter().map(|t| f64::from((1.0 / (1.0 + t.exp())) as f32)).collect();
    let parameters: Parameters =
        SIZES.windows(2).flat_map(|pair| [pair[0] * pair[1], pair[1]]).map(|count| random(count, 0.5)).collect();
    let cpu = Cpu::with_threads(2).expect("threads start");
    let squared = Activation::ALL.map(|activation| LossKind::SquaredError { activation });
    for kind in squared.into_iter().chain([LossKind::CrossEntropy, LossKind::SoftmaxCrossEntropy]) {
        for hidden in Activation::ALL {
            let backends: [&dyn Backend; 2] = [&Oracle::default(), &cpu];
            let found = backends.map(|backend| gradient(backend, &parameters, &x, &targets, hidden, kind));
            for part in 0..parameters.len() {
                for i in 0..parameters[part].len() {
                    const STEP: f64 = 1e-5;
                    let at = |shift: f64| {
                        let mut moved = parameters.clone();
                        moved[part][i] += shift;
                        loss(&moved, &x, &targets, hidden, kind)
                    };
                    let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                    for (found, name) in found.iter().zip(["oracle", "CPU"]) {
                        let found = f64::from(found[part][i]);
                        let bound = 1e-5 * (1.0 + expected.abs());
                        assert!(
                            (found - expected).abs() < bound,
                            "{kind:?}, {hidden:?}, {name}, {part}/{i}: {found}, not {expected}"
                        );
                    }
                }
            }
        }
    }
}
