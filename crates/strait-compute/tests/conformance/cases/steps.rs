//! Whole steps of training.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    vec![contrastive_divergence(10, 49, 40), contrastive_divergence(33, 17, 70), fine_tuning(21, 49, 30)]
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
