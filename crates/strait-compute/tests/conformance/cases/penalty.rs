//! Penalties on the outputs of layers, with what they need of them.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (batch, cols) in CODES {
        cases.extend(Activation::ALL.map(|activation| absolute_values(batch, cols, activation)));
        cases.push(sparsity(batch, cols));
        for activation in [Activation::Linear, Activation::Logistic, Activation::Tanh, Activation::Relu] {
            cases.extend([0, 1, 2].map(|update| contractive(batch, cols + 1, cols, activation, update)));
        }
    }
    cases
}

fn absolute_values(batch: usize, cols: usize, activation: Activation) -> Case {
    let mut b = Builder::new();
    let (output, delta) = (b.values("y", batch, cols), b.values("delta", batch, cols));
    let op = Op::Penalty { kind: PenaltyKind::L1 { weight: 0.3 }, output, activation, delta };
    b.finish(format!("L1 {batch}x{cols} {}", activation.name()), vec![op], vec![step(batch.div_ceil(2))])
}

/// The penalty on mean outputs, of probabilities.
fn sparsity(batch: usize, cols: usize) -> Case {
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
fn contractive(batch: usize, inputs: usize, units: usize, activation: Activation, update: usize) -> Case {
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
