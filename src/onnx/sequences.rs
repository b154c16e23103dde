//! Autoencoders of sequences in ONNX.

use super::graph::{Type, int, ints, text};
use super::{Part, Recorder};
use crate::Affine;
use crate::compute::Cell;
use crate::models::{Error, Feeding, Result, SequenceAutoencoder, SequenceCode};

/// The gates in ONNX's order, by their numbers here: i o f c of an LSTM, z r h of a GRU.
fn order(cell: Cell) -> &'static [usize] {
    match cell {
        Cell::Lstm => &[0, 3, 1, 2],
        Cell::Gru => &[1, 0, 2],
    }
}

/// Weights as ONNX has them, [G H, inputs].
fn weights(layer: &Affine, cell: Cell, units: usize) -> Vec<f32> {
    let row = |gate: usize, unit: usize| {
        let column = gate * units + unit;
        layer.weight.iter().skip(column).step_by(layer.outputs).copied().collect::<Vec<_>>()
    };
    order(cell).iter().flat_map(|&gate| (0..units).flat_map(move |unit| row(gate, unit))).collect()
}

fn biases(layer: &Affine, cell: Cell, units: usize) -> Vec<f32> {
    order(cell).iter().flat_map(|&gate| &layer.bias[gate * units..(gate + 1) * units]).copied().collect()
}

impl Recorder<'_> {
    /// A recurrent layer on steps [T, n, inputs], with the parts of each direction: the states of each step, [T, directions, n, H], and those at the
    /// end, [directions, n, H].
    fn recurrent(
        &mut self,
        steps: &str,
        parts: &[[&Affine; 2]],
        (cell, units): (Cell, usize),
        direction: &str,
        lengths: &str,
    ) -> [String; 2] {
        let (count, rows) = (parts.len(), cell.gates() * units);
        let gather = |of: &dyn Fn(&[&Affine; 2]) -> Vec<f32>| parts.iter().flat_map(of).collect::<Vec<_>>();
        let below = gather(&|[input, _]| weights(input, cell, units));
        let own = gather(&|[_, state]| weights(state, cell, units));
        let bias = gather(&|[input, state]| [biases(input, cell, units), biases(state, cell, units)].concat());
        let below = self.graph.single(&[count, rows, parts[0][0].inputs], &below);
        let own = self.graph.single(&[count, rows, units], &own);
        let bias = self.graph.single(&[count, 2 * rows], &bias);
        let mut attributes = vec![int("hidden_size", units as i64), text("direction", direction)];
        let op = match cell {
            Cell::Lstm => "LSTM",
            Cell::Gru => {
                attributes.push(int("linear_before_reset", 1));
                "GRU"
            }
        };
        self.graph.two(op, &[steps, &below, &own, &bias, lengths], &attributes)
    }

    pub(super) fn sequences(&mut self, net: &SequenceAutoencoder, part: Part) -> Result<()> {
        let shape = &net.shape;
        if part != Part::Encoder && shape.feeding == Feeding::Previous {
            let message =
                "a decoder that is fed with its own steps is no graph without loops: export it by --part encoder";
            return Err(Error::Shape(message.to_owned()));
        }
        if part == Part::Whole && shape.lengths {
            let message = "rows that end in their number of steps are not reconstructed as a whole: export --part encoder and --part decoder";
            return Err(Error::Shape(message.to_owned()));
        }
        if let (Part::Noise, false) = (part, matches!(shape.code, SequenceCode::Gaussian(_))) {
            return Err(Error::Shape("--part noise: its codes are not drawn".to_owned()));
        }
        let size = net.code_size();
        if part == Part::Decoder {
            let code = self.graph.input("input", size, Type::Single);
            self.written(net, &code);
            return Ok(());
        }
        let code = self.read(net);
        let code = match shape.code {
            SequenceCode::State | SequenceCode::Linear(_) => {
                self.graph.output(&code, "code", Some(size), Type::Single);
                code
            }
            SequenceCode::Gaussian(_) => {
                let sizes = self.graph.whole(&[size as i64, size as i64]);
                let [mean, log_variance] = self.graph.halves(&code, &sizes);
                self.graph.output(&mean, "mean", Some(size), Type::Single);
                self.graph.output(&log_variance, "log_variance", Some(size), Type::Single);
                if part == Part::Noise { self.drawn(&mean, &log_variance, size) } else { mean }
            }
        };
        if part != Part::Encoder {
            self.written(net, &code);
        }
        Ok(())
    }

    /// The last states of an encoder, or the layer on them.
    fn read(&mut self, net: &SequenceAutoencoder) -> String {
        let (shape, mut layers) = (&net.shape, net.layers.iter());
        let mut pair = || [layers.next(), layers.next()].map(|layer| layer.unwrap_or(&net.layers[0]));
        let width = shape.steps * shape.features;
        let rows = self.rows(net.inputs());
        let (mut x, mut lengths) = (rows.clone(), String::new());
        if shape.lengths {
            let sizes = self.graph.whole(&[width as i64, 1]);
            let [values, ends] = self.graph.halves(&rows, &sizes);
            let axes = self.graph.whole(&[1]);
            let ends = self.graph.op("Squeeze", &[&ends, &axes], &[]);
            (x, lengths) = (values, self.graph.cast(&ends, Type::Short));
        }
        let places = self.graph.whole(&[-1, shape.steps as i64, shape.features as i64]);
        let x = self.graph.op("Reshape", &[&x, &places], &[]);
        let mut steps = self.graph.op("Transpose", &[&x], &[ints("perm", &[1, 0, 2])]);
        let directions = if shape.bidirectional { 2 } else { 1 };
        let direction = if shape.bidirectional { "bidirectional" } else { "forward" };
        let mut last = String::new();
        for _ in 0..shape.depth {
            let parts: Vec<[&Affine; 2]> = (0..directions).map(|_| pair()).collect();
            let [states, end] = self.recurrent(&steps, &parts, (shape.cell, shape.units), direction, &lengths);
            // [T, directions, n, H] into [T, n, directions H], as the next layer takes them.
            let states = self.graph.op("Transpose", &[&states], &[ints("perm", &[0, 2, 1, 3])]);
            let places = self.graph.whole(&[0, 0, (directions * shape.units) as i64]);
            steps = self.graph.op("Reshape", &[&states, &places], &[]);
            last = end;
        }
        let last = self.graph.op("Transpose", &[&last], &[ints("perm", &[1, 0, 2])]);
        let places = self.graph.whole(&[0, (directions * shape.units) as i64]);
        let code = self.graph.op("Reshape", &[&last, &places], &[]);
        match shape.code {
            SequenceCode::State => code,
            SequenceCode::Linear(_) | SequenceCode::Gaussian(_) => self.graph.layer(&code, pair()[0]),
        }
    }

    /// The sequences that a decoder writes which is fed with the code in each step.
    fn written(&mut self, net: &SequenceAutoencoder, code: &str) {
        let (shape, depth) = (&net.shape, net.shape.depth);
        let Some((output, below)) = net.layers.split_last() else { return };
        let decoder = &below[below.len() - 2 * depth..];
        let axes = self.graph.whole(&[0]);
        let repeated = self.graph.op("Unsqueeze", &[code, &axes], &[]);
        let times = self.graph.whole(&[shape.steps as i64, 1, 1]);
        let mut steps = self.graph.op("Expand", &[&repeated, &times], &[]);
        let direction = if shape.reversed { "reverse" } else { "forward" };
        for parts in decoder.chunks_exact(2) {
            let [states, _] =
                self.recurrent(&steps, &[[&parts[0], &parts[1]]], (shape.cell, shape.units), direction, "");
            let axes = self.graph.whole(&[1]);
            steps = self.graph.op("Squeeze", &[&states, &axes], &[]);
        }
        let steps = self.graph.op("Transpose", &[&steps], &[ints("perm", &[1, 0, 2])]);
        let weight = self.graph.single(&[output.inputs, output.outputs], &output.weight);
        let bias = self.graph.single(&[output.outputs], &output.bias);
        let totals = self.graph.op("MatMul", &[&steps, &weight], &[]);
        let totals = self.graph.op("Add", &[&totals, &bias], &[]);
        let width = shape.steps * shape.features;
        let places = self.graph.whole(&[-1, width as i64]);
        let totals = self.graph.op("Reshape", &[&totals, &places], &[]);
        let made = self.graph.activation(&totals, output.activation);
        let made = self.undone(&made);
        self.graph.output(&made, "reconstruction", Some(width), Type::Single);
        if output.activation == crate::Activation::Logistic {
            self.graph.output(&totals, "logits", Some(width), Type::Single);
        }
    }
}
