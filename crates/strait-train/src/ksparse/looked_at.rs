//! Rows on which units are looked at between the rounds, in the program that trains them: neither weights nor rows of all units are there twice.

use strait_compute::{Device, Execution, Kind, Op, Program, Routine, RoutineId, Step, Tensor, go_on};
use strait_data::Rows;
use strait_models::{Autoencoder, Network, SparseCodes, Tape, evaluation_batch, minibatches};

use crate::Result;

/// Rows of a minibatch where codes of all units are needed for a while, as they are where units have thresholds.
const FEW_ROWS: usize = 250;

/// The rows in a program.
pub(super) struct LookedAt {
    routine: RoutineId,
    batch: usize,
    data: Tensor,
    /// The numbers of each code, and behind them the units.
    listed: Tensor,
    /// The reconstructions.
    made: Tensor,
}

impl LookedAt {
    pub(super) fn record(
        device: &Device,
        program: &mut Program,
        network: &Network,
        net: &Autoencoder,
        rows: Rows<'_>,
    ) -> Result<Self> {
        let units = net.code_size();
        let k = net.top_k.or(net.thresholds.map(|thresholds| thresholds.most(units))).unwrap_or(units);
        let batch = evaluation_batch(device, &net.layers, rows.count);
        let batch = if net.thresholds.is_some() { batch.min(FEW_ROWS) } else { batch };
        let [data, made] =
            ["looked_at", "looked_at.reconstructed"].map(|name| program.data(name, rows.count, rows.width, Kind::Rows));
        let listed = program.data("looked_at.listed", rows.count, 2 * k, Kind::Rows);
        let x = program.value("looked_at.x", batch, rows.width);
        let mut routine = Routine::new("rows looked at").with_independent_rows();
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: x })?;
        let mut tape = Tape::measuring(program, &mut routine, batch);
        let input = tape.data(x);
        let code = tape.layer(input, network.layers[0])?;
        let listed_codes = tape.list_largest(code, k)?;
        let out = tape.layer(code, network.layers[1])?;
        let (out, entries) = (tape.tensor(out), tape.with_units(listed_codes)?);
        routine.push(Op::Scatter { input: entries, data: listed })?;
        routine.push(Op::Scatter { input: out, data: made })?;
        Ok(Self { routine: program.add(routine), batch, data, listed, made })
    }

    /// The codes of these rows, and their reconstructions.
    pub(super) fn look(
        &self,
        execution: &mut dyn Execution,
        rows: Rows<'_>,
        units: usize,
    ) -> Result<(SparseCodes, Vec<f32>)> {
        execution.write(self.data, &rows.to_numbers())?;
        let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
        let steps: Vec<Step> = minibatches(rows.count, self.batch).map(step).collect();
        execution.run(self.routine, &steps, &mut go_on)?;
        let codes = SparseCodes::split(&execution.read(self.listed)?, units, self.listed.cols / 2);
        Ok((codes, execution.read(self.made)?))
    }
}
