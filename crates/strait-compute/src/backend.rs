//! The contract between programs and the devices that replay them.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::op::{DOT_PARTS, Op};
use crate::{Error, Kind, Program, Result, Routine, RoutineId, Step, Tensor};

/// The contents of a tensor on a device, shared between executions on that device.
#[derive(Clone)]
pub struct Buffer(pub(crate) Arc<dyn Any + Send + Sync>);

/// A device that replays programs.
pub trait Backend: Send + Sync {
    /// What it is, for people: the adapter's name, or the processor's instruction sets and the number of threads.
    fn describe(&self) -> String;

    /// Allocates a program's tensors, all zero, and prepares its routines. A tensor in `shared` takes the buffer
    /// given, with its contents.
    ///
    /// # Errors
    /// When a tensor cannot be allocated or an operation cannot be prepared.
    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>>;
}

/// A program loaded on a device.
pub trait Execution: Send {
    /// The program.
    fn program(&self) -> &Program;

    /// Adds a routine over the program's tensors.
    ///
    /// # Errors
    /// When an operation cannot be prepared.
    fn add(&mut self, routine: Routine) -> Result<RoutineId>;

    /// Writes numbers, row by row, to a tensor of kind `Values` or `Rows`.
    ///
    /// # Errors
    /// [`Error::Length`], or the device's own.
    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()>;

    /// Writes bytes to a tensor of kind `Bytes`.
    ///
    /// # Errors
    /// [`Error::Length`], or the device's own.
    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()>;

    /// Writes row numbers to a tensor of kind `Index`.
    ///
    /// # Errors
    /// [`Error::Length`], or the device's own.
    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()>;

    /// Reads a tensor of kind `Values` or `Rows`, row by row.
    ///
    /// # Errors
    /// The device's own.
    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>>;

    /// The tensor's contents, to be shared with another program on the same device.
    fn share(&self, tensor: Tensor) -> Buffer;

    /// Replays a routine once for each step and brings back the metrics. Between slices of steps it calls `control`
    /// with the number of steps handed to the device so far, and ends if that breaks.
    ///
    /// # Errors
    /// [`Error::Step`] if a step points outside its data, [`Error::Stopped`], or the device's own.
    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics>;

    /// Runs a routine for one step, operation by operation, and gives the device time of each; nothing if the device
    /// cannot measure it.
    ///
    /// # Errors
    /// As [`Execution::run`].
    fn profile(&mut self, routine: RoutineId, step: &Step) -> Result<Option<Vec<Duration>>>;
}

/// Watches a run, and may end it; see [`Execution::run`]. [`go_on`] never does.
pub type Control<'a> = dyn FnMut(usize) -> ControlFlow<()> + 'a;

/// The [`Control`] that lets a run go on to its end.
pub fn go_on(_steps: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// What the losses and dot products of a run add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// For each loss of the routine in order: per active row of all steps, the loss.
    pub losses: Vec<Vec<f32>>,
    /// For each loss of the routine in order: per active row of all steps, the squared error.
    pub squared_errors: Vec<Vec<f32>>,
    /// For each dot product of the routine in order: per step, its value.
    pub dots: Vec<Vec<f64>>,
    /// The time that the host took to encode and submit the run's dispatches; zero where there are none.
    pub host_time: Duration,
}

impl Metrics {
    /// The mean over all rows of the first loss.
    pub fn mean_loss(&self) -> f64 {
        mean(self.losses.first())
    }

    /// The mean over all rows of the first loss's squared error.
    pub fn mean_squared_error(&self) -> f64 {
        mean(self.squared_errors.first())
    }

    /// Sorts the raw numbers of a run, `routine.metrics()` for each step.
    pub(crate) fn collect(routine: &Routine, steps: &[Step], raw: &[f32]) -> Self {
        let mut metrics = Self::default();
        let width = routine.metrics();
        let mut start = 0;
        for op in routine.ops() {
            let rows_of = |step: usize, start: usize| &raw[step * width + start..step * width + start + op.metrics()];
            match op {
                Op::Loss { input, .. } => {
                    let column = |offset: usize| {
                        let mut rows = Vec::with_capacity(steps.len() * input.rows);
                        for (s, step) in steps.iter().enumerate() {
                            let used = input.rows.min(step.rows as usize);
                            rows.extend(rows_of(s, start).chunks_exact(2).take(used).map(|pair| pair[offset]));
                        }
                        rows
                    };
                    metrics.losses.push(column(0));
                    metrics.squared_errors.push(column(1));
                }
                Op::Dot { .. } => {
                    let sums =
                        (0..steps.len()).map(|s| rows_of(s, start)[..DOT_PARTS].iter().map(|&x| f64::from(x)).sum());
                    metrics.dots.push(sums.collect());
                }
                _ => {}
            }
            start += op.metrics();
        }
        metrics
    }
}

fn mean(rows: Option<&Vec<f32>>) -> f64 {
    rows.map_or(f64::NAN, |rows| rows.iter().map(|&x| f64::from(x)).sum::<f64>() / rows.len() as f64)
}

/// Checks that a write has the tensor's kind and length.
pub(crate) fn check_write(program: &Program, tensor: Tensor, kinds: &[Kind], found: usize) -> Result<()> {
    let name = || program.name(tensor).to_owned();
    if !kinds.contains(&tensor.kind) {
        return Err(Error::Tensor { tensor: name(), message: format!("it is of kind {:?}", tensor.kind) });
    }
    if tensor.len() != found {
        return Err(Error::Length { tensor: name(), expected: tensor.len(), found });
    }
    Ok(())
}

/// Checks that no step reaches beyond the data sets and indices of the routine.
pub(crate) fn check_steps(routine: &Routine, steps: &[Step]) -> Result<()> {
    for op in routine.ops() {
        let (batch, length) = match op {
            Op::Gather { data, index, out } => (out.rows, index.map_or(data.rows, |index| index.cols)),
            Op::Scatter { input, data } => (input.rows, data.rows),
            _ => continue,
        };
        for (number, step) in steps.iter().enumerate() {
            let (offset, rows) = (step.offset as usize, step.rows as usize);
            if rows == 0 || rows > batch || offset + rows > length {
                let message = format!("{rows} rows from {offset} do not fit a batch of {batch} from {length} rows");
                return Err(Error::Step { step: number, message });
            }
        }
    }
    Ok(())
}

/// Checks that an index only names rows of the data sets that it is used on.
pub(crate) fn check_index(program: &Program, tensor: Tensor, values: &[u32]) -> Result<()> {
    for op in program.routines.iter().flat_map(Routine::ops) {
        if let Op::Gather { data, index: Some(index), .. } = op
            && *index == tensor
            && let Some(row) = values.iter().find(|&&row| row as usize >= data.rows)
        {
            let message = format!("row {row} is beyond the {} rows of `{}`", data.rows, program.name(*data));
            return Err(Error::Tensor { tensor: program.name(tensor).to_owned(), message });
        }
    }
    Ok(())
}
