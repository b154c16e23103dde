//! Decoders that are fed with what they have given, step after step.

use strait_compute::{Device, Execution, Factors, Kind, Op, Program, Routine, RoutineId, Start, Step, Tensor, go_on};
use strait_data::Rows;

use super::SequenceAutoencoder;
use crate::network::{Network, minibatches};
use crate::{Error, Layer, Result};

/// Rows that are decoded at once.
const ROWS: usize = 500;

impl SequenceAutoencoder {
    /// The sequences that these codes stand for, of all steps, each step from the one before: one routine that is run as often as there are steps.
    pub(crate) fn run_freely(&self, device: &Device, codes: Rows<'_>) -> Result<Vec<f32>> {
        if codes.width != self.code_size() {
            return Err(Error::Width { expected: self.code_size(), found: codes.width });
        }
        let (steps, features) = (self.shape.steps, self.shape.features);
        let batch = ROWS.min(codes.count.max(1));
        let mut decoder = Decoder::load(self, device, batch)?;
        let mut sequences = Vec::with_capacity(codes.count * steps * features);
        for (offset, used) in minibatches(codes.count, batch) {
            let part = codes.range(offset as usize..(offset + used) as usize);
            let made = decoder.run(&part, batch, steps)?;
            for row in 0..used as usize {
                for t in 0..steps {
                    let number = if self.shape.reversed { steps - 1 - t } else { t };
                    sequences.extend_from_slice(&made[(number * batch + row) * features..][..features]);
                }
            }
        }
        Ok(sequences)
    }
}

/// A decoder on a device.
struct Decoder {
    execution: Box<dyn Execution>,
    codes: Tensor,
    /// What was given, step after step, each with all rows of a minibatch.
    given: Tensor,
    start: RoutineId,
    step: RoutineId,
}

impl Decoder {
    fn load(net: &SequenceAutoencoder, device: &Device, batch: usize) -> Result<Self> {
        let (shape, places) = (&net.shape, net.shape.places());
        let (units, features) = (shape.units, shape.features);
        let mut program = Program::default();
        let network = Network::declare(&mut program, "layers", &net.layers);
        let codes = program.data("codes", batch, net.code_size(), Kind::Rows);
        let given = program.data("given", batch * shape.steps, features, Kind::Rows);
        let code = program.value("code", batch, net.code_size());
        let previous = program.state("previous", batch, features);
        let (states, gates) = (shape.cell.states(), shape.cell.gates() * units);
        let memories: Vec<Tensor> =
            (0..shape.depth).map(|i| program.state(format!("memory.{i}"), batch, states * units + gates)).collect();

        // The first states are made of the code, and before the first step is nothing.
        let mut routine = Routine::new("start").with_independent_rows();
        routine.push(Op::Gather { data: codes, index: None, first: 0, shift: None, out: code })?;
        let Some(start) = places.start.map(|start| network.layers[start]) else {
            unreachable!("only decoders that are fed with the step before run freely");
        };
        let states = start.record(&mut program, &mut routine, code, "starts")?.out;
        let nothing = Factors::Fixed(0.0, 0.0);
        routine.push(Op::Combine { x: previous, y: previous, factors: nothing, out: previous })?;
        for (number, &memory) in memories.iter().enumerate() {
            routine.push(Op::Combine { x: memory, y: memory, factors: nothing, out: memory })?;
            routine.push(Op::CopyColumns {
                input: states,
                first: number * units,
                out: memory,
                to: 0,
                columns: units,
            })?;
        }
        let start = program.add(routine);

        let mut routine = Routine::new("step").with_independent_rows();
        let mut below = previous;
        for (number, (&[input, state], &memory)) in places.decoder.iter().zip(&memories).enumerate() {
            let inputs =
                network.layers[input].record(&mut program, &mut routine, below, &format!("gates.{number}"))?.out;
            let Layer { weight, bias, .. } = network.layers[state];
            let out = program.value(format!("h.{number}"), batch, units);
            routine.push(Op::Recurrence {
                cell: shape.cell,
                steps: 1,
                reversed: false,
                start: Start::Memory,
                inputs: Some(inputs),
                constant: None,
                weight,
                bias,
                lengths: None,
                memory,
                trace: None,
                out: Some(out),
            })?;
            below = out;
        }
        let output = network.layers[places.output].record(&mut program, &mut routine, below, "output")?.out;
        routine.push(Op::CopyColumns { input: output, first: 0, out: previous, to: 0, columns: features })?;
        routine.push(Op::Scatter { input: output, data: given })?;
        let step = program.add(routine);

        let mut execution = device.load(program)?;
        network.write(&mut *execution, &net.layers)?;
        Ok(Self { execution, codes, given, start, step })
    }

    fn run(&mut self, codes: &Rows<'_>, batch: usize, steps: usize) -> Result<Vec<f32>> {
        let mut numbers = codes.to_numbers();
        numbers.resize(self.codes.len(), 0.0);
        self.execution.write(self.codes, &numbers)?;
        let rows = batch as u32;
        self.execution.run(self.start, &[Step { rows, ..Step::default() }], &mut go_on)?;
        let of_step = |t: usize| Step { offset: (t * batch) as u32, rows, ..Step::default() };
        self.execution.run(self.step, &(0..steps).map(of_step).collect::<Vec<_>>(), &mut go_on)?;
        Ok(self.execution.read(self.given)?)
    }
}
