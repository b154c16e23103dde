//! Every kernel, for every tile shape.

use std::collections::BTreeMap;

use strait_compute::{
    Activation, Addend, Draw, Error, Factors, FoldTail, Fragments, Groups, Kind, LossKind, Matrices, Missing, Noise,
    Op, PenaltyKind, Precision, Program, Replica, Routine, Sample, Sampling, Shape, Shrinkage, Tensor, Tile, Tiles,
    Update, Window, kernels,
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
        let program = everything(precision)?;
        for shape in shapes {
            for (name, text) in kernels(&program, Tiles::Fixed(*shape), Some(matrices), whole_vectors) {
                texts.insert(text, name.replace(' ', "-"));
            }
        }
    }
    Ok(texts)
}

/// A program in which every operation occurs with every tail.
fn everything(precision: Precision) -> Result<Program, Error> {
    let mut program = Program::default();
    let mut values = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
    let (x, w, b, y, s) =
        (values("x", 9, 8), values("w", 8, 7), values("b", 1, 7), values("y", 9, 7), values("s", 9, 7));
    let (a, wide, spare) = (values("a", 1, 8), values("wide", 9, 8), values("spare", 8, 7));
    let (p, d) = (values("p", 9, 7), values("d", 9, 7));
    let mut routine = Routine::new("everything").in_precision(precision);
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
        let kind = LossKind::SquaredError { activation };
        routine.push(Op::Loss { kind, input: y, target: s, output: None, delta: Some(d) })?;
    }
    for kind in [LossKind::CrossEntropy, LossKind::SoftmaxCrossEntropy] {
        for (output, delta) in [(None, None), (Some(p), None), (None, Some(d)), (Some(p), Some(d))] {
            routine.push(Op::Loss { kind, input: y, target: s, output, delta })?;
        }
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
    let [squares, costs] = ["squares", "costs"].map(|name| program.value(name, 1, 7));
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
    let window = Window { height: 4, width: 4, channels: 2, kernel: 2, stride: 2, padding: 0 };
    let seen = program.value("seen", 8, 8);
    let [map, back] = ["map", "back"].map(|name| program.value(name, 2, 32));
    let channels = updates(&mut program, 1, 2);
    routine.push(Op::Unfold { input: map, window, out: seen })?;
    let activation = Activation::Relu;
    let layer = FoldTail::Layer { bias: channels[0].target(), activation };
    for tail in [FoldTail::Sum, layer, FoldTail::Backprop { output: map, activation }] {
        routine.push(Op::Fold { input: seen, window, tail, out: back })?;
    }
    for bias in channels {
        routine.push(Op::SharedBias { delta: back, bias })?;
    }
    let activation = Activation::Logistic;
    routine.push(Op::Contraction { weight: w, output: y, activation, penalty: 0.1, squares, costs })?;
    routine.push(Op::ColumnMeans { input: y, times: None, out: squares })?;
    let sparsity = PenaltyKind::Sparsity { weight: 0.1, target: 0.1, means: squares };
    for kind in [PenaltyKind::L1 { weight: 0.1 }, sparsity, PenaltyKind::Contractive { weight: 0.1, squares }] {
        routine.push(Op::Penalty { kind, output: y, activation, delta: d })?;
    }
    let missing = Noise::Missing(Missing { first: 3, share: 0.3 });
    for noise in [Noise::Masking(0.5), Noise::SaltAndPepper(0.5), Noise::Gaussian(0.5), missing] {
        routine.push(Op::Corrupt { input: y, noise, stream: 2, out: p })?;
    }
    let shrinkage = Shrinkage { rate: 0.1, sparsity: 0.1, pull: 1.0 };
    let [code, overlap, correlation] = [y, s, d];
    routine.push(Op::Shrink { code, overlap, correlation, prediction: code, shrinkage, out: p })?;
    for columns in [None, Some(b)] {
        routine.push(Op::RowSums { input: y, columns })?;
    }
    routine.push(Op::MaxNorm { weight: spare, norm: 1.0, rows: true })?;
    routine.push(Op::TopK { input: y, k: 3, out: p })?;
    let [noise, code] = ["noise", "code"].map(|name| program.value(name, x.rows, 4));
    let [moments, back] = ["moments", "back"].map(|name| program.value(name, x.rows, 8));
    routine.push(Op::Reparameterize { moments, kl_weight: 1.0, stream: 3, noise, out: code })?;
    routine.push(Op::ReparameterizeBackward { delta: code, moments, noise, kl_weight: 1.0, out: back })?;
    for kind in [Kind::Bytes, Kind::Rows] {
        let data = program.data("data", 20, 8, kind);
        let index = program.data("index", 1, 20, Kind::Index);
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: wide })?;
        routine.push(Op::Gather { data, index: Some(index), first: 0, shift: None, out: wide })?;
    }
    let data = program.data("rows", 20, 8, Kind::Rows);
    routine.push(Op::Scatter { input: x, data })?;
    for (given, states) in [(None, None), (Some(s), Some(Draw { out: d, stream: 1 }))] {
        routine.push(Op::Softmax {
            input: y,
            groups: Groups { first: 1, classes: 3 },
            scale: 1.0,
            given,
            out: p,
            states,
        })?;
    }
    routine.push(Op::CopyColumns { input: y, first: 1, out: p, to: 2, columns: 3 })?;
    for column in [None, Some(b)] {
        routine.push(Op::Standardize { input: y, shift: column, scale: column, out: p })?;
    }
    let labels = program.value("labels", 9, 3);
    let replica = |program: &mut Program, name: &str| Replica {
        visible: program.value(format!("v {name}"), 9, 8),
        inputs: program.value(format!("t {name}"), 9, 7),
        hidden: program.value(format!("h {name}"), 9, 7),
    };
    let chains = ["one", "two"].map(|name| replica(&mut program, name));
    routine.push(Op::ClassEnergies { inputs: y, weight: w, bias: a, out: labels })?;
    routine.push(Op::Exchange { chains, bias: a, difference: 0.1, parity: 0, stream: 1 })?;
    routine.push(Op::Threshold { weight: w, threshold: 0.1 })?;
    for factors in [Factors::Step, Factors::Fixed(1.0, -1.0)] {
        routine.push(Op::Combine { x: w, y: spare, factors, out: weights[0].target() })?;
        routine.push(Op::Combine { x: w, y: spare, factors, out: w })?;
    }
    routine.push(Op::Dot { x: w, y: spare })?;
    program.add(routine);
    Ok(program)
}
