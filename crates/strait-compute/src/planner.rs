//! A back end that computes nothing, but notes what programs would need.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::backend::{check_program, check_read, check_steps, check_tensor, check_write};
use crate::{
    Backend, Buffer, Control, Device, Execution, Hardware, Kind, Metrics, Operands, Precision, Program, Result, Role,
    Routine, RoutineId, Step, Tensor, Uploader,
};

/// A back end on which all numbers are 0, so that a whole training run takes no time: it notes the programs that are loaded, whose memory can
/// then be told before it is taken.
///
/// ```
/// use strait_compute::{Device, Planner, Program};
/// let planner = Planner::like(&Device::cpu()?);
/// let mut program = Program::default();
/// program.parameter("weight", 1_000_000, 1_000_000);
/// let loaded = Device::new(planner.clone()).load(program)?;
/// assert_eq!(planner.programs()[0].bytes(), 4_000_000_000_000);
/// # drop(loaded);
/// # Ok::<(), strait_compute::Error>(())
/// ```
#[derive(Clone)]
pub struct Planner {
    like: Device,
    programs: Arc<Mutex<Vec<Program>>>,
}

impl Planner {
    /// One that plans for this device.
    pub fn like(device: &Device) -> Self {
        Self { like: device.clone(), programs: Arc::default() }
    }

    /// The programs that were loaded, in order, as devices run them.
    pub fn programs(&self) -> Vec<Program> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Program {
    /// Bytes of what a step computes for each row of a minibatch: what a larger minibatch takes more.
    pub fn bytes_of_row(&self, batch: usize) -> usize {
        let values = self.tensors().filter(|(tensor, _, role)| *role == Role::Value && tensor.rows == batch);
        values.map(|(tensor, ..)| tensor.bytes() / batch.max(1)).sum()
    }
}

impl Backend for Planner {
    fn hardware(&self) -> Hardware {
        self.like.hardware()
    }

    fn largest_tensor(&self) -> Option<u64> {
        self.like.largest_tensor()
    }

    fn operands(&self, precision: Precision) -> Operands {
        self.like.operands(precision)
    }

    fn fastest(&self) -> Precision {
        self.like.fastest()
    }

    fn describe(&self) -> String {
        format!("plan for {}", self.like.describe())
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>> {
        check_program(&program, shared)?;
        let program = program.fused();
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).push(program.clone());
        Ok(Box::new(Planned { program }))
    }
}

/// A program whose tensors are all 0.
struct Planned {
    program: Program,
}

impl Execution for Planned {
    fn program(&self) -> &Program {
        &self.program
    }

    fn add(&mut self, routine: Routine) -> Result<RoutineId> {
        Ok(self.program.add(routine))
    }

    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Values, Kind::Rows], values.len())
    }

    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Bytes], values.len())
    }

    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Index], values.len())
    }

    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        check_read(&self.program, tensor)?;
        Ok(vec![0.0; tensor.len()])
    }

    fn share(&self, tensor: Tensor) -> Result<Buffer> {
        check_tensor(&self.program, tensor)?;
        Ok(Buffer { contents: Arc::new(()), tensor })
    }

    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics> {
        let routine = self.program.routine(routine);
        check_steps(routine, steps)?;
        let done = if control(steps.len()).is_break() { 0 } else { steps.len() };
        Ok(Metrics::collect(routine, &steps[..done], &vec![0.0; done * routine.metrics()]))
    }

    fn uploader(&self, tensor: Tensor) -> Result<Uploader> {
        check_tensor(&self.program, tensor)?;
        Ok(Uploader { name: self.program.name(tensor).to_owned(), tensor, send: Box::new(|_, _| Ok(())) })
    }

    fn profile(&mut self, _: RoutineId, _: &Step) -> Result<Option<Vec<Duration>>> {
        Ok(None)
    }
}
