//! Rows of few numbers.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let sizes = [(1, 1, 1), (20, 70, 1), (20, 70, 35), (7, 17, 17)];
    sizes.map(|(batch, cols, k)| largest(batch, cols, k)).into_iter().chain(steps()).collect()
}

/// Whole steps.
fn steps() -> impl Iterator<Item = Case> {
    // Rows, inputs, units, entries.
    let sizes = [[1, 1, 1, 1], [7, 33, 20, 3], [20, 16, 70, 17], [100, 50, 131, 4]];
    sizes.into_iter().flat_map(|sizes| (0..3).map(move |kind| dictionary(sizes, kind)))
}

/// The largest of rows many of which are equal, or none of which are positive.
fn largest(batch: usize, cols: usize, k: usize) -> Case {
    let mut b = Builder::new();
    let [x, masked] = ["x", "masked"].map(|name| b.values(name, batch, cols));
    let [values, columns] = ["values", "columns"].map(|name| b.values(name, batch, k));
    let ops = vec![
        Op::Corrupt { input: x, noise: Noise::SaltAndPepper(0.6), stream: 6, out: masked },
        Op::Largest { input: masked, out: SparseRows { values, columns } },
    ];
    b.finish(format!("{k} largest of {batch}x{cols}, listed"), ops, vec![step(batch)])
}

/// A layer whose largest outputs stay, what is made of these, and the way back.
fn dictionary([batch, inputs, units, k]: [usize; 4], kind: usize) -> Case {
    let mut b = Builder::new();
    let [x, made, delta] = ["x", "made", "delta"].map(|name| b.values(name, batch, inputs));
    let [values, columns, derivatives] = ["values", "columns", "derivatives"].map(|name| b.values(name, batch, k));
    let (starts, entries) = (b.values("starts", 1, units + 1), b.values("entries", 1, batch * k));
    // What a back end may leave out is not compared.
    let dense = b.program.value("y", batch, units);
    let (up, down) = (b.update(kind, "up", inputs, units), b.update(kind, "down", units, inputs));
    let (bias, decoder_bias) = (b.update(kind, "b", 1, units), b.values("a", 1, inputs));
    let [encoder, decoder, encoder_bias] = match kind {
        0 => [b.values("w", inputs, units), b.values("v", units, inputs), b.values("c", 1, units)],
        _ => [up, down, bias].map(|update| update.target()),
    };
    let (code, order) = (SparseRows { values, columns }, ByColumn { starts, entries });
    let along = Some(Along { derivatives, weight: decoder }).filter(|_| units > k);
    let activation = Activation::Relu;
    let linear = Op::Linear {
        input: x,
        weight: encoder,
        transposed: false,
        bias: encoder_bias,
        activation,
        out: dense,
        sample: None,
    };
    let gradient = |values, dense, transposed, weight, bias, along| Op::SparseGradient {
        values,
        order,
        dense,
        transposed,
        weight,
        bias,
        along,
    };
    let mut ops = vec![
        linear,
        Op::Largest { input: dense, out: code },
        Op::SparseLinear { input: code, weight: decoder, bias: decoder_bias, activation: Activation::Tanh, out: made },
        Op::SparseBackprop { delta, weight: decoder, input: code, out: derivatives },
        Op::ByColumn { rows: code, out: order },
        gradient(values, delta, false, down, None, along),
        gradient(derivatives, x, true, up, Some(bias), None),
    ];
    if kind > 0 {
        ops.push(Op::MaxNorm { weight: decoder, norm: 1.0, rows: true, exact: true });
    }
    b.finish(format!("{k} of {units} units on {batch}x{inputs}, kind {kind}"), ops, vec![step(batch.div_ceil(2))])
}
