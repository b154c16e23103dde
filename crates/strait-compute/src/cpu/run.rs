//! The CPU as a back end: programs in memory, and runs of their routines.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLockReadGuard};
use std::time::{Duration, Instant};

use super::isa::Isa;
use super::layers;
use super::panels::{Panels, READ, Shared, StepMetrics};
use super::plan::{Plan, Work, copies};
use super::storage::{Data, Storage, Values};
use super::workers::{Counters, Taking, Workers};

use crate::backend::{Indices, check_program, check_read, check_steps, check_tensor, check_write, foreign};
use crate::op::access::{Access, Matmul};
use crate::{
    Backend, Buffer, Control, Error, Execution, Hardware, Kind, Metrics, Operands, Precision, Program, Result, Routine,
    RoutineId, Step, Tensor, Uploader,
};

/// Steps between two looks at the stop flag.
const SLICE: usize = 50;

/// The CPU back end.
pub struct Cpu {
    isa: Isa,
    workers: Arc<Workers>,
}

impl Cpu {
    /// One worker for each core that this process may use.
    ///
    /// # Errors
    /// [`Error::Workers`] if the threads cannot be started.
    pub fn new() -> Result<Self> {
        Self::with_threads(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// That many workers, at least one.
    ///
    /// # Errors
    /// [`Error::Workers`] if the threads cannot be started.
    pub fn with_threads(threads: usize) -> Result<Self> {
        Ok(Self { isa: Isa::detect(), workers: Arc::new(Workers::new(threads.max(1))?) })
    }

    /// The same workers with another instruction set than the best.
    ///
    /// # Errors
    /// [`Error::Isa`] if this processor does not have it.
    pub fn with_isa(self, isa: Isa) -> Result<Self> {
        if Isa::available().contains(&isa) { Ok(Self { isa, ..self }) } else { Err(Error::Isa(isa.name())) }
    }
}

impl Backend for Cpu {
    fn hardware(&self) -> Hardware {
        Hardware::Cpu
    }

    fn describe(&self) -> String {
        let threads = self.workers.count();
        format!("CPU, {}, {threads} thread{}", self.isa.name(), if threads == 1 { "" } else { "s" })
    }

    fn operands(&self, precision: Precision) -> Operands {
        match precision {
            Precision::F32 => Operands::F32,
            Precision::Mixed => Operands::Bf16,
            Precision::Split => Operands::TwoBf16,
        }
    }

    fn fastest(&self) -> Precision {
        if self.isa.has_bf16() { Precision::Mixed } else { Precision::F32 }
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>> {
        check_program(&program, shared)?;
        let program = layers::release(program.fused());
        let mut storage = Vec::with_capacity(program.tensors.len());
        for declared in &program.tensors {
            let (tensor, name) = (declared.tensor, &*declared.name);
            let given = shared.iter().find(|(shared, _)| *shared == tensor);
            storage.push(match given {
                Some((_, buffer)) => match buffer.contents.downcast_ref::<Owned>() {
                    Some(owned) if Arc::ptr_eq(&owned.workers, &self.workers) => owned.storage.clone(),
                    _ => return Err(foreign(&program, tensor)),
                },
                None if declared.absent => Arc::new(Storage::Values(Values::new(0, 0, name)?)),
                None => Arc::new(allocate(tensor, name)?),
            });
        }
        let (program, routines) = program.without_routines();
        let mut run = Run {
            isa: self.isa,
            workers: self.workers.clone(),
            program,
            storage,
            plans: Vec::new(),
            indices: Indices::default(),
        };
        for routine in routines {
            run.plan(routine)?;
        }
        Ok(Box::new(run))
    }
}

fn allocate(tensor: Tensor, name: &str) -> Result<Storage> {
    Ok(match tensor.kind {
        Kind::Values => Storage::Values(Values::new(tensor.rows, tensor.cols, name)?),
        Kind::Bytes => Storage::Bytes(Data::new(0, tensor.len(), name)?),
        Kind::Rows => Storage::Rows(Data::new(0.0, tensor.len(), name)?),
        Kind::Index => Storage::Index(Shared::new(0, tensor.len(), name)?),
    })
}

/// A shared tensor, with the workers that alone may touch it: they run one job at a time.
struct Owned {
    workers: Arc<Workers>,
    storage: Arc<Storage>,
}

pub(super) struct Run {
    pub(super) isa: Isa,
    workers: Arc<Workers>,
    pub(super) program: Program,
    pub(super) storage: Vec<Arc<Storage>>,
    plans: Vec<Plan>,
    indices: Indices,
}

impl Run {
    /// Plans a routine that was checked, and adds it.
    fn plan(&mut self, routine: Routine) -> Result<RoutineId> {
        self.keep_copies(&routine)?;
        self.plans.push(Plan::new(&self.program, &routine)?);
        Ok(self.program.add(routine))
    }

    /// Keeps the data sets that a routine uses from being filled, until the guards are dropped.
    fn reading(&self, routine: &Routine) -> Vec<RwLockReadGuard<'_, ()>> {
        let used = routine.accesses().iter().flat_map(|access| access.read().chain(access.written()));
        let mut data: Vec<usize> = used.filter(|t| matches!(t.kind, Kind::Rows | Kind::Bytes)).map(|t| t.id).collect();
        // A thread that asks twice may wait for itself.
        data.sort_unstable();
        data.dedup();
        let guard = |id: usize| match &*self.storage[id] {
            Storage::Rows(rows) => Some(rows.reading()),
            Storage::Bytes(rows) => Some(rows.reading()),
            Storage::Values(_) | Storage::Index(_) => None,
        };
        data.into_iter().filter_map(guard).collect()
    }

    /// Makes room for the copies that the routine's operations read, and brings those of weights up to date.
    fn keep_copies(&self, routine: &Routine) -> Result<()> {
        let precision = routine.precision();
        for &product in routine.accesses().iter().flat_map(|access| access.matmuls()) {
            if precision != Precision::F32 {
                for copy in copies(product) {
                    let (values, name) = (self.values(copy.tensor), self.program.name(copy.tensor));
                    values.bf16.make(&values.panels, copy.layout, precision == Precision::Split, name)?;
                }
            }
            if let Matmul::Layer { weight, transposed, .. } = product {
                self.keep_weight(weight, transposed && precision == Precision::F32)?;
            }
        }
        let mut turned = routine.accesses().iter().filter_map(Access::turned);
        turned.try_for_each(|weight| self.keep_weight(weight, true))
    }

    /// Brings the copies of a weight up to date, among them its transposed one where that is wanted.
    fn keep_weight(&self, weight: Tensor, transposed: bool) -> Result<()> {
        let values = self.values(weight);
        if transposed && values.transposed.get().is_none() {
            // Should another thread be quicker, its copy stays.
            let _ = values.transposed.set(Panels::new(weight.cols, weight.rows, self.program.name(weight))?);
        }
        let _pause = self.workers.pause();
        // SAFETY: the pause keeps jobs from running.
        unsafe { values.renew_all() };
        Ok(())
    }
}

impl Execution for Run {
    fn program(&self) -> &Program {
        &self.program
    }

    fn add(&mut self, routine: Routine) -> Result<RoutineId> {
        let routine = self.indices.admit(&self.program, routine)?;
        self.plan(routine)
    }

    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Values, Kind::Rows], values.len())?;
        if let Storage::Rows(to) = &*self.storage[tensor.id] {
            to.write_parts(std::iter::once(values));
            return Ok(());
        }
        let _pause = self.workers.pause();
        if let Storage::Values(to) = &*self.storage[tensor.id] {
            // SAFETY: the pause keeps jobs away, and this is the only access.
            unsafe { to.panels.write(values) };
            // SAFETY: as above.
            unsafe { to.renew_all() };
        }
        Ok(())
    }

    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Bytes], values.len())?;
        if let Storage::Bytes(to) = &*self.storage[tensor.id] {
            to.write_parts(std::iter::once(values));
        }
        Ok(())
    }

    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()> {
        self.indices.write(&self.program, tensor, values)?;
        let _pause = self.workers.pause();
        if let Storage::Index(to) = &*self.storage[tensor.id] {
            // SAFETY: the pause keeps jobs away, and this is the only access.
            unsafe { to.fill(values) };
        }
        Ok(())
    }

    fn read_into(&mut self, tensors: &[Tensor], values: &mut Vec<Vec<f32>>) -> Result<()> {
        tensors.iter().try_for_each(|tensor| check_read(&self.program, *tensor))?;
        values.resize_with(tensors.len(), Vec::new);
        let is_data = |tensor: &Tensor| !matches!(&*self.storage[tensor.id], Storage::Values(_));
        if tensors.iter().any(is_data) {
            *values = tensors.iter().map(|tensor| self.read(*tensor)).collect::<Result<_>>()?;
            return Ok(());
        }
        let mut parts = Vec::new();
        for (tensor, values) in tensors.iter().zip(values) {
            let Storage::Values(source) = &*self.storage[tensor.id] else { unreachable!("that was looked at") };
            values.resize(tensor.len(), 0.0);
            let rows = values.chunks_mut((READ * tensor.cols).max(1)).enumerate();
            parts.extend(rows.map(|(number, rows)| (source, number * READ, Mutex::new(rows))));
        }
        let next = AtomicUsize::new(0);
        self.workers.run(&|_| {
            while let Some((source, first, rows)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
                // SAFETY: this is the job that runs, and it writes no matrix.
                unsafe { source.panels.read_rows(*first, &mut rows) };
            }
        });
        Ok(())
    }

    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        check_read(&self.program, tensor)?;
        let _pause = self.workers.pause();
        match &*self.storage[tensor.id] {
            // SAFETY: the pause keeps jobs away.
            Storage::Values(values) => Ok(unsafe { values.panels.read() }),
            Storage::Rows(rows) => {
                let _reading = rows.reading();
                // SAFETY: the pause keeps jobs away, and the guard who would fill the rows.
                Ok(unsafe { rows.slice(0..rows.len()) }.to_vec())
            }
            _ => unreachable!("bytes and indices are not read back"),
        }
    }

    fn share(&self, tensor: Tensor) -> Result<Buffer> {
        check_tensor(&self.program, tensor)?;
        let owned = Owned { workers: self.workers.clone(), storage: self.storage[tensor.id].clone() };
        Ok(Buffer { contents: Arc::new(owned), tensor })
    }

    fn uploader(&self, tensor: Tensor) -> Result<Uploader> {
        check_tensor(&self.program, tensor)?;
        let storage = self.storage[tensor.id].clone();
        let send = Box::new(move |_, parts: &mut dyn Iterator<Item = &[u8]>| {
            match &*storage {
                Storage::Bytes(to) => to.write_parts(parts),
                Storage::Rows(to) => to.write_parts(parts.map(bytemuck::cast_slice)),
                Storage::Values(_) | Storage::Index(_) => unreachable!("only rows and bytes are filled"),
            }
            Ok(())
        });
        Ok(Uploader { name: self.program.name(tensor).to_owned(), tensor, send })
    }

    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics> {
        let plan = &self.plans[routine.0];
        let routine = self.program.routine(routine);
        check_steps(routine, steps)?;
        let _reading = self.reading(routine);
        let width = routine.metrics();
        let raw = Shared::new(0.0, width * steps.len(), "metrics")?;
        let mut done = 0;
        for (slice, steps) in steps.chunks(SLICE).enumerate() {
            let first = slice * SLICE;
            if control(first).is_break() {
                break;
            }
            done += steps.len();
            plan.reset(0);
            self.workers.run(&|worker| {
                for (number, step) in steps.iter().enumerate() {
                    let mut metric = (first + number) * width;
                    if worker.index == 0 {
                        plan.reset(number + 1);
                    }
                    for planned in &plan.works {
                        if planned.meet {
                            worker.meet();
                        }
                        let taking = Taking { worker, counters: &planned.counters[number % 2] };
                        self.perform(
                            &planned.work,
                            routine,
                            step,
                            StepMetrics { numbers: &raw, start: metric },
                            taking,
                        );
                        metric += planned.metrics;
                    }
                    worker.meet();
                }
            });
        }
        // SAFETY: the jobs have ended, and nobody else knows this memory.
        Ok(Metrics::collect(routine, &steps[..done], unsafe { raw.slice(0..width * done) }))
    }

    fn profile(&mut self, routine: RoutineId, step: &Step) -> Result<Option<Vec<Duration>>> {
        let plan = &self.plans[routine.0];
        let routine = self.program.routine(routine);
        check_steps(routine, std::slice::from_ref(step))?;
        let _reading = self.reading(routine);
        let raw = Shared::new(0.0, routine.metrics(), "metrics")?;
        let (mut times, mut metric, mut packing) = (Vec::new(), 0, Duration::ZERO);
        for planned in &plan.works {
            let start = Instant::now();
            let counters = Counters::default();
            self.workers.run(&|worker| {
                let taking = Taking { worker, counters: &counters };
                self.perform(&planned.work, routine, step, StepMetrics { numbers: &raw, start: metric }, taking);
            });
            // Copies count to the operation that wants them first.
            match planned.work {
                Work::Pack(_) => packing = start.elapsed(),
                Work::Operation { .. } => times.push(std::mem::take(&mut packing) + start.elapsed()),
            }
            metric += planned.metrics;
        }
        Ok(Some(times))
    }
}
