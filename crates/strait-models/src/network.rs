//! Layers on a device: how models record themselves into programs.

use strait_compute::{
    Activation, Device, Execution, FoldTail, Kind, Metrics, Op, Program, Routine, RoutineId, Step, Tensor, Uploader,
    Window, go_on,
};
use strait_data::{Rows, Values};

use crate::{Affine, Convolution, Result, Tape, transpose};

/// Rows that are evaluated at once.
pub const EVALUATION_BATCH: usize = 1000;

/// The tensors of a layer's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// W, [inputs, outputs], or [taps, filters] of a convolution; [outputs, inputs] where it is that of another layer.
    pub weight: Tensor,
    /// Whether the layer uses it transposed: a transposed convolution, or a layer whose weights are those of another one.
    pub transposed: bool,
    /// b
    pub bias: Tensor,
    /// act
    pub activation: Activation,
    /// The window of a convolution.
    pub window: Option<Window>,
    /// θ, [1, outputs]: outputs up to it become 0.
    pub threshold: Option<Tensor>,
}

/// What a layer makes of a minibatch.
#[derive(Clone, Copy, Debug)]
pub struct Outputs {
    /// The outputs, [B, outputs].
    pub out: Tensor,
    /// What the weights were multiplied with, where it is not the layer's input itself: the windows on it that a
    /// convolution sees, or the pixels of a transposed one's input, [B P, taps or filters].
    pub seen: Option<Tensor>,
}

impl Layer {
    /// Whether its weights are those of another layer.
    pub fn is_tied(&self) -> bool {
        self.transposed && self.window.is_none()
    }

    /// The number of outputs for each row.
    pub fn outputs(&self) -> usize {
        match self.window {
            None if self.transposed => self.weight.rows,
            None => self.weight.cols,
            Some(window) if self.transposed => window.values(),
            Some(window) => window.positions() * self.weight.cols,
        }
    }

    /// Records the layer on a minibatch; `name` is that of its outputs.
    ///
    /// # Errors
    /// If the minibatch does not fit.
    pub fn record(&self, program: &mut Program, routine: &mut Routine, input: Tensor, name: &str) -> Result<Outputs> {
        let batch = input.rows;
        let out = program.value(name, batch, self.outputs());
        let Self { weight, transposed, bias, activation, window, threshold } = *self;
        let Some(window) = window else {
            routine.push(Op::Linear { input, weight, transposed, bias, activation, out, sample: None })?;
            if let Some(threshold) = threshold {
                routine.push(Op::JumpRelu { input: out, threshold, out })?;
            }
            return Ok(Outputs { out, seen: None });
        };
        let (windows, filters) = (batch * window.positions(), weight.cols);
        let mut declare = |what: &str, cols: usize| program.value(format!("{name}.{what}"), windows, cols);
        let pixels = window.pixels(filters);
        if transposed {
            let (seen, sums) = (declare("pixels", filters), declare("windows", window.taps()));
            let none = program.data(format!("{}.no_bias", program.name(out)), 1, window.taps(), Kind::Values);
            let linear = Activation::Linear;
            routine.push(Op::Unfold { input, window: pixels, out: seen })?;
            routine.push(Op::Linear {
                input: seen,
                weight,
                transposed,
                bias: none,
                activation: linear,
                out: sums,
                sample: None,
            })?;
            routine.push(Op::Fold { input: sums, window, tail: FoldTail::Layer { bias, activation }, out })?;
            return Ok(Outputs { out, seen: Some(seen) });
        }
        let (seen, each) = (declare("windows", window.taps()), declare("pixels", filters));
        routine.push(Op::Unfold { input, window, out: seen })?;
        routine.push(Op::Linear { input: seen, weight, transposed, bias, activation, out: each, sample: None })?;
        routine.push(Op::Fold { input: each, window: pixels, tail: FoldTail::Sum, out })?;
        Ok(Outputs { out, seen: Some(seen) })
    }
}

/// The outputs of a layer that stay, the others become 0.
#[derive(Clone, Copy, Debug)]
pub struct LargestOutputs {
    /// The number of the layer.
    pub layer: usize,
    /// How many outputs, the largest ones.
    pub k: usize,
}

/// The tensors of the parameters of a layered net.
#[derive(Clone, Debug)]
pub struct Network {
    /// From the input to the output.
    pub layers: Vec<Layer>,
}

impl Network {
    /// Declares the parameters of these layers: `NAME.0.weight`, `NAME.0.bias`, and so on.
    pub fn declare(program: &mut Program, name: &str, layers: &[Affine]) -> Self {
        let declare = |(i, layer): (usize, &Affine)| {
            let [rows, cols] = layer.weight_shape().unwrap_or([layer.inputs, layer.outputs]);
            Layer {
                weight: program.parameter(format!("{name}.{i}.weight"), rows, cols),
                transposed: layer.convolution.is_some_and(|convolution| convolution.transposed),
                bias: program.parameter(format!("{name}.{i}.bias"), 1, layer.bias.len()),
                activation: layer.activation,
                window: layer.convolution.map(|convolution| convolution.window),
                threshold: layer
                    .threshold
                    .as_ref()
                    .map(|threshold| program.parameter(format!("{name}.{i}.threshold"), 1, threshold.len())),
            }
        };
        Self { layers: layers.iter().enumerate().map(declare).collect() }
    }

    /// The same for an even number of layers of which the second half uses the weights of the first half, transposed, in
    /// reverse order.
    pub fn declare_tied(program: &mut Program, name: &str, layers: &[Affine]) -> Self {
        let (up, down) = layers.split_at(layers.len() / 2);
        let mut network = Self::declare(program, name, up);
        for (i, layer) in down.iter().enumerate() {
            let weight = network.layers[up.len() - 1 - i].weight;
            let bias = program.parameter(format!("{name}.{}.bias", up.len() + i), 1, layer.bias.len());
            let activation = layer.activation;
            network.layers.push(Layer { weight, transposed: true, bias, activation, window: None, threshold: None });
        }
        network
    }

    /// The parameters, each once.
    pub fn parameters(&self) -> Vec<Tensor> {
        let parameters = |layer: &Layer| {
            let weight = (!layer.is_tied()).then_some(layer.weight);
            [weight, Some(layer.bias), layer.threshold].into_iter().flatten()
        };
        self.layers.iter().flat_map(parameters).collect()
    }

    /// Writes the parameters of these layers to the device.
    ///
    /// # Errors
    /// The device's own.
    pub fn write(&self, execution: &mut dyn Execution, layers: &[Affine]) -> Result<()> {
        for (on_device, layer) in self.layers.iter().zip(layers) {
            if !on_device.is_tied() {
                execution.write(on_device.weight, &layer.weight)?;
            }
            execution.write(on_device.bias, &layer.bias)?;
            if let (Some(tensor), Some(threshold)) = (on_device.threshold, &layer.threshold) {
                execution.write(tensor, threshold)?;
            }
        }
        Ok(())
    }

    /// Reads the parameters of these layers from the device.
    ///
    /// # Errors
    /// The device's own.
    pub fn read(&self, execution: &mut dyn Execution, layers: &mut [Affine]) -> Result<()> {
        self.read_from(&mut |tensor| Ok(execution.read(tensor)?), layers)
    }

    /// Reads the parameters of these layers from wherever `read` finds their tensors.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_from(&self, read: &mut dyn FnMut(Tensor) -> Result<Vec<f32>>, layers: &mut [Affine]) -> Result<()> {
        for (on_device, layer) in self.layers.iter().zip(layers) {
            let weight = read(on_device.weight)?;
            layer.weight = if on_device.is_tied() { transpose(&weight, on_device.weight.cols) } else { weight };
            layer.bias = read(on_device.bias)?;
            if let Some(threshold) = on_device.threshold {
                // Those below 0 act as 0.
                layer.threshold = Some(read(threshold)?.into_iter().map(|x| if x < 0.0 { 0.0 } else { x }).collect());
            }
        }
        Ok(())
    }
}

/// Declares the tensor of a data set: of kind `Bytes` or `Rows`, as its values are.
pub fn declare_rows(program: &mut Program, name: &str, rows: &Rows<'_>) -> Tensor {
    let kind = match rows.values {
        Values::Bytes(_) => Kind::Bytes,
        Values::Numbers(_) | Values::Halves(_) => Kind::Rows,
    };
    program.data(name, rows.count, rows.width, kind)
}

/// Writes a data set to its tensor, whose kind it must have.
///
/// # Errors
/// The device's own.
pub fn upload(execution: &mut dyn Execution, tensor: Tensor, rows: &Rows<'_>) -> Result<()> {
    match rows.values {
        Values::Bytes(bytes) => execution.write_bytes(tensor, bytes)?,
        Values::Numbers(numbers) => execution.write(tensor, numbers)?,
        Values::Halves(_) => execution.write(tensor, &rows.to_numbers())?,
    }
    Ok(())
}

/// Writes rows to the start of a data set's tensor while a program runs; see [`Execution::uploader`].
///
/// # Errors
/// The device's own.
pub fn fill(place: &Uploader, rows: &Rows<'_>) -> Result<()> {
    match rows.values {
        Values::Bytes(bytes) => place.write_bytes(bytes.chunks_exact(rows.width))?,
        Values::Numbers(numbers) => place.write(numbers.chunks_exact(rows.width))?,
        Values::Halves(_) => place.write(rows.to_numbers().chunks_exact(rows.width))?,
    }
    Ok(())
}

/// `(offset, rows)` of the minibatches that cover `count` rows; the last one may be smaller.
///
/// ```
/// assert_eq!(strait_models::minibatches(5, 2).collect::<Vec<_>>(), [(0, 2), (2, 2), (4, 1)]);
/// ```
pub fn minibatches(count: usize, batch: usize) -> impl ExactSizeIterator<Item = (u32, u32)> {
    (0..count).step_by(batch).map(move |offset| (offset as u32, batch.min(count - offset) as u32))
}

/// Rows of a minibatch of evaluation, of which a device can hold every layer's activities.
pub fn evaluation_batch(device: &Device, layers: &[Affine], rows: usize) -> usize {
    /// Numbers of the windows of all rows: what no device need hold more of.
    const NUMBERS: usize = 1 << 26;
    /// Windows of all rows, which are the rows of a product: so many that there are enough workgroups for them.
    const WINDOWS: usize = 8 * 65_535;
    let width = |layer: &Affine| layer.inputs.max(layer.outputs);
    let widest = layers.iter().map(width).max().unwrap_or(1);
    let fitting = device.largest_tensor().map_or(rows, |limit| limit as usize / (4 * widest).max(1));
    let convolved = layers.iter().filter_map(|layer| layer.convolution).map(|Convolution { window, .. }| {
        let (positions, taps) = (window.positions(), window.taps());
        let numbers = device.largest_tensor().map_or(NUMBERS, |limit| NUMBERS.min(limit as usize / 4));
        (numbers / positions.saturating_mul(taps).max(1)).min(WINDOWS / positions.max(1))
    });
    EVALUATION_BATCH.min(rows).min(convolved.min().unwrap_or(rows)).min(fitting).max(1)
}

/// The rows in parts that a device can hold, with results of `outputs` numbers for each row; whole minibatches of
/// evaluation, so that the parts change no bit.
///
/// ```
/// let device = strait_compute::Device::cpu()?;
/// let rows = strait_data::Rows::bytes(&[1, 2, 3, 4], 2)?;
/// assert_eq!(strait_models::parts(&device, rows, 8).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parts<'a>(device: &Device, rows: Rows<'a>, outputs: usize) -> impl Iterator<Item = Rows<'a>> + use<'a> {
    let fitting = device.most_at_once() as usize / rows.row_bytes().max(4 * outputs);
    let part = match fitting {
        _ if fitting >= rows.count => rows.count,
        EVALUATION_BATCH.. => fitting / EVALUATION_BATCH * EVALUATION_BATCH,
        _ => fitting.max(1),
    };
    (0..rows.count).step_by(part).map(move |start| rows.range(start..(start + part).min(rows.count)))
}

/// The layers on a device with a data set, ready to be run over all its rows once.
pub(crate) struct Evaluation {
    execution: Box<dyn Execution>,
    routine: RoutineId,
    rows: usize,
    batch: usize,
}

impl Evaluation {
    /// Loads the layers, at least one, and the rows. `last` gives the operation that takes a minibatch and its outputs.
    pub(crate) fn load(
        device: &Device,
        layers: &[Affine],
        largest: Option<LargestOutputs>,
        rows: &Rows<'_>,
        last: impl FnOnce(&mut Program, Tensor, Tensor) -> Op,
    ) -> Result<Self> {
        if rows.width != layers[0].inputs {
            return Err(crate::Error::Width { expected: layers[0].inputs, found: rows.width });
        }
        layers.iter().try_for_each(Affine::check)?;
        let batch = evaluation_batch(device, layers, rows.count);
        let mut program = Program::default();
        let data = declare_rows(&mut program, "data", rows);
        let input = program.value("x", batch, rows.width);
        let network = Network::declare(&mut program, "layers", layers);
        let mut routine = Routine::new("evaluation").with_independent_rows();
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: input })?;
        let mut tape = Tape::measuring(&mut program, &mut routine, batch);
        let x = tape.data(input);
        let outputs = tape.chain_keeping(x, &network.layers, largest)?;
        let outputs = tape.tensor(outputs);
        routine.push(last(&mut program, input, outputs))?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        network.write(&mut *execution, layers)?;
        upload(&mut *execution, data, rows)?;
        Ok(Self { execution, routine, rows: rows.count, batch })
    }

    /// Runs over all rows.
    pub(crate) fn run(&mut self) -> Result<Metrics> {
        let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
        let steps: Vec<Step> = minibatches(self.rows, self.batch).map(step).collect();
        Ok(self.execution.run(self.routine, &steps, &mut go_on)?)
    }
}

/// The outputs of these layers for each row of a data set.
///
/// # Errors
/// If the data do not fit the first layer, or the device fails.
pub fn forward(
    device: &Device,
    layers: &[Affine],
    largest: Option<LargestOutputs>,
    rows: &Rows<'_>,
) -> Result<Vec<f32>> {
    let Some(last) = layers.last() else {
        return Ok(rows.to_numbers());
    };
    let mut outputs = Vec::new();
    for rows in parts(device, *rows, last.outputs) {
        let mut result = None;
        let mut evaluation = Evaluation::load(device, layers, largest, &rows, |program, _, input| {
            let data = *result.insert(program.data("result", rows.count, last.outputs, Kind::Rows));
            Op::Scatter { input, data }
        })?;
        evaluation.run()?;
        let Some(result) = result else { unreachable!("it was declared while the layers were loaded") };
        let read = evaluation.execution.read(result)?;
        // Mostly there is but one part: it is not copied.
        if outputs.is_empty() {
            outputs = read;
        } else {
            outputs.extend(read);
        }
    }
    Ok(outputs)
}
