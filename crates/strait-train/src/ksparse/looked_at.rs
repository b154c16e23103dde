//! Rows on which units are looked at between the rounds, in the program that trains them: neither weights nor rows of all units are there twice.

use strait_compute::{Device, Execution, Kind, Op, Program, Routine, RoutineId, SparseRows, Step, Tensor, go_on};
use strait_data::Rows;
use strait_models::{Autoencoder, Network, Tape, evaluation_batch, minibatches, most};

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
        let listed = net.top_k.or(net.thresholds.map(|thresholds| most(thresholds.k(), net.code_size())));
        let k = listed.unwrap_or(1);
        let batch = evaluation_batch(device, &net.layers, rows.count);
        let batch = if net.thresholds.is_some() { batch.min(FEW_ROWS) } else { batch };
        let [data, made] =
            ["looked_at", "looked_at.reconstructed"].map(|name| program.data(name, rows.count, rows.width, Kind::Rows));
        let listed = program.data("looked_at.listed", rows.count, 2 * k, Kind::Rows);
        let [x, entries] = [("looked_at.x", rows.width), ("looked_at.entries", 2 * k)]
            .map(|(name, cols)| program.value(name, batch, cols));
        let mut routine = Routine::new("rows looked at").with_independent_rows();
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: x })?;
        let mut tape = Tape::measuring(program, &mut routine, batch);
        let input = tape.data(x);
        let code = tape.layer(input, network.layers[0])?;
        let SparseRows { values, columns } = tape.list_largest(code, k)?;
        let out = tape.layer(code, network.layers[1])?;
        let out = tape.tensor(out);
        for (input, to) in [(values, 0), (columns, k)] {
            routine.push(Op::CopyColumns { input, first: 0, out: entries, to, columns: k })?;
        }
        routine.push(Op::Scatter { input: entries, data: listed })?;
        routine.push(Op::Scatter { input: out, data: made })?;
        Ok(Self { routine: program.add(routine), batch, data, listed, made })
    }

    /// How many of these rows use each unit, and the reconstructions of the rows.
    pub(super) fn look(
        &self,
        execution: &mut dyn Execution,
        rows: Rows<'_>,
        units: usize,
    ) -> Result<(Vec<usize>, Vec<f32>)> {
        execution.write(self.data, &rows.to_numbers())?;
        let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
        let steps: Vec<Step> = minibatches(rows.count, self.batch).map(step).collect();
        execution.run(self.routine, &steps, &mut go_on)?;
        let mut uses = vec![0; units];
        for entries in execution.read(self.listed)?.chunks_exact(self.listed.cols) {
            let (values, columns) = entries.split_at(self.listed.cols / 2);
            let used = values.iter().zip(columns).filter(|(value, _)| **value != 0.0);
            used.for_each(|(_, column)| uses[*column as usize] += 1);
        }
        Ok((uses, execution.read(self.made)?))
    }
}
