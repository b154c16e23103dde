//! The contract between programs and the devices that replay them.

use std::any::Any;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::op::access::{Matmul, Report, Rows};
use crate::{Error, Kind, Operands, Precision, Program, Result, Routine, RoutineId, Step, Tensor, roles};

/// The contents of a tensor on a device, shared between executions on that device.
#[derive(Clone)]
pub struct Buffer {
    pub(crate) contents: Arc<dyn Any + Send + Sync>,
    /// The tensor that it was shared from.
    pub(crate) tensor: Tensor,
}

/// Kinds of devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hardware {
    /// The host's processor.
    Cpu,
    /// A graphics processor.
    Gpu,
    /// A program on the host's processor that behaves like a graphics processor.
    SoftwareGpu,
}

/// A device that replays programs.
pub trait Backend: Send + Sync {
    /// What kind of device it is.
    fn hardware(&self) -> Hardware;

    /// Bytes that programs occupy in its memory now, where it tells.
    fn memory_in_use(&self) -> Option<u64> {
        None
    }

    /// The names and WGSL texts of the kernels that it has compiled so far, where it has any.
    fn kernels(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Bytes of the largest tensor that it can hold, where there is a limit.
    fn largest_tensor(&self) -> Option<u64> {
        None
    }

    /// The numbers that products multiply in routines of this precision: f32 where the device knows nothing else.
    fn operands(&self, precision: Precision) -> Operands;

    /// The precision in which it trains fastest without a loss that shows in the results of training.
    fn fastest(&self) -> Precision;

    /// What it is, for people: the adapter's name, or the processor's instruction sets and the number of threads.
    fn describe(&self) -> String;

    /// Compiles what programs that will be loaded need, all of it together, which takes less time than one after the other.
    ///
    /// # Errors
    /// When an operation cannot be prepared.
    fn prepare(&self, _programs: &[Program]) -> Result<()> {
        Ok(())
    }

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

    /// Reads several tensors as [`Execution::read`] does, with one wait for all of them.
    ///
    /// # Errors
    /// The device's own.
    fn read_many(&mut self, tensors: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        tensors.iter().map(|tensor| self.read(*tensor)).collect()
    }

    /// Reads several tensors as [`Execution::read_many`] does, into memory that is used again where it is given.
    ///
    /// # Errors
    /// The device's own.
    fn read_into(&mut self, tensors: &[Tensor], values: &mut Vec<Vec<f32>>) -> Result<()> {
        *values = self.read_many(tensors)?;
        Ok(())
    }

    /// Writes several tensors as [`Execution::write`] does. Where one does not fit none is written.
    ///
    /// # Errors
    /// [`Error::Length`], or the device's own.
    fn write_many(&mut self, values: &[(Tensor, &[f32])]) -> Result<()> {
        for (tensor, values) in values {
            check_write(self.program(), *tensor, &[Kind::Values, Kind::Rows], values.len())?;
        }
        values.iter().try_for_each(|(tensor, values)| self.write(*tensor, values))
    }

    /// Whether each of several ranks has rows of its own of this tensor, which all of them read together.
    fn is_spread(&self, _tensor: Tensor) -> bool {
        false
    }

    /// The tensor's contents, to be shared with another program on the same device.
    ///
    /// # Errors
    /// If the tensor is not the program's.
    fn share(&self, tensor: Tensor) -> Result<Buffer>;

    /// Replays a routine once for each step and brings back the metrics. Between slices of steps it calls `control`
    /// with the number of steps handed to the device so far, and ends there if that breaks: [`Metrics::steps`] tells how many were run.
    ///
    /// # Errors
    /// [`Error::Step`] if a step points outside its data, or the device's own.
    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics>;

    /// A way to fill a data set's tensor while a routine that does not use it runs. On the CPU, filling one that is in use waits until
    /// the routine has run. The oracle has no such way.
    ///
    /// # Errors
    /// [`Error::Tensor`] if the tensor is not the program's, or the device has no such way.
    fn uploader(&self, tensor: Tensor) -> Result<Uploader> {
        check_tensor(self.program(), tensor)?;
        Err(self.program().misused(tensor, "this device is not filled while it runs"))
    }

    /// Runs a routine for one step, operation by operation, and gives the device time of each; nothing if the device
    /// cannot measure it.
    ///
    /// # Errors
    /// As [`Execution::run`].
    fn profile(&mut self, routine: RoutineId, step: &Step) -> Result<Option<Vec<Duration>>>;
}

/// Writes parts of so many bytes in all, one behind the other, to the start of a tensor's memory.
type WriteParts = dyn Fn(usize, &mut dyn Iterator<Item = &[u8]>) -> Result<()> + Send + Sync;

/// Fills a data set's tensor from any thread, also while the program runs; see [`Execution::uploader`].
pub struct Uploader {
    pub(crate) name: String,
    pub(crate) tensor: Tensor,
    pub(crate) send: Box<WriteParts>,
}

impl Uploader {
    /// Writes rows of bytes to the first rows of a tensor of kind `Bytes`.
    ///
    /// # Errors
    /// [`Error::Length`] if they are more than it holds, or one has another width, after which it holds anything; [`Error::Tensor`]
    /// if it is of another kind, or the device's own.
    pub fn write_bytes<'a>(&self, rows: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<()> {
        self.write_rows(Kind::Bytes, rows)
    }

    /// Writes rows of numbers to the first rows of a tensor of kind `Rows`.
    ///
    /// # Errors
    /// As [`Uploader::write_bytes`].
    pub fn write<'a>(&self, rows: impl ExactSizeIterator<Item = &'a [f32]>) -> Result<()> {
        self.write_rows(Kind::Rows, rows)
    }

    fn write_rows<'a, T: bytemuck::NoUninit>(
        &self,
        kind: Kind,
        rows: impl ExactSizeIterator<Item = &'a [T]>,
    ) -> Result<()> {
        if self.tensor.kind != kind {
            let message = format!("it is of kind {:?}", self.tensor.kind);
            return Err(Error::Tensor { tensor: self.name.clone(), message });
        }
        let found = rows.len() * self.tensor.cols;
        if found > self.tensor.len() {
            return Err(Error::Length { tensor: self.name.clone(), expected: self.tensor.len(), found });
        }
        let (expected, mut other) = (self.tensor.cols, None);
        let mut rows = rows.map(|row| {
            other = other.or(Some(row.len()).filter(|found| *found != expected));
            bytemuck::cast_slice(row)
        });
        let sent = (self.send)(found * size_of::<T>(), &mut rows);
        match other {
            Some(found) => Err(Error::Length { tensor: self.name.clone(), expected, found }),
            None => sent,
        }
    }
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
    /// For each loss of the routine in order, penalties and divergences among them: per active row of all steps, the loss.
    pub losses: Vec<Vec<f32>>,
    /// For each loss of the routine in order: per active row of all steps, the squared error, or of a softmax whether the
    /// class is mistaken; 0 where a loss has none.
    pub errors: Vec<Vec<f32>>,
    /// For each dot product of the routine in order: per step, its value.
    pub dots: Vec<Vec<f64>>,
    /// The steps that were run.
    pub steps: usize,
    /// The dispatches of the run; zero where there are none.
    pub dispatches: usize,
    /// The time that the host took to record them.
    pub host_time: Duration,
}

impl Metrics {
    /// The mean over all rows of the sum of the losses.
    pub fn mean_loss(&self) -> f64 {
        mean(&self.losses)
    }

    /// The mean over all rows of the sum of the errors.
    pub fn mean_error(&self) -> f64 {
        mean(&self.errors)
    }

    /// Adds the numbers of another run of the same routine, behind those that are here.
    pub fn append(&mut self, other: Self) {
        fn extend<T>(columns: &mut Vec<Vec<T>>, more: Vec<Vec<T>>) {
            columns.resize_with(more.len(), Vec::new);
            columns.iter_mut().zip(more).for_each(|(column, more)| column.extend(more));
        }
        extend(&mut self.losses, other.losses);
        extend(&mut self.errors, other.errors);
        extend(&mut self.dots, other.dots);
        self.steps += other.steps;
        self.dispatches += other.dispatches;
        self.host_time += other.host_time;
    }

    /// Sorts the raw numbers of a run, `routine.metrics()` for each step.
    pub(crate) fn collect(routine: &Routine, steps: &[Step], raw: &[f32]) -> Self {
        let mut metrics = Self { steps: steps.len(), ..Self::default() };
        let width = routine.metrics();
        let mut start = 0;
        for access in routine.accesses() {
            let numbers = |step: usize| &raw[step * width + start..][..access.metrics()];
            match access.report {
                Report::Nothing => {}
                Report::Losses(count) => {
                    let column = |offset: usize| {
                        let mut rows = Vec::with_capacity(steps.len() * count);
                        for (s, step) in steps.iter().enumerate() {
                            let used = count.min(step.rows as usize);
                            rows.extend(numbers(s).chunks_exact(2).take(used).map(|pair| pair[offset]));
                        }
                        rows
                    };
                    metrics.losses.push(column(0));
                    metrics.errors.push(column(1));
                }
                Report::Dot => {
                    let sums = (0..steps.len()).map(|s| numbers(s).iter().map(|&x| f64::from(x)).sum());
                    metrics.dots.push(sums.collect());
                }
            }
            start += access.metrics();
        }
        metrics
    }
}

/// The mean over the rows of the sum over the columns; NaN where there are none.
fn mean(columns: &[Vec<f32>]) -> f64 {
    let rows = columns.first().map_or(0, Vec::len);
    columns.iter().flatten().map(|&x| f64::from(x)).sum::<f64>() / rows as f64
}

/// The error of a buffer that was shared from another device.
pub(crate) fn foreign(program: &Program, tensor: Tensor) -> Error {
    program.misused(tensor, "the shared buffer lives on another device")
}

/// Checks that a tensor is one of the program's.
pub(crate) fn check_tensor(program: &Program, tensor: Tensor) -> Result<()> {
    let message = match program.tensors.get(tensor.id).filter(|declared| declared.tensor == tensor) {
        Some(declared) if declared.absent => {
            "it is not kept, because its update follows it at once: declare it as state"
        }
        Some(_) => return Ok(()),
        None => "it was not declared in this program",
    };
    Err(program.misused(tensor, message))
}

/// Checks that a tensor is one of the program's and holds numbers that can be read back.
pub(crate) fn check_read(program: &Program, tensor: Tensor) -> Result<()> {
    check_tensor(program, tensor)?;
    if matches!(tensor.kind, Kind::Values | Kind::Rows) {
        return Ok(());
    }
    Err(program.misused(tensor, format!("it is of kind {:?}, which cannot be read back", tensor.kind)))
}

/// Checks that routines use the program's tensors only, and as their roles say, and that no weight that is used transposed or in 16
/// bits is written by anything but operations that renew its copies, or the host.
pub(crate) fn check_routines(program: &Program) -> Result<()> {
    let wrong = |tensor: Tensor, message: &str| Err(program.misused(tensor, message));
    let (mut copied, mut computed, mut statistics) = (Vec::new(), Vec::new(), Vec::<(Tensor, usize)>::new());
    for access in program.routines.iter().flat_map(Routine::accesses) {
        access.read().chain(access.written()).try_for_each(|tensor| check_tensor(program, tensor))?;
    }
    roles::check(program)?;
    for routine in &program.routines {
        let rounds = routine.precision() != Precision::F32;
        for access in routine.accesses() {
            computed.extend(access.writes.iter().filter(|write| !write.renews()).map(|write| write.tensor()));
            copied.extend(access.turned());
            for product in access.matmuls() {
                match *product {
                    Matmul::Layer { weight, transposed, .. } if transposed || rounds => copied.push(weight),
                    Matmul::Statistics { left, right, positions, .. } if rounds => {
                        statistics.extend([(left, positions), (right, positions)]);
                    }
                    Matmul::Layer { .. } | Matmul::Statistics { .. } => {}
                }
            }
        }
    }
    // The copy of a statistic ends with the rows that are in use.
    let ambiguous = |(tensor, positions): &&(Tensor, usize)| {
        statistics.iter().any(|(other, others)| other == tensor && others != positions)
    };
    if let Some((tensor, _)) = statistics.iter().find(ambiguous) {
        return wrong(
            *tensor,
            "a statistic of gradients in 16 bits must have the same number of positions in all of them",
        );
    }
    if let Some(weight) = copied.iter().find(|weight| statistics.iter().any(|(tensor, _)| tensor == *weight)) {
        return wrong(*weight, "a weight cannot also be a statistic of a gradient in 16 bits");
    }
    match copied.iter().find(|weight| computed.contains(weight)) {
        None => Ok(()),
        Some(weight) => wrong(
            *weight,
            "a weight that is used transposed or in 16 bits can be written by updates, combinations, max norms and thresholds only",
        ),
    }
}

/// Checks a program before it is loaded: its routines, and what it shares.
pub(crate) fn check_program(program: &Program, shared: &[(Tensor, Buffer)]) -> Result<()> {
    check_routines(program)?;
    check_shared(program, shared)
}

/// Checks that shared buffers have the shapes of the tensors that take them, and that none is given twice.
fn check_shared(program: &Program, shared: &[(Tensor, Buffer)]) -> Result<()> {
    for (i, (tensor, buffer)) in shared.iter().enumerate() {
        check_tensor(program, *tensor)?;
        let from = buffer.tensor;
        let twice = shared[..i].iter().any(|(other, earlier)| {
            other == tensor || Arc::ptr_eq(&earlier.contents, &buffer.contents) || earlier.tensor == from
        });
        let fits = (from.rows, from.cols, from.kind) == (tensor.rows, tensor.cols, tensor.kind);
        if twice || !fits || tensor.kind == Kind::Index {
            let message = format!(
                "a shared buffer of kind {:?} and shape {} cannot be given to one of kind {:?} and shape {}{}",
                from.kind,
                from.shape(),
                tensor.kind,
                tensor.shape(),
                if twice { ", or not twice" } else { "" }
            );
            return Err(program.misused(*tensor, message));
        }
    }
    Ok(())
}

/// The largest row number that each index holds.
#[derive(Default)]
pub(crate) struct Indices {
    largest: HashMap<usize, u32>,
}

impl Indices {
    /// Takes note of what is written to an index, after a check against the data sets that it is used on.
    pub(crate) fn write(&mut self, program: &Program, tensor: Tensor, values: &[u32]) -> Result<()> {
        check_write(program, tensor, &[Kind::Index], values.len())?;
        let largest = values.iter().copied().max().unwrap_or(0);
        program.routines.iter().try_for_each(|routine| Self::fits(program, routine, tensor, largest))?;
        self.largest.insert(tensor.id, largest);
        Ok(())
    }

    /// Checks a routine that is to be added to a program: see [`check_routines`], and that it gathers no row that its data set has
    /// not. Gives it as devices run it.
    pub(crate) fn admit(&self, program: &Program, routine: Routine) -> Result<Routine> {
        let mut with = program.clone();
        let id = with.add(routine);
        check_routines(&with)?;
        let routine = with.fused().routine(id).clone();
        let mut held = program
            .tensors
            .iter()
            .filter_map(|declared| self.largest.get(&declared.tensor.id).map(|largest| (declared.tensor, *largest)));
        held.try_for_each(|(tensor, largest)| Self::fits(program, &routine, tensor, largest))?;
        Ok(routine)
    }

    fn fits(program: &Program, routine: &Routine, tensor: Tensor, largest: u32) -> Result<()> {
        for access in routine.accesses() {
            if let Rows::Data { data, index, .. } = access.rows
                && index == Some(tensor)
                && largest as usize >= data.rows
            {
                let message = format!("row {largest} is beyond the {} rows of `{}`", data.rows, program.name(data));
                return Err(program.misused(tensor, message));
            }
        }
        Ok(())
    }
}

/// Checks that a write has the tensor's kind and length.
pub(crate) fn check_write(program: &Program, tensor: Tensor, kinds: &[Kind], found: usize) -> Result<()> {
    check_tensor(program, tensor)?;
    if !kinds.contains(&tensor.kind) {
        return Err(program.misused(tensor, format!("it is of kind {:?}", tensor.kind)));
    }
    if tensor.len() != found {
        return Err(Error::Length { tensor: program.name(tensor).to_owned(), expected: tensor.len(), found });
    }
    Ok(())
}

/// Checks that every step has rows that fit the routine's minibatches, data sets and indices.
pub(crate) fn check_steps(routine: &Routine, steps: &[Step]) -> Result<()> {
    for access in routine.accesses() {
        let (batch, length) = match access.rows {
            Rows::Any => continue,
            Rows::Of(rows) => (rows, None),
            Rows::Data { data, index, minibatch } => {
                (minibatch.rows, Some(index.map_or(data.rows, |index| index.cols)))
            }
        };
        for (number, step) in steps.iter().enumerate() {
            let (offset, rows) = (step.offset as usize, step.rows as usize);
            // A part of a batch may have no rows.
            let none = rows == 0 && step.of == 0;
            if none || rows > batch || length.is_some_and(|length| offset + rows > length) {
                let source = length.map(|length| format!(" from {length} rows")).unwrap_or_default();
                let message = format!("{rows} rows from {offset} on do not fit a minibatch of {batch}{source}");
                return Err(Error::Step { step: number, message });
            }
        }
    }
    Ok(())
}
