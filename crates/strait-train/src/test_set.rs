//! The error on a test set while a model is trained.

use strait_compute::{Device, Execution, Metrics, Program, Routine, RoutineId, Step, Tensor, go_on};
use strait_data::Rows;
use strait_models::{Network, declare_rows, fill, minibatches, parts, upload};

use crate::backpropagation::Standardization;
use crate::method::Source;
use crate::minibatch::Minibatch;
use crate::{FineTune, Member, Result};

/// The measurement of the error on a test set.
pub(crate) struct TestSet<'a> {
    routine: RoutineId,
    /// As many of the rows as the device can hold.
    data: Tensor,
    batch: usize,
    rows: Source<'a>,
}

impl<'a> TestSet<'a> {
    /// Records what a model makes of the rows.
    pub(crate) fn record(
        device: &Device,
        program: &mut Program,
        name: &str,
        (net, network): (&dyn Member, &Network),
        (source, standardization): (Source<'a>, Option<Standardization>),
        recipe: &FineTune,
    ) -> Result<Self> {
        let batch = net.evaluation_batch(device, on_host(&source).count);
        Self::of(device, program, name, (source, batch), |program, routine, data| {
            let minibatch = Minibatch::declare(program, &format!("{name}."), batch, net);
            minibatch.gather((program, routine), data, standardization)?;
            minibatch.measure((program, routine), (net, network), recipe)
        })
    }

    /// Of rows that are measured `batch` at a time by what `measure` records, from the tensor that holds them to a loss.
    pub(crate) fn of(
        device: &Device,
        program: &mut Program,
        name: &str,
        (source, batch): (Source<'a>, usize),
        measure: impl FnOnce(&mut Program, &mut Routine, Tensor) -> Result<()>,
    ) -> Result<Self> {
        let rows = on_host(&source);
        let place = parts(device, rows, 0).next().unwrap_or(rows);
        let data = declare_rows(program, &format!("{name}_data"), &place);
        let mut routine = Routine::new(format!("{name} error"));
        measure(program, &mut routine, data)?;
        Ok(Self { routine: program.add(routine), data, batch, rows: source })
    }

    /// Brings the rows to the device, if it can hold all of them.
    pub(crate) fn upload(&self, execution: &mut dyn Execution) -> Result<()> {
        let rows = on_host(&self.rows);
        if self.data.rows == rows.count {
            upload(execution, self.data, &rows)?;
        }
        Ok(())
    }

    /// The mean error, squared or of a classifier, and the mean loss.
    pub(crate) fn measure(&self, execution: &mut dyn Execution) -> Result<(f64, f64)> {
        // Other random numbers for each minibatch, where there are any, but the same after every epoch.
        let step = |(offset, rows)| Step { offset, rows, counter: offset, ..Step::default() };
        let (mut metrics, rows) = (Metrics::default(), on_host(&self.rows));
        for start in (0..rows.count).step_by(self.data.rows) {
            let part = rows.range(start..(start + self.data.rows).min(rows.count));
            if self.data.rows < rows.count {
                fill(&execution.uploader(self.data)?, &part)?;
            }
            let steps: Vec<Step> = minibatches(part.count, self.batch).map(step).collect();
            metrics.append(execution.run(self.routine, &steps, &mut go_on)?);
        }
        Ok((metrics.mean_error(), metrics.mean_loss()))
    }
}

fn on_host<'s>(source: &'s Source<'_>) -> Rows<'s> {
    let Some(rows) = source.on_host() else { unreachable!("rows that are held out are on the host") };
    rows
}
