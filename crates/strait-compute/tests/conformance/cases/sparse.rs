//! Rows of few numbers.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let sizes = [(1, 1, 1), (20, 70, 1), (20, 70, 35), (7, 17, 17)];
    let thresholds = [[1, 1, 1, 1], [7, 33, 20, 3], [100, 50, 131, 8], [300, 9, 40, 17]];
    let thresholds = thresholds.into_iter().flat_map(|sizes| [0.1, 3.0].map(|share| batch_largest(sizes, share)));
    let lists = sizes.map(|(batch, cols, k)| largest(batch, cols, k)).into_iter().chain(steps());
    lists.chain(thresholds).chain(sizes.map(jump_relu)).collect()
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

/// The largest of all rows together, of entries many of which are equal.
fn batch_largest([batch, inputs, units, entries]: [usize; 4], share: f32) -> Case {
    let mut b = Builder::new();
    let [x, masked] = ["x", "masked"].map(|name| b.values(name, batch, units));
    let [values, columns, out] = ["values", "columns", "out"].map(|name| b.values(name, batch, entries));
    let threshold = b.values("threshold", 1, inputs);
    let k = entries.div_ceil(2);
    let ops = vec![
        Op::Corrupt { input: x, noise: Noise::SaltAndPepper((share / 3.0).min(0.9)), stream: 6, out: masked },
        Op::Largest { input: masked, out: SparseRows { values, columns } },
        Op::BatchLargest { input: values, threshold, k, rate: 0.25, out },
    ];
    b.finish(format!("{k} a row of {batch}x{entries}, share {share}"), ops, vec![step(batch.div_ceil(2))])
}

/// Units with thresholds: dense, as lists, and the way back.
fn jump_relu((batch, units, entries): (usize, usize, usize)) -> Case {
    let mut b = Builder::new();
    let inputs = 9;
    let [x, dense] = [("x", inputs), ("dense", units)].map(|(name, cols)| b.values(name, batch, cols));
    let (w, bias, threshold) = (b.values("w", inputs, units), b.values("b", 1, units), b.values("threshold", 1, units));
    let [shifted, gradient, since, unused] =
        ["shifted", "gradient", "since", "unused"].map(|name| b.values(name, 1, units));
    let [values, columns, out, derivatives] =
        ["values", "columns", "out", "derivatives"].map(|name| b.values(name, batch, entries));
    let (active, starts) = (b.values("active", 1, 1), b.values("starts", 1, units + 1));
    let order = ByColumn { starts, entries: b.values("entries", 1, batch * entries) };
    // What a back end may leave out is not compared.
    let y = b.program.value("y", batch, units);
    let linear = |out, bias| Op::Linear {
        input: x,
        weight: w,
        transposed: false,
        bias,
        activation: Activation::Relu,
        out,
        sample: None,
    };
    let (bandwidth, input) = (0.7, SparseRows { values, columns });
    let straight = StraightThrough { bandwidth, weight: 1.5, mean: 2.0 };
    let ops = vec![
        linear(dense, bias),
        Op::JumpRelu { input: dense, threshold, out: dense },
        Op::JumpReluBias { bias, threshold, bandwidth, out: shifted },
        linear(y, shifted),
        Op::Largest { input: y, out: input },
        Op::JumpReluListed { input, threshold, bandwidth, out, active },
        Op::ByColumn { rows: input, out: order },
        Op::UnusedBias { order, bias, since, limit: batch.div_ceil(2) as f32, out: unused },
        Op::JumpReluBackward { input: values, order, threshold, active, straight, derivatives, gradient },
    ];
    b.finish(
        format!("{entries} of {units} units with thresholds on {batch}x{inputs}"),
        ops,
        vec![step(batch.div_ceil(2))],
    )
}
