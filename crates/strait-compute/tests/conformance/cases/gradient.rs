//! Gradients of weights that have several uses.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in 0..3 {
        cases.extend([(1, 1, 1), (21, 49, 30)].map(|(batch, inputs, units)| tied(batch, inputs, units, kind)));
    }
    for kind in [1, 2] {
        let sizes = [(1, 1, 1), (21, 49, 30), (20, 40, 36)];
        cases.extend(sizes.map(|(batch, inputs, units)| shared(batch, inputs, units, kind)));
    }
    cases
}

/// Weights that two layers share, the second one transposed: its gradient is kept, then added to that of the first.
fn tied(batch: usize, inputs: usize, units: usize, kind: usize) -> Case {
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
fn shared(batch: usize, inputs: usize, units: usize, kind: usize) -> Case {
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
    // What reads a gradient keeps its update from being fused.
    let read = [sum, bias].map(|gradient| Op::Dot { x: gradient, y: gradient });
    let apart = [&read[..], &[update(sum, weight, true), update(bias, of_bias, false)]].concat();
    // Nobody looks at the gradient of an update that is fused.
    let gone = b.program.value("gone", inputs, units);
    let fused = vec![Op::gradient((x, delta), Update::Store { gradient: gone }), update(gone, again, true)];
    let ops = [uses, apart, fused].concat();
    let name = format!("shared {batch}x{inputs}x{units} update {kind}");
    b.finish(name, ops, vec![step(batch.div_ceil(2)), step(batch)])
}
