//! Every kernel, for every tile shape.

#[path = "../../tests/conformance/cases/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the conformance test has more of them")]
mod cases;
#[path = "../../tests/conformance/table.rs"]
#[expect(dead_code, reason = "only the programs are of use here")]
mod table;

use std::collections::BTreeMap;

use strait_compute::{
    Activation, Addend, Error, Fragments, Matrices, Op, Precision, Program, Routine, Sample, Sampling, Shape, Tensor,
    Tile, Tiles, Update, kernels,
};

/// The texts of all kernels, with their names; see [`kernels`] for `whole_vectors`.
pub(crate) fn texts(whole_vectors: bool) -> Result<BTreeMap<String, String>, Error> {
    let tiles =
        [Tile::HUGE, Tile::LARGE, Tile::SHARED, Tile::NARROW, Tile::TINY, Tile::SMALL, Tile::SOFTWARE].map(Shape::Tile);
    // The cooperative matrices of most GPUs that have any.
    let matrices = Matrices { edge: 16, subgroup: 32, either_way: false };
    let fragments: Vec<Shape> = [false, true]
        .into_iter()
        .flat_map(|as_stored| Fragments::shapes(matrices.edge, matrices.subgroup, as_stored))
        .map(Shape::Fragments)
        .collect();
    let mut texts = BTreeMap::new();
    for (shapes, precision) in [(&tiles[..], Precision::F32), (&fragments[..], Precision::Mixed)] {
        let others = [cases::operations(), cases::steps()].concat().into_iter();
        let programs = others.map(|case| case.in_precision(precision).program).chain([products(precision)?]);
        for (program, shape) in programs.flat_map(|program| shapes.iter().map(move |shape| (program.clone(), shape))) {
            for (name, text) in kernels(&program, Tiles::Fixed(*shape), Some(matrices), whole_vectors) {
                texts.insert(text, name.replace(' ', "-"));
            }
        }
    }
    Ok(texts)
}

/// A program in which every product occurs with every tail.
fn products(precision: Precision) -> Result<Program, Error> {
    let mut program = Program::default();
    let mut values = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
    let (x, w, b, y, s) =
        (values("x", 9, 8), values("w", 8, 7), values("b", 1, 7), values("y", 9, 7), values("s", 9, 7));
    let (a, wide, d) = (values("a", 1, 8), values("wide", 9, 8), values("d", 9, 7));
    let mut routine = Routine::new("products").in_precision(precision);
    for activation in Activation::ALL {
        for sampling in [None, Some(Sampling::Bernoulli), Some(Sampling::Gaussian), Some(Sampling::Rectified)] {
            if sampling == Some(Sampling::Rectified) && activation != Activation::Softplus {
                continue;
            }
            let sample = sampling.map(|sampling| Sample { sampling, out: s, stream: 1 });
            routine.push(Op::Linear { input: x, weight: w, transposed: false, bias: b, activation, out: y, sample })?;
        }
        let up = Op::Linear { input: y, weight: w, transposed: true, bias: a, activation, out: wide, sample: None };
        routine.push(up)?;
        routine.push(Op::Backprop { delta: y, weight: w, transposed: false, output: x, activation, out: wide })?;
    }
    let updates = |program: &mut Program, rows: usize, cols: usize| {
        let mut state = |name: &str| program.value(name, rows, cols);
        let parameter: Tensor = state("parameter");
        [
            Update::Store { gradient: parameter },
            Update::Momentum { parameter, velocity: state("velocity") },
            Update::Adam { parameter, first: state("first"), second: state("second") },
        ]
    };
    let weights = updates(&mut program, 8, 7);
    let biases = updates(&mut program, 1, 7);
    let inputs = updates(&mut program, 1, 8);
    // Products whose operands are all read four numbers at a time.
    let [y4, s4, w4] = [("y4", 9), ("s4", 9), ("w4", 8)].map(|(name, rows)| program.value(name, rows, 8));
    let activation = Activation::Logistic;
    let sample = Some(Sample { sampling: Sampling::Bernoulli, out: s4, stream: 1 });
    for transposed in [false, true] {
        let (input, weight) = (x, w4);
        routine.push(Op::Linear { input, weight, transposed, bias: a, activation, out: y4, sample })?;
        routine.push(Op::Backprop { delta: y4, weight, transposed, output: x, activation, out: wide })?;
    }
    let weights4 = updates(&mut program, 8, 8);
    let biases4 = updates(&mut program, 1, 8);
    for (y, s, weights, biases) in [(y, s, weights, biases), (y4, s4, weights4, biases4)] {
        for (negative, i) in [None, Some((wide, s))].into_iter().flat_map(|two| (0..3).map(move |i| (two, i))) {
            let (weight, bias, input_bias) = (weights[i], Some(biases[i]), Some(inputs[i]));
            routine.push(Op::Gradient {
                positive: (x, y),
                negative,
                weight,
                bias,
                input_bias,
                plus: None,
                positions: 1,
                scale: 1.0,
            })?;
        }
    }
    let costs = program.value("costs", 1, 7);
    let kept = program.value("kept", 8, 7);
    let kept4 = program.value("kept4", 8, 8);
    for (update, delta, kept) in
        weights.map(|update| (update, y, kept)).into_iter().chain(weights4.map(|it| (it, y4, kept4)))
    {
        match update {
            Update::Store { gradient } => {
                let learn = Op::gradient((x, delta), update);
                let Op::Gradient { positive, negative, weight, bias, input_bias, positions, scale, .. } = learn else {
                    unreachable!("it is a gradient");
                };
                let plus = Some(Addend::Gradient(gradient));
                routine.push(Op::Gradient { positive, negative, weight, bias, input_bias, plus, positions, scale })?;
            }
            update => {
                for decays in [false, true] {
                    routine.push(Op::Update { gradient: kept, update, decays })?;
                }
            }
        }
    }
    for weight in weights {
        for plus in [Addend::Decay { weight: w, costs }, Addend::Gradient(kept)] {
            let (positive, plus, bias) = ((x, y), Some(plus), None);
            routine.push(Op::Gradient {
                positive,
                negative: None,
                weight,
                bias,
                input_bias: bias,
                plus,
                positions: 1,
                scale: 1.0,
            })?;
        }
    }
    routine.push(Op::Backprop {
        delta: wide,
        weight: w,
        transposed: true,
        output: y,
        activation: Activation::Relu,
        out: d,
    })?;
    // Beside each other where that is possible, and alone.
    for op in routine.ops() {
        let mut alone = Routine::new("product").in_precision(precision);
        alone.push(op.clone())?;
        program.add(alone);
    }
    program.add(routine);
    Ok(program)
}
