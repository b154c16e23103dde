use super::recurrence::{Shape, work};
use super::*;

/// The way back through a recurrent layer.
pub(super) fn access(op: &Op) -> Access {
    let Op::RecurrenceBackward { cell, steps, reversed: _, delta, weight, lengths, memory, trace, inputs, constant } =
        *op
    else {
        unreachable!("only ways back through recurrent layers come here");
    };
    let fits = || {
        let shape = Shape::of(cell, steps, memory, weight)?;
        match delta.rows == shape.batch {
            true => same("δ", delta, shape.batch, shape.units)?,
            false => shape.stacked("δ", delta, 1)?,
        }
        shape.lengths(lengths)?;
        shape.trace(trace)?;
        shape.below(inputs, constant)
    };
    let Trace { gates, cells, previous } = trace;
    let read = reads([Some(delta), Some(weight), lengths, Some(cells), Some(previous)]);
    let reads = [read, in_place([gates])].concat();
    let writes = computed([Some(gates), inputs, constant, Some(memory)]);
    let (work, fits) = (work(steps, memory, weight, true), fits());
    Access { name: "recurrence backward", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}
