//! The oracle as a back end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Replay;
use super::matrix::Matrix;
use crate::backend::{Indices, check_program, check_read, check_steps, check_tensor, check_write, foreign};
use crate::{
    Backend, Buffer, Control, Execution, Hardware, Kind, Metrics, Operands, Precision, Program, Result, Routine,
    RoutineId, Step, Tensor,
};

/// The reference back end. Slow; its only purpose is to be right.
#[derive(Clone, Copy, Debug)]
pub struct Oracle {
    /// What the products of mixed routines multiply.
    mixed: Operands,
    /// What those of split routines multiply.
    split: Operands,
}

impl Default for Oracle {
    /// Multiplies everything as it is.
    fn default() -> Self {
        Self { mixed: Operands::F32, split: Operands::F32 }
    }
}

impl Oracle {
    /// Multiplies what another back end multiplies.
    pub fn like(backend: &dyn Backend) -> Self {
        Self { mixed: backend.operands(Precision::Mixed), split: backend.operands(Precision::Split) }
    }
}

type Values = Arc<Mutex<Vec<f64>>>;

impl Backend for Oracle {
    fn hardware(&self) -> Hardware {
        Hardware::Cpu
    }

    fn describe(&self) -> String {
        "oracle, double precision".to_owned()
    }

    fn operands(&self, precision: Precision) -> Operands {
        match precision {
            Precision::F32 => Operands::F32,
            Precision::Mixed => self.mixed,
            Precision::Split => self.split,
        }
    }

    fn fastest(&self) -> Precision {
        Precision::F32
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>> {
        check_program(&program, shared)?;
        let mut values: Vec<Values> =
            program.tensors.iter().map(|declared| Arc::new(Mutex::new(vec![0.0; declared.tensor.len()]))).collect();
        for (tensor, buffer) in shared {
            let contents = buffer.contents.clone().downcast::<Mutex<Vec<f64>>>();
            values[tensor.id] = contents.map_err(|_| foreign(&program, *tensor))?;
        }
        Ok(Box::new(Run { oracle: *self, program, values, indices: Indices::default() }))
    }
}

pub(super) struct Run {
    oracle: Oracle,
    program: Program,
    values: Vec<Values>,
    indices: Indices,
}

impl Run {
    pub(super) fn get(&self, tensor: Tensor) -> Matrix {
        let values = self.values[tensor.id].lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        Matrix { cols: tensor.cols, values }
    }

    pub(super) fn set(&self, tensor: Tensor, values: Vec<f64>) {
        *self.values[tensor.id].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = values;
    }
}

impl Execution for Run {
    fn program(&self) -> &Program {
        &self.program
    }

    fn add(&mut self, routine: Routine) -> Result<RoutineId> {
        // What it runs is what was recorded: it is what fusing is tested against.
        self.indices.admit(&self.program, routine.clone())?;
        Ok(self.program.add(routine))
    }

    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Values, Kind::Rows], values.len())?;
        self.set(tensor, values.iter().map(|&x| f64::from(x)).collect());
        Ok(())
    }

    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()> {
        check_write(&self.program, tensor, &[Kind::Bytes], values.len())?;
        self.set(tensor, values.iter().map(|&x| f64::from(x)).collect());
        Ok(())
    }

    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()> {
        self.indices.write(&self.program, tensor, values)?;
        self.set(tensor, values.iter().map(|&x| f64::from(x)).collect());
        Ok(())
    }

    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        check_read(&self.program, tensor)?;
        Ok(self.get(tensor).values.iter().map(|&x| x as f32).collect())
    }

    fn share(&self, tensor: Tensor) -> Result<Buffer> {
        check_tensor(&self.program, tensor)?;
        Ok(Buffer { contents: self.values[tensor.id].clone(), tensor })
    }

    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics> {
        let routine = self.program.routine(routine);
        check_steps(routine, steps)?;
        let operands = self.oracle.operands(routine.precision());
        let (mut raw, mut done) = (Vec::new(), 0);
        for (number, step) in steps.iter().enumerate() {
            if control(number).is_break() {
                break;
            }
            done += 1;
            let mut replay = Replay { run: self, operands, step, metrics: &mut raw };
            routine.ops().iter().for_each(|op| replay.execute(op));
        }
        Ok(Metrics::collect(routine, &steps[..done], &raw))
    }

    fn profile(&mut self, _routine: RoutineId, _step: &Step) -> Result<Option<Vec<Duration>>> {
        Ok(None)
    }
}
