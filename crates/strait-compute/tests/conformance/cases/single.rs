//! Cases of one operation, or of the few of a layer or a step.

use strait_compute::{
    Activation, Addend, Draw, Factors, FoldTail, Groups, Kind, LossKind, Noise, Op, PenaltyKind, Replica, Sample,
    Sampling, Shift, Shrinkage, Step, Tensor, Update, Window,
};

use crate::table::{Builder, Case, step};

pub(super) fn rows(kind: Kind, indexed: bool) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 11, 19, kind);
    let index = indexed.then(|| b.tensor("index", 1, 11, Kind::Index));
    let out = b.values("x", 5, 19);
    let copy = b.tensor("copy", 11, 19, Kind::Rows);
    let steps = [(0, 5), (5, 5), (10, 1)].map(|(offset, rows)| Step { offset, ..step(rows) });
    let ops = vec![Op::Gather { data, index, first: 0, shift: None, out }, Op::Scatter { input: out, data: copy }];
    b.finish(format!("gather and scatter {kind:?} indexed={indexed}"), ops, steps.to_vec())
}

/// Images of 5 x 7 pixels, shifted at random.
pub(super) fn shifted(pixels: u32) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 30, 35, Kind::Bytes);
    let out = b.values("x", 20, 35);
    let steps = [(0, 20), (10, 20), (20, 7)].map(|(offset, rows)| Step { offset, counter: offset, ..step(rows) });
    let shift = Some(Shift { width: 5, pixels, stream: 9 });
    b.finish(
        format!("gather shifted by {pixels}"),
        vec![Op::Gather { data, index: None, first: 0, shift, out }],
        steps.to_vec(),
    )
}

/// Some columns of a data set: the image in the middle of each row, shifted, and what lies behind it.
pub(super) fn columns(kind: Kind) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 30, 44, kind);
    let [image, rest] = [("image", 35), ("rest", 6)].map(|(name, cols)| b.values(name, 20, cols));
    let shift = Some(Shift { width: 5, pixels: 1, stream: 9 });
    let ops = vec![
        Op::Gather { data, index: None, first: 3, shift, out: image },
        Op::Gather { data, index: None, first: 38, shift: None, out: rest },
    ];
    b.finish(format!("gather columns {kind:?}"), ops, vec![Step { offset: 10, ..step(20) }])
}

/// Weights that two layers share, the second one transposed: its gradient is kept, then added to that of the first.
pub(super) fn tied(batch: usize, inputs: usize, units: usize, kind: usize) -> Case {
    let mut b = Builder::new();
    let [x, delta] = ["x", "delta"].map(|name| b.values(name, batch, inputs));
    let [y, below] = ["y", "below"].map(|name| b.values(name, batch, units));
    let kept = b.values("kept", inputs, units);
    let weight = b.update(kind, "w", inputs, units);
    let used = if kind == 0 { b.values("w", inputs, units) } else { weight.target() };
    let [bias, input_bias] = [("b", units), ("a", inputs)].map(|(name, cols)| Some(b.update(kind, name, 1, cols)));
    let learn = |positive, weight, bias, input_bias, plus| Op::Gradient {
        positive,
        negative: None,
        weight,
        bias,
        input_bias,
        plus,
        positions: 1,
        scale: 1.0,
    };
    let activation = Activation::Tanh;
    let ops = vec![
        Op::Backprop { delta, weight: used, transposed: true, output: y, activation, out: below },
        learn((delta, y), Update::Store { gradient: kept }, None, input_bias, None),
        learn((x, below), weight, bias, None, Some(Addend::Gradient(kept))),
    ];
    let name = format!("tied {batch}x{inputs}x{units} update {kind}");
    b.finish(name, ops, vec![step(batch.div_ceil(2)), step(batch)])
}

/// Weights with three uses, whose gradients add up in place, and an update that a sum over processes keeps apart from them; then one that
/// is fused.
pub(super) fn shared(batch: usize, inputs: usize, units: usize, kind: usize) -> Case {
    let mut b = Builder::new();
    let [x, other] = ["x", "other"].map(|name| b.values(name, batch, inputs));
    let [delta, below] = ["delta", "below"].map(|name| b.values(name, batch, units));
    let sum = b.values("sum", inputs, units);
    let bias = b.values("bias gradient", 1, units);
    let [weight, again] = ["w", "v"].map(|name| b.update(kind, name, inputs, units));
    let of_bias = b.update(kind, "b", 1, units);
    let learn = |positive, bias, plus| Op::Gradient {
        positive,
        negative: None,
        weight: Update::Store { gradient: sum },
        bias,
        input_bias: None,
        plus,
        positions: 1,
        scale: 1.0,
    };
    let plus = Some(Addend::Gradient(sum));
    let uses = vec![
        learn((x, delta), Some(Update::Store { gradient: bias }), None),
        learn((other, below), None, plus),
        learn((x, below), None, plus),
    ];
    let update = |gradient, update, decays| Op::Update { gradient, update, decays };
    let apart = vec![Op::Reduce { tensors: vec![sum, bias] }, update(sum, weight, true), update(bias, of_bias, false)];
    // Nobody looks at the gradient of an update that is fused.
    let gone = b.program.value("gone", inputs, units);
    let fused = vec![Op::gradient((x, delta), Update::Store { gradient: gone }), update(gone, again, true)];
    let ops = [uses, apart, fused].concat();
    let name = format!("shared {batch}x{inputs}x{units} update {kind}");
    b.finish(name, ops, vec![step(batch.div_ceil(2)), step(batch)])
}

/// A convolution, its transpose, and the way back through both.
pub(super) fn convolution(batch: usize, window: Window, filters: usize, kind: usize) -> Case {
    let mut b = Builder::new();
    let Window { channels, .. } = window;
    let (positions, taps) = (window.positions(), window.taps());
    let [x, z, below] = ["x", "z", "below"].map(|name| b.values(name, batch, window.values()));
    let flat = b.values("flat", batch, positions * filters);
    let [seen, back] = ["seen", "back"].map(|name| b.values(name, batch * positions, taps));
    let [y, delta] = ["y", "delta"].map(|name| b.values(name, batch * positions, filters));
    let weight = b.update(kind, "w", taps, filters);
    let used = if kind == 0 { b.values("w", taps, filters) } else { weight.target() };
    let bias = b.update(kind, "b", 1, filters);
    let [filter_bias, zero, channel_bias] =
        [("c", filters), ("zero", taps), ("d", channels)].map(|(name, cols)| b.values(name, 1, cols));
    let shared = b.update(kind, "a", 1, channels);
    let (activation, out) = (Activation::Logistic, y);
    let linear = Activation::Linear;
    let layer = FoldTail::Layer { bias: channel_bias, activation };
    let ops = vec![
        Op::Unfold { input: x, window, out: seen },
        Op::Linear { input: seen, weight: used, transposed: false, bias: filter_bias, activation, out, sample: None },
        Op::Linear {
            input: y,
            weight: used,
            transposed: true,
            bias: zero,
            activation: linear,
            out: back,
            sample: None,
        },
        Op::Fold { input: back, window, tail: layer, out: z },
        Op::Fold { input: back, window, tail: FoldTail::Backprop { output: x, activation }, out: below },
        Op::Backprop { delta: seen, weight: used, transposed: true, output: y, activation, out: delta },
        Op::Gradient {
            positive: (seen, delta),
            negative: None,
            weight,
            bias: Some(bias),
            input_bias: None,
            plus: None,
            positions,
            scale: 1.0,
        },
        Op::SharedBias { delta: below, bias: shared },
        Op::Fold { input: y, window: window.pixels(filters), tail: FoldTail::Sum, out: flat },
    ];
    b.finish(
        format!("convolution {batch}x{filters} update {kind} {window:?}"),
        ops,
        vec![step(batch.div_ceil(2)), step(batch)],
    )
}

pub(super) fn vectors(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (x, y, z) = (b.values("x", rows, cols), b.values("y", rows, cols), b.values("out", rows, cols));
    let (input, bias, used) = (b.values("in", 2, cols), b.values("b", 1, rows), b.values("used", 2, rows));
    let activation = Activation::Linear;
    let ops = vec![
        Op::Combine { x, y, factors: Factors::Step, out: z },
        Op::Combine { x: z, y, factors: Factors::Fixed(1.5, -1.0), out: z },
        Op::Combine { x: z, y, factors: Factors::Step, out: z },
        Op::Dot { x: z, y },
        Op::Linear { input, weight: z, transposed: true, bias, activation, out: used, sample: None },
    ];
    b.finish(format!("combine and dot {rows}x{cols}"), ops, vec![step(2)])
}

/// Groups of units behind binary ones: one draw each, then as many as were given; without states, and with them.
pub(super) fn softmax(rows: usize, groups: Groups, cols: usize) -> Case {
    let mut b = Builder::new();
    let (input, given) = (b.values("z", rows, cols), b.values("given", rows, cols));
    let mut ops = Vec::new();
    for (number, given) in [None, None, Some(given), Some(given)].into_iter().enumerate() {
        let out = b.values("p", rows, cols);
        let stream = 4 + number as u32;
        let states = (number % 2 == 1).then(|| Draw { out: b.values("s", rows, cols), stream });
        ops.push(Op::Softmax { input, groups, scale: 1.5, given, out, states });
    }
    b.finish(format!("softmax {rows}x{cols} {groups:?}"), ops, vec![step(rows)])
}

/// Two minibatches side by side, and a part of them.
pub(super) fn copies(rows: usize, left: usize, right: usize) -> Case {
    let mut b = Builder::new();
    let [x, y] = [("x", left), ("y", right)].map(|(name, cols)| b.values(name, rows, cols));
    let (joined, part) = (b.values("joined", rows, left + right), b.values("part", rows, left.div_ceil(2) + right));
    let ops = vec![
        Op::CopyColumns { input: x, first: 0, out: joined, to: 0, columns: left },
        Op::CopyColumns { input: y, first: 0, out: joined, to: left, columns: right },
        Op::CopyColumns { input: joined, first: left / 2, out: part, to: 0, columns: part.cols },
    ];
    b.finish(format!("copies {rows}x{left}+{right}"), ops, vec![step(rows)])
}

pub(super) fn standardize(rows: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (input, m, s) = (b.values("x", rows, cols), b.values("m", 1, cols), b.values("s", 1, cols));
    let (both, other) =
        ([(None, None), (Some(m), None), (None, Some(s)), (Some(m), Some(s))], b.values("y", rows, cols));
    let mut ops: Vec<Op> = both
        .into_iter()
        .map(|(shift, scale)| Op::Standardize { input, shift, scale, out: b.values("out", rows, cols) })
        .collect();
    ops.push(Op::ColumnMeans { input, times: Some(other), out: b.values("means", 1, cols) });
    b.finish(format!("standardize {rows}x{cols}"), ops, vec![step(rows.div_ceil(2))])
}

/// The labels of rows by their free energies.
pub(super) fn class_energies(rows: usize, hidden: usize, visible: usize, classes: usize) -> Case {
    let mut b = Builder::new();
    let (inputs, weight) = (b.values("t", rows, hidden), b.values("w", visible, hidden));
    let (bias, out) = (b.values("a", 1, visible), b.values("z", rows, classes));
    let op = Op::ClassEnergies { inputs, weight, bias, out };
    b.finish(format!("class energies {rows}x{hidden}x{visible} {classes}"), vec![op], vec![step(rows)])
}

/// Chains whose energies are alike, in a step in which they may change places and in one in which they may not.
pub(super) fn exchange(rows: usize, visible: usize, hidden: usize) -> Case {
    let mut b = Builder::new();
    let chains = [0, 1].map(|_| Replica {
        visible: b.values("v", rows, visible),
        inputs: b.values("t", rows, hidden),
        hidden: b.values("h", rows, hidden),
    });
    let bias = b.values("a", 1, visible);
    let exchange = |parity: u32| Op::Exchange { chains, bias, difference: 0.7, parity, stream: 9 + parity };
    b.finish(format!("exchange {rows}x{visible}x{hidden}"), vec![exchange(0), exchange(1)], vec![step(rows)])
}

pub(super) fn corrupt(batch: usize, cols: usize, noise: Noise) -> Case {
    let mut b = Builder::new();
    let (input, out) = (b.values("x", batch, cols), b.values("noisy", batch, cols));
    let op = Op::Corrupt { input, noise, stream: 6, out };
    b.finish(format!("corrupt {batch}x{cols} {noise:?}"), vec![op], vec![step(batch.div_ceil(2))])
}

/// The largest values of rows many of which are equal.
pub(super) fn top_k(batch: usize, cols: usize, k: usize) -> Case {
    let mut b = Builder::new();
    let [x, masked, out] = ["x", "masked", "largest"].map(|name| b.values(name, batch, cols));
    let ops = vec![
        Op::Corrupt { input: x, noise: Noise::SaltAndPepper(0.6), stream: 6, out: masked },
        Op::TopK { input: masked, k, out },
    ];
    b.finish(format!("{k} largest of {batch}x{cols}"), ops, vec![step(batch)])
}

pub(super) fn absolute_values(batch: usize, cols: usize, activation: Activation) -> Case {
    let mut b = Builder::new();
    let (output, delta) = (b.values("y", batch, cols), b.values("delta", batch, cols));
    let op = Op::Penalty { kind: PenaltyKind::L1 { weight: 0.3 }, output, activation, delta };
    b.finish(format!("L1 {batch}x{cols} {}", activation.name()), vec![op], vec![step(batch.div_ceil(2))])
}

/// The penalty on mean outputs, of probabilities.
pub(super) fn sparsity(batch: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (output, means, delta) =
        (b.values("target", batch, cols), b.values("means", 1, cols), b.values("d", batch, cols));
    let kind = PenaltyKind::Sparsity { weight: 2.5, target: 0.1, means };
    let ops = vec![
        Op::ColumnMeans { input: output, times: None, out: means },
        Op::Penalty { kind, output, activation: Activation::Logistic, delta },
    ];
    b.finish(format!("sparsity {batch}x{cols}"), ops, vec![step(batch.div_ceil(2))])
}

/// The contractive penalty of a layer, with each kind of update of its weights.
pub(super) fn contractive(batch: usize, inputs: usize, units: usize, activation: Activation, update: usize) -> Case {
    let mut b = Builder::new();
    let x = b.values("x", batch, inputs);
    // Outputs of which all activations could be.
    let [y, delta] = ["target", "delta"].map(|name| b.values(name, batch, units));
    let w = b.values("w", inputs, units);
    let [squares, costs] = ["squares", "costs"].map(|name| b.values(name, 1, units));
    let weight = match update {
        0 => Update::Store { gradient: b.values("gradient", inputs, units) },
        1 => Update::Momentum { parameter: w, velocity: b.values("velocity", inputs, units) },
        _ => Update::Adam {
            parameter: w,
            first: b.values("first", inputs, units),
            second: b.values("second", inputs, units),
        },
    };
    let ops = vec![
        Op::Contraction { weight: w, output: y, activation, penalty: 0.7, squares, costs },
        Op::Penalty { kind: PenaltyKind::Contractive { weight: 0.7, squares }, output: y, activation, delta },
        Op::Gradient {
            positive: (x, delta),
            negative: None,
            weight,
            bias: None,
            input_bias: None,
            plus: Some(Addend::Decay { weight: w, costs }),
            positions: 1,
            scale: 0.6,
        },
    ];
    let name = format!("contractive {batch}x{inputs}x{units} {} update {update}", activation.name());
    b.finish(name, ops, vec![step(batch.div_ceil(2)), step(batch)])
}

/// Codes of a variational autoencoder, there and back.
pub(super) fn latent(batch: usize, codes: usize) -> Case {
    let mut b = Builder::new();
    let [moments, out] = ["moments", "d moments"].map(|name| b.values(name, batch, 2 * codes));
    let [noise, code, delta] = ["noise", "code", "delta"].map(|name| b.values(name, batch, codes));
    let kl_weight = 0.8;
    let ops = vec![
        Op::Reparameterize { moments, kl_weight, stream: 4, noise, out: code },
        Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out },
    ];
    b.finish(format!("latent {batch}x{codes}"), ops, vec![step(batch.div_ceil(2)), step(batch)])
}

pub(super) fn row_sums(batch: usize, cols: usize) -> Case {
    let mut b = Builder::new();
    let (input, columns) = (b.values("x", batch, cols), b.values("c", 1, cols));
    let ops = [None, Some(columns)].map(|columns| Op::RowSums { input, columns });
    b.finish(format!("row sums {batch}x{cols}"), ops.to_vec(), vec![step(batch.div_ceil(2)), step(batch)])
}

/// A step towards sparse codes, and weights that are used both ways after their rows or columns were shortened.
pub(super) fn dictionary(batch: usize, codes: usize, inputs: usize, rows: bool) -> Case {
    let mut b = Builder::new();
    let [code, overlap, correlation, prediction, next] =
        ["z", "s", "c", "f", "next"].map(|name| b.values(name, batch, codes));
    let (weight, norm) = (b.values("w", codes, inputs), 0.4 * if rows { inputs as f32 } else { codes as f32 }.sqrt());
    let (back, decoded) = (b.values("back", batch, codes), b.values("x", batch, inputs));
    let [up, down] = [("b", codes), ("a", inputs)].map(|(name, cols)| b.values(name, 1, cols));
    let shrinkage = Shrinkage { rate: 0.3, sparsity: 0.9, pull: 0.2 };
    let layer = |input: Tensor, transposed: bool, bias: Tensor, out: Tensor| {
        let activation = Activation::Linear;
        Op::Linear { input, weight, transposed, bias, activation, out, sample: None }
    };
    let ops = vec![
        Op::MaxNorm { weight, norm, rows },
        Op::Threshold { weight, threshold: 0.1 },
        Op::Shrink { code, overlap, correlation, prediction, shrinkage, out: next },
        layer(next, false, down, decoded),
        layer(decoded, true, up, back),
    ];
    b.finish(format!("dictionary {batch}x{codes}x{inputs} rows={rows}"), ops, vec![step(batch)])
}

/// One step of contrastive divergence, whole.
pub(super) fn contrastive_divergence(batch: usize, visible: usize, hidden: usize) -> Case {
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
        Op::Gather { data, index: None, first: 0, shift: None, out: v0 },
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
            plus: None,
            positions: 1,
            scale: 1.0,
        },
    ];
    let steps = [0, batch as u32].map(|offset| Step { offset, counter: offset, ..step(batch) });
    b.finish(format!("CD-1 step {batch}x{visible}x{hidden}"), ops, steps.to_vec())
}

/// Two steps of fine-tuning with Adam, whole: three layers, so that the gradient of one and the derivative that
/// the one below passes on do not depend on each other; cross-entropy from logits, on a shuffled minibatch that is not full.
pub(super) fn fine_tuning(batch: usize, inputs: usize, hidden: usize) -> Case {
    let mut b = Builder::new();
    let data = b.tensor("data", 2 * batch, inputs, Kind::Bytes);
    let index = b.tensor("index", 1, 2 * batch, Kind::Index);
    let x = b.values("x", batch, inputs);
    let [y1, y2] = ["y1", "y2"].map(|name| b.values(name, batch, hidden));
    let [z, delta] = ["z", "delta"].map(|name| b.values(name, batch, inputs));
    let [below, bottom] = ["delta of y2", "delta of y1"].map(|name| b.values(name, batch, hidden));
    let sizes = [(inputs, hidden), (hidden, hidden), (hidden, inputs)];
    let [first, second, third] = sizes.map(|(rows, cols)| (b.update(2, "w", rows, cols), b.update(2, "b", 1, cols)));
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
        plus: None,
        positions: 1,
        scale: 1.0,
    };
    let activation = Activation::Softplus;
    let back = |delta: Tensor, layer: (Update, Update), output: Tensor, out: Tensor| Op::Backprop {
        delta,
        weight: layer.0.target(),
        transposed: false,
        output,
        activation,
        out,
    };
    let ops = vec![
        Op::Gather { data, index: Some(index), first: 0, shift: None, out: x },
        layer(x, first, activation, y1),
        layer(y1, second, activation, y2),
        layer(y2, third, Activation::Linear, z),
        Op::Loss { kind: LossKind::CrossEntropy, input: z, target: x, output: None, delta: Some(delta) },
        back(delta, third, y2, below),
        learn(y2, delta, third),
        back(below, second, y1, bottom),
        learn(y1, below, second),
        learn(x, bottom, first),
    ];
    let steps = [0, 1].map(|i| Step { offset: i * batch as u32, ..step(batch - 1) });
    b.finish(format!("fine-tuning step {batch}x{inputs}x{hidden}"), ops, steps.to_vec())
}

/// A layer's products for data of that name, which says what they are like: up, with states, and its gradient.
pub(super) fn data(name: &str, batch: usize, inputs: usize, units: usize, active: usize) -> Case {
    let mut b = Builder::new();
    let data = b.tensor(name, batch, inputs, Kind::Rows);
    let x = b.values("x", batch, inputs);
    let [y, states] = ["y", "states"].map(|name| b.values(name, batch, units));
    let [back, w] = [("back", batch), ("w", units)].map(|(name, rows)| b.values(name, rows, inputs));
    let bias = b.values("b", 1, units);
    let input_bias = b.values("a", 1, inputs);
    let sample = |out| Some(Sample { sampling: Sampling::Bernoulli, out, stream: 3 });
    let activation = Activation::Logistic;
    let up = Op::Linear { input: x, weight: w, transposed: true, bias, activation, out: y, sample: sample(states) };
    let weight = b.update(1, "v", inputs, units);
    let ops = vec![
        Op::Gather { data, index: None, first: 0, shift: None, out: x },
        up,
        Op::Linear {
            input: states,
            weight: w,
            transposed: false,
            bias: input_bias,
            activation,
            out: back,
            sample: None,
        },
        Op::Gradient {
            positive: (x, y),
            negative: Some((back, states)),
            weight,
            bias: None,
            input_bias: None,
            plus: None,
            positions: 1,
            scale: 1.0,
        },
    ];
    b.finish(format!("{name} {batch}({active})x{inputs}x{units}"), ops, vec![step(active), step(batch)])
}

/// Derivatives of which some are infinite on their way through two layers, as when training diverges.
pub(crate) fn infinite() -> Case {
    let mut b = Builder::new();
    let (batch, top, middle, bottom) = (100, 70, 1000, 500);
    let delta = b.values("infinite", batch, top);
    let [w, y, dx] =
        [("w", middle, top), ("y", batch, middle), ("dx", batch, middle)].map(|(n, r, c)| b.values(n, r, c));
    let [w2, x, out] =
        [("w2", bottom, middle), ("x", batch, bottom), ("out", batch, bottom)].map(|(n, r, c)| b.values(n, r, c));
    let activation = Activation::Linear;
    let ops = vec![
        Op::Backprop { delta, weight: w, transposed: false, output: y, activation, out: dx },
        Op::Backprop { delta: dx, weight: w2, transposed: false, output: x, activation, out },
    ];
    b.finish("infinite derivatives".to_owned(), ops, vec![step(batch)])
}
