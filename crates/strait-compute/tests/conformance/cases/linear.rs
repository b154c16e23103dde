//! Layers over data of which much is zero, all is zero or one, or some is infinite.

use super::*;

/// Products of numbers of which many are zero, or all are zero or one, of sizes at which the CPU makes use of that.
pub(crate) fn zeros() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["images", "bits", "bits and a half"] {
        cases.extend(
            [(33, 30, 20, 33), (70, 130, 600, 64), (131, 65, 145, 7), (300, 1100, 70, 299)]
                .map(|(batch, inputs, units, active)| data(name, batch, inputs, units, active)),
        );
    }
    cases
}

/// A layer's products for data of that name, which says what they are like: up, with states, and its gradient.
fn data(name: &str, batch: usize, inputs: usize, units: usize, active: usize) -> Case {
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
