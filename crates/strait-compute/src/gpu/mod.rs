//! The GPU back end: WGSL kernels through wgpu.
//!
//! A routine becomes a list of dispatches with their bind groups made in advance; a run encodes them once for each
//! step, in slices short enough for a display driver's watchdog, with the next slice encoded while the last one runs.

mod kernel;
mod lower;
mod matmul;
mod recurrence;
mod sparse;
mod trial;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use kernel::Kernel;
use lower::Lowering;
pub use lower::Tiles;
use strait_device::{Checks, Dispatch, Matrices, Options, Selector, Table};
use strait_shaders::{Fragments, Shape};

use crate::backend::{
    Indices, check_program, check_read, check_routines, check_steps, check_tensor, check_write, foreign,
};
use crate::op::access::Access;
use crate::op::{LossKind, Op};
use crate::{
    Activation, Backend, Buffer, Control, Execution, Hardware, Kind, Metrics, Operands, Precision, Program, Result,
    Routine, RoutineId, Step, Tensor, Uploader,
};

/// How long a slice may keep the device busy: far below the two seconds after which drivers lose patience.
const SLICE: Duration = Duration::from_millis(50);

/// Steps of the first slice of a run, which the device has to wait for, and of the longest; from slice to slice they double.
const STEPS: (usize, usize) = (2, 64);

/// The GPU back end.
#[derive(Clone)]
pub struct Gpu {
    gpu: strait_device::Gpu,
    tiles: Tiles,
    /// Cooperative matrices that have passed their trial.
    matrices: Arc<OnceLock<Option<Matrices>>>,
}

impl Gpu {
    /// Opens an adapter. One that is not driven through Vulkan, as those are on which the kernels have been tested, has to get a few
    /// products right first.
    ///
    /// # Errors
    /// If there is none of that description, it cannot be opened, or it gets them wrong.
    pub fn new(selector: &Selector) -> Result<Self> {
        // The kernels stay inside their tensors: shapes are checked when operations are recorded, steps and indices
        // before they run, and the conformance test runs every kernel with checks and without.
        let options = Options { checks: Checks::Trusted, ..Options::default() };
        let backend = Self::from_device(strait_device::Gpu::open_with(selector, options)?);
        if !backend.gpu.is_vulkan() && !trial::succeeds(&backend, Precision::F32)? {
            let message = "it gets products wrong that were tried: use the CPU, and report this".to_owned();
            return Err(strait_device::Error::Open { adapter: backend.gpu.name().to_owned(), message }.into());
        }
        Ok(backend)
    }

    /// The back end on an open device.
    pub fn from_device(gpu: strait_device::Gpu) -> Self {
        let tiles = if gpu.is_software() { Tiles::Software } else { Tiles::Hardware };
        Self { gpu, tiles, matrices: Arc::default() }
    }

    /// The same with products cut otherwise.
    pub fn with_tiles(self, tiles: Tiles) -> Self {
        Self { tiles, ..self }
    }

    /// In how many pieces a tensor lies.
    fn pieces(&self, tensor: Tensor) -> usize {
        self.gpu.pieces(tensor.bytes() as u64)
    }

    /// For each operation of a routine its kernels.
    fn lower(&self, routine: &Routine) -> Vec<Vec<Kernel>> {
        let mixed = routine.precision() == Precision::Mixed;
        let lowering = Lowering {
            tiles: self.tiles,
            matrices: if mixed { self.matrices() } else { None },
            whole_vectors: self.gpu.whole_vectors(),
            memory: self.gpu.workgroup_memory(),
            width: 0,
            most_buffers: self.gpu.most_buffers(),
            pieces: &|tensor| self.pieces(tensor),
        };
        lower(routine, lowering)
    }

    /// What multiplies f16, if that works.
    fn matrices(&self) -> Option<Matrices> {
        *self.matrices.get_or_init(|| {
            let room = |found: &Matrices| {
                let shapes = Fragments::shapes(found.edge, found.subgroup, found.either_way);
                shapes.into_iter().any(|shape| matmul::fits(Shape::Fragments(shape), self.gpu.workgroup_memory()))
            };
            let found = self.gpu.matrices().filter(room);
            let untried = Self { matrices: Arc::new(OnceLock::from(found)), ..self.clone() };
            found.filter(|_| trial::succeeds(&untried, Precision::Mixed).unwrap_or(false))
        })
    }
}

/// For each operation of a routine its kernels; none for one that goes with the next.
fn lower(routine: &Routine, lowering: Lowering<'_>) -> Vec<Vec<Kernel>> {
    let matrices = lowering.matrices.filter(|_| routine.precision() == Precision::Mixed);
    let lowering = Lowering { matrices, width: routine.metrics(), ..lowering };
    let (mut start, mut kernels) = (0, Vec::with_capacity(routine.ops().len()));
    let mut ops = routine.ops().iter().zip(routine.accesses()).peekable();
    while let Some((op, access)) = ops.next() {
        let at = start;
        start += access.metrics();
        match ops.peek() {
            Some((next, _)) if errors_of(op, next) => {
                kernels.extend([Vec::new(), lowering.gradient(next, Some(at))]);
                ops.next();
            }
            _ => kernels.push(lowering.lower(op, at)),
        }
    }
    side_by_side(routine, &mut kernels, &lowering);
    kernels
}

/// Puts products that follow each other, but do not depend on each other, into one kernel.
fn side_by_side(routine: &Routine, kernels: &mut [Vec<Kernel>], lowering: &Lowering<'_>) {
    let mut i = 0;
    while i + 1 < kernels.len() {
        let pair = match (kernels[i].as_slice(), kernels[i + 1].as_slice()) {
            ([first], [second]) if independent(&routine.accesses()[i], &routine.accesses()[i + 1]) => {
                first.beside(second, lowering.most_buffers, lowering.pieces)
            }
            _ => None,
        };
        if let Some(pair) = pair {
            kernels[i].clear();
            kernels[i + 1] = vec![pair];
            i += 1;
        }
        i += 1;
    }
}

/// Whether two operations may run at the same time: neither writes what the other reads or writes.
fn independent(first: &Access, second: &Access) -> bool {
    !first.written().any(|tensor| second.touches(tensor)) && !second.written().any(|tensor| first.touches(tensor))
}

/// Whether `loss` is the squared error of the reconstructions of the contrastive divergence `gradient`.
fn errors_of(loss: &Op, gradient: &Op) -> bool {
    let (Op::Loss { kind, input, target, output: None, delta: None }, Op::Gradient { positive, negative, .. }) =
        (loss, gradient)
    else {
        return false;
    };
    *kind == (LossKind::SquaredError { activation: Activation::Linear })
        && positive.0 == *target
        && negative.is_some_and(|(v, _)| v == *input)
}

/// The WGSL kernels of a program, each once, by name: what a device of that kind compiles. `whole_vectors` are those of devices
/// whose workgroups may write to vectors in their memory as a whole only.
pub fn kernels(
    program: &Program,
    tiles: Tiles,
    matrices: Option<Matrices>,
    whole_vectors: bool,
) -> Vec<(String, String)> {
    let (memory, most_buffers) = (u32::MAX, usize::MAX);
    let lowering = Lowering { tiles, matrices, whole_vectors, memory, width: 0, most_buffers, pieces: &|_| 1 };
    let fused = program.fused();
    let lowered = fused.routines.iter().flat_map(|routine| lower(routine, lowering));
    let mut sources: Vec<(String, String)> = lowered.flatten().map(|kernel| kernel.source()).collect();
    sources.sort();
    sources.dedup();
    sources
}

/// A shared buffer, with the device that alone can use it.
struct Owned {
    gpu: strait_device::Gpu,
    buffer: strait_device::Buffer,
}

impl Backend for Gpu {
    fn hardware(&self) -> Hardware {
        if self.gpu.is_software() { Hardware::SoftwareGpu } else { Hardware::Gpu }
    }

    fn memory_in_use(&self) -> Option<u64> {
        self.gpu.memory_in_use()
    }

    fn kernels(&self) -> Vec<(String, String)> {
        self.gpu.kernels()
    }

    fn largest_tensor(&self) -> Option<u64> {
        Some(self.gpu.largest_tensor())
    }

    fn operands(&self, precision: Precision) -> Operands {
        let rounds = precision == Precision::Mixed && !matches!(self.tiles, Tiles::Fixed(Shape::Tile(_)));
        if rounds && self.matrices().is_some() { Operands::F16 } else { Operands::F32 }
    }

    fn fastest(&self) -> Precision {
        if !self.gpu.is_software() && self.matrices().is_some() { Precision::Mixed } else { Precision::F32 }
    }

    fn describe(&self) -> String {
        self.gpu.describe().to_owned()
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>> {
        check_program(&program, shared)?;
        let program = program.fused();
        let mut buffers = Vec::with_capacity(program.tensors.len());
        for declared in &program.tensors {
            let given = shared.iter().find(|(tensor, _)| *tensor == declared.tensor);
            buffers.push(match given {
                Some((_, buffer)) => match buffer.contents.downcast_ref::<Owned>() {
                    Some(owned) if owned.gpu.is(&self.gpu) => owned.buffer.clone(),
                    _ => return Err(foreign(&program, declared.tensor)),
                },
                None if declared.absent => self.gpu.buffer(&declared.name, 4)?,
                None => self.gpu.buffer(&declared.name, declared.tensor.bytes() as u64)?,
            });
        }
        let (program, routines) = program.without_routines();
        let mut run = Run {
            gpu: self.gpu.clone(),
            backend: self.clone(),
            program,
            buffers,
            plans: Vec::new(),
            table: None,
            indices: Indices::default(),
        };
        run.extend(routines)?;
        Ok(Box::new(run))
    }

    fn prepare(&self, programs: &[Program]) -> Result<()> {
        programs.iter().try_for_each(check_routines)?;
        let fused: Vec<Program> = programs.iter().map(Program::fused).collect();
        let routines = fused.iter().flat_map(|program| &program.routines);
        let lowered: Vec<Kernel> = routines.flat_map(|routine| self.lower(routine)).flatten().collect();
        kernel::compile(&lowered.iter().collect::<Vec<_>>(), &self.gpu, &|tensor| self.pieces(tensor))?;
        Ok(())
    }
}

/// A routine as dispatches.
struct Dispatches {
    dispatches: Vec<Dispatch>,
    /// For each operation the number of its dispatches.
    counts: Vec<usize>,
    /// How long a step took when it last ran.
    step_time: Duration,
}

struct Run {
    gpu: strait_device::Gpu,
    backend: Gpu,
    program: Program,
    buffers: Vec<strait_device::Buffer>,
    plans: Vec<Dispatches>,
    table: Option<Table>,
    indices: Indices,
}

impl Run {
    /// Adds routines, whose kernels are compiled together; none of them where one is refused.
    fn extend(&mut self, routines: Vec<Routine>) -> Result<()> {
        let known = self.program.routines.len();
        let plans = self.plan(routines);
        if plans.is_err() {
            self.program.routines.truncate(known);
        }
        self.plans.extend(plans?);
        Ok(())
    }

    fn plan(&mut self, routines: Vec<Routine>) -> Result<Vec<Dispatches>> {
        let mut lowered = Vec::with_capacity(routines.len());
        for routine in routines {
            lowered.push(self.backend.lower(&routine));
            self.program.add(routine);
        }
        let kernels: Vec<&Kernel> = lowered.iter().flatten().flatten().collect();
        let pipelines = kernel::compile(&kernels, &self.gpu, &|tensor| self.backend.pieces(tensor))?;
        let mut pipelines = pipelines.iter();
        let plan = |operations: &Vec<Vec<Kernel>>| {
            let kernels = operations.iter().flatten().zip(pipelines.by_ref());
            let dispatches = kernels.map(|(kernel, pipeline)| kernel.bind(pipeline, &self.gpu, &self.buffers));
            let counts = operations.iter().map(Vec::len).collect();
            Ok(Dispatches { dispatches: dispatches.collect::<Result<_>>()?, counts, step_time: SLICE })
        };
        lowered.iter().map(plan).collect()
    }

    /// A table with room for a run.
    fn make_room(&mut self, steps: usize, metrics: usize) -> Result<()> {
        if !self.table.as_ref().is_some_and(|table| table.holds(steps, metrics)) {
            // The old table goes before the new one is made.
            self.table = None;
            self.table = Some(self.gpu.table(steps, size_of::<Step>(), metrics)?);
        }
        Ok(())
    }
}

impl Execution for Run {
    fn program(&self) -> &Program {
        &self.program
    }

    fn add(&mut self, routine: Routine) -> Result<RoutineId> {
        let routine = self.indices.admit(&self.program, routine)?;
        self.extend(vec![routine])?;
        Ok(RoutineId(self.plans.len() - 1))
    }

    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Values, Kind::Rows], values.len())?;
        Ok(self.gpu.write(&self.buffers[tensor.id], bytemuck::cast_slice(values))?)
    }

    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Bytes], values.len())?;
        Ok(self.gpu.write(&self.buffers[tensor.id], values)?)
    }

    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()> {
        self.indices.write(&self.program, tensor, values)?;
        Ok(self.gpu.write(&self.buffers[tensor.id], bytemuck::cast_slice(values))?)
    }

    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        check_read(&self.program, tensor)?;
        Ok(self.gpu.read(&self.buffers[tensor.id], tensor.len())?)
    }

    fn read_many(&mut self, tensors: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        tensors.iter().try_for_each(|tensor| check_read(&self.program, *tensor))?;
        let wanted: Vec<_> = tensors.iter().map(|tensor| (&self.buffers[tensor.id], tensor.len())).collect();
        Ok(self.gpu.read_many(&wanted)?)
    }

    fn share(&self, tensor: Tensor) -> Result<Buffer> {
        check_tensor(&self.program, tensor)?;
        let owned = Owned { gpu: self.gpu.clone(), buffer: self.buffers[tensor.id].clone() };
        Ok(Buffer { contents: Arc::new(owned), tensor })
    }

    fn uploader(&self, tensor: Tensor) -> Result<Uploader> {
        check_tensor(&self.program, tensor)?;
        let (gpu, buffer) = (self.gpu.clone(), self.buffers[tensor.id].clone());
        let send =
            Box::new(move |bytes, parts: &mut dyn Iterator<Item = &[u8]>| Ok(gpu.write_parts(&buffer, bytes, parts)?));
        Ok(Uploader { name: self.program.name(tensor).to_owned(), tensor, send })
    }

    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics> {
        check_steps(self.program.routine(routine), steps)?;
        let metrics = self.program.routine(routine).metrics() * steps.len();
        self.make_room(steps.len(), metrics)?;
        let Some(table) = &self.table else { unreachable!("there is room now") };
        let numbered: Vec<Step> =
            steps.iter().enumerate().map(|(number, step)| Step { number: number as u32, ..*step }).collect();
        self.gpu.write_steps(table, &numbered, metrics)?;
        let plan = &mut self.plans[routine.0];
        let (mut done, mut under_way, mut host_time) = (0, None, Duration::ZERO);
        let (mut most, mut mark) = (STEPS.0, Instant::now());
        while done < steps.len() {
            if control(done).is_break() {
                break;
            }
            let fitting = (SLICE.as_secs_f64() / plan.step_time.as_secs_f64().max(1e-9)) as usize;
            let end = (done + fitting.clamp(1, most)).min(steps.len());
            most = (2 * most).min(STEPS.1);
            let submission = self.gpu.submit(&plan.dispatches, table, done..end)?;
            host_time += submission.recording();
            // Two slices are under way; the older one's end tells how long a step takes.
            if let Some((older, count)) = under_way.replace((submission, end - done)) {
                self.gpu.wait(older)?;
                plan.step_time = mark.elapsed() / count as u32;
                mark = Instant::now();
            }
            done = end;
        }
        let metrics = self.program.routine(routine).metrics() * done;
        let raw = if metrics == 0 { Vec::new() } else { self.gpu.read_metrics(table, metrics)? };
        if metrics == 0
            && let Some((last, _)) = under_way
        {
            self.gpu.wait(last)?;
        }
        let dispatches = self.plans[routine.0].dispatches.len() * done;
        Ok(Metrics { dispatches, host_time, ..Metrics::collect(self.program.routine(routine), &steps[..done], &raw) })
    }

    fn profile(&mut self, routine: RoutineId, step: &Step) -> Result<Option<Vec<Duration>>> {
        check_steps(self.program.routine(routine), std::slice::from_ref(step))?;
        let metrics = self.program.routine(routine).metrics();
        self.make_room(1, metrics)?;
        let Some(table) = &self.table else { unreachable!("there is room now") };
        self.gpu.write_steps(table, &[Step { number: 0, ..*step }], metrics)?;
        let plan = &self.plans[routine.0];
        let Some(times) = self.gpu.profile(&plan.dispatches, table)? else {
            return Ok(None);
        };
        let mut times = times.into_iter();
        Ok(Some(plan.counts.iter().map(|&count| times.by_ref().take(count).sum()).collect()))
    }
}
