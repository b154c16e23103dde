//! The error on a test set while a net is trained.

use strait_compute::{Device, Execution, Kind, Metrics, Op, Program, Routine, RoutineId, Step, Tensor, go_on};
use strait_data::Rows;
use strait_models::{Dense, Network, declare_rows, evaluation_batch, fill, minibatches, parts, upload};

use crate::Result;
use crate::backward::{Objective, Recorded};

/// The measurement of the error on a test set.
pub(crate) struct TestSet<'a> {
    routine: RoutineId,
    /// As many of the rows as the device can hold.
    data: Tensor,
    batch: usize,
    rows: Rows<'a>,
}

impl<'a> TestSet<'a> {
    pub(crate) fn record(
        device: &Device,
        program: &mut Program,
        network: &Network,
        layers: &[Dense],
        rows: Rows<'a>,
        objective: Objective,
    ) -> Result<Self> {
        let place = parts(device, rows, 0).next().unwrap_or(rows);
        let data = declare_rows(program, "test data", &place);
        let batch = evaluation_batch(device, layers, rows.count);
        let input = program.tensor("test x", batch, rows.width, Kind::Values);
        let mut routine = Routine::new("test error");
        routine.push(Op::Gather { data, index: None, shift: None, out: input })?;
        let outputs = network.record(program, &mut routine, input, objective.takes_logits())?;
        Recorded { network, input, outputs: &outputs }.loss(&mut routine, objective)?;
        Ok(Self { routine: program.add(routine), data, batch, rows })
    }

    /// Brings the rows to the device, if it can hold all of them.
    pub(crate) fn upload(&self, execution: &mut dyn Execution) -> Result<()> {
        if self.data.rows == self.rows.count {
            upload(execution, self.data, &self.rows)?;
        }
        Ok(())
    }

    pub(crate) fn error(&self, execution: &mut dyn Execution) -> Result<f64> {
        let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
        let mut metrics = Metrics::default();
        for start in (0..self.rows.count).step_by(self.data.rows) {
            let part = self.rows.range(start..(start + self.data.rows).min(self.rows.count));
            if self.data.rows < self.rows.count {
                fill(&execution.uploader(self.data)?, &part)?;
            }
            let steps: Vec<Step> = minibatches(part.count, self.batch).map(step).collect();
            metrics.append(execution.run(self.routine, &steps, &mut go_on)?);
        }
        Ok(metrics.mean_squared_error())
    }
}
