//! Parts of models that stay loaded on a device: a call uploads rows, runs, and reads.

use std::borrow::Cow;

use strait_compute::{Device, Execution, Kind, Metrics, Op, Program, Routine, RoutineId, Step, Tensor, go_on};
use strait_data::{Rows, Values};

use crate::computation::Computation;
use crate::network::minibatches;
use crate::{Error, Result};

/// How many rows a part has room for.
#[derive(Clone, Copy)]
pub(crate) enum Room {
    /// For calls with any number of rows.
    Any,
    /// For a call with that many rows.
    Once(usize),
}

impl Room {
    /// Rows of each place and of its minibatches, for minibatches of at most `batch` rows in tensors of at most `largest` rows.
    /// From small to large. Each takes as long as if all of its rows were in use.
    fn places(self, batch: usize, largest: usize) -> Vec<[usize; 2]> {
        /// Rows of the places below the largest, so that few calls compute more than twice the rows that they need.
        const SMALL: [usize; 7] = [1, 8, 32, 64, 125, 250, 500];
        /// Minibatches of a place for one call: enough to keep a device busy, and few enough not to copy all of a large data set.
        const MINIBATCHES: usize = 16;
        match self {
            Self::Any => {
                SMALL.into_iter().filter(|&rows| rows < batch).chain([batch]).map(|rows| [rows, rows]).collect()
            }
            Self::Once(count) => {
                let whole = (largest / batch).clamp(1, MINIBATCHES) * batch;
                vec![[count.min(whole), count.min(batch)]]
            }
        }
    }
}

/// A part on a device.
pub(crate) struct Resident {
    execution: Box<dyn Execution>,
    inputs: usize,
    places: Vec<Place>,
}

/// Room for rows, and the routine that runs over them.
struct Place {
    data: Tensor,
    /// Where the outputs of all rows go, if there are any.
    result: Option<Tensor>,
    /// Rows of a minibatch.
    batch: usize,
    routine: RoutineId,
}

impl Resident {
    pub(crate) fn load(device: &Device, computation: &Computation<'_>, room: Room) -> Result<Self> {
        let (inputs, width) = (computation.inputs(), computation.width());
        let batch = computation.batch(device);
        let row_bytes = 4 * inputs.max(width).max(1);
        let largest = device.largest_tensor().map_or(usize::MAX, |limit| limit as usize / row_bytes);
        let mut program = Program::default();
        let parameters = computation.declare(&mut program);
        let mut places = Vec::new();
        for [rows, batch] in room.places(batch, largest) {
            let data = program.data(format!("data.{rows}"), rows, inputs, Kind::Rows);
            let x = program.value("x", batch, inputs);
            let mut routine = Routine::new(format!("{rows} rows")).with_independent_rows();
            routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: x })?;
            let computed = computation.record(&parameters, &mut program, &mut routine, x)?;
            let result = computed.map(|input| (input, program.data(format!("result.{rows}"), rows, width, Kind::Rows)));
            if let Some((input, data)) = result {
                routine.push(Op::Scatter { input, data })?;
            }
            let result = result.map(|(_, data)| data);
            places.push(Place { data, result, batch, routine: program.add(routine) });
        }
        let mut execution = device.load(program)?;
        computation.write(&parameters, &mut *execution)?;
        Ok(Self { execution, inputs, places })
    }

    /// The outputs for these rows, row after row.
    pub(crate) fn outputs(&mut self, rows: Rows<'_>) -> Result<Vec<f32>> {
        Ok(self.run(rows, 0, true)?.0)
    }

    /// The losses and errors of these rows.
    pub(crate) fn metrics(&mut self, rows: Rows<'_>, seed: u64) -> Result<Metrics> {
        Ok(self.run(rows, seed, false)?.1)
    }

    fn run(&mut self, rows: Rows<'_>, seed: u64, read: bool) -> Result<(Vec<f32>, Metrics)> {
        if rows.width != self.inputs {
            return Err(Error::Width { expected: self.inputs, found: rows.width });
        }
        let (mut outputs, mut metrics, mut counter, mut start) = (Vec::new(), Metrics::default(), 0, 0);
        while start < rows.count {
            // The last rows may need less room than the others.
            let fitting = self.places.iter().position(|place| place.data.rows >= rows.count - start);
            let place = &self.places[fitting.unwrap_or(self.places.len() - 1)];
            let part = rows.range(start..(start + place.data.rows).min(rows.count));
            start += part.count;
            self.execution.write(place.data, &padded(&part, place.data.len()))?;
            let steps = minibatches(part.count, place.batch).zip(counter..);
            let steps = steps.map(|((offset, rows), counter)| Step { offset, rows, counter, ..Step::seeded(seed) });
            let steps: Vec<Step> = steps.collect();
            metrics.append(self.execution.run(place.routine, &steps, &mut go_on)?);
            counter += steps.len() as u32;
            if let Some(result) = place.result.filter(|_| read) {
                let mut values = self.execution.read(result)?;
                values.truncate(part.count * result.cols);
                // Mostly there is but one part: it is not copied.
                if outputs.is_empty() {
                    outputs = values;
                } else {
                    outputs.extend(values);
                }
            }
        }
        Ok((outputs, metrics))
    }
}

/// Rows as numbers, with zeros behind them.
fn padded<'a>(rows: &Rows<'a>, length: usize) -> Cow<'a, [f32]> {
    let mut numbers = match rows.values {
        Values::Numbers(numbers) => Cow::Borrowed(numbers),
        Values::Bytes(_) | Values::Halves(_) => Cow::Owned(rows.to_numbers()),
    };
    if numbers.len() < length {
        numbers.to_mut().resize(length, 0.0);
    }
    numbers
}
