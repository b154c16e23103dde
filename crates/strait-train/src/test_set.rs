//! The error on a test set while a model is trained.

use strait_compute::{Device, Execution, Metrics, Program, Routine, RoutineId, Step, Tensor, go_on};
use strait_data::Rows;
use strait_models::{Network, declare_rows, fill, minibatches, parts, upload};

use crate::minibatch::Minibatch;
use crate::{FineTune, Member, Result};

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
        name: &str,
        (net, network): (&dyn Member, &Network),
        rows: Rows<'a>,
        recipe: &FineTune,
    ) -> Result<Self> {
        let place = parts(device, rows, 0).next().unwrap_or(rows);
        let data = declare_rows(program, &format!("{name}_data"), &place);
        let batch = net.evaluation_batch(device, rows.count);
        let minibatch = Minibatch::declare(program, &format!("{name}."), batch, net);
        let mut routine = Routine::new(format!("{name} error"));
        minibatch.gather(&mut routine, data)?;
        minibatch.measure((program, &mut routine), (net, network), recipe)?;
        Ok(Self { routine: program.add(routine), data, batch, rows })
    }

    /// Brings the rows to the device, if it can hold all of them.
    pub(crate) fn upload(&self, execution: &mut dyn Execution) -> Result<()> {
        if self.data.rows == self.rows.count {
            upload(execution, self.data, &self.rows)?;
        }
        Ok(())
    }

    /// The mean error, squared or of a classifier, and the mean loss.
    pub(crate) fn measure(&self, execution: &mut dyn Execution) -> Result<(f64, f64)> {
        // Other random numbers for each minibatch, where there are any, but the same after every epoch.
        let step = |(offset, rows)| Step { offset, rows, counter: offset, ..Step::default() };
        let mut metrics = Metrics::default();
        for start in (0..self.rows.count).step_by(self.data.rows) {
            let part = self.rows.range(start..(start + self.data.rows).min(self.rows.count));
            if self.data.rows < self.rows.count {
                fill(&execution.uploader(self.data)?, &part)?;
            }
            let steps: Vec<Step> = minibatches(part.count, self.batch).map(step).collect();
            metrics.append(execution.run(self.routine, &steps, &mut go_on)?);
        }
        Ok((metrics.mean_error(), metrics.mean_loss()))
    }
}
