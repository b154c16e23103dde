//! What is looked at to find out that a run diverges, and why.

use std::time::Duration;

use strait_compute::{Execution, Kind, RoutineId};

use crate::Result;
use crate::method::Tally;
use crate::monitor::Monitor;

/// The most steps after which the losses of all of them are looked at. They come from the device together.
pub(crate) const GUARDED: usize = 1000;

/// How often a run goes back with half the rate.
pub(crate) const HALVINGS: usize = 3;

/// How long an operation is looked for whose output is not finite.
pub(crate) const LOOKED_FOR: Duration = Duration::from_secs(60);

/// How many numbers each loss had brought before some steps.
pub(crate) struct Seen {
    losses: Vec<usize>,
    errors: Vec<usize>,
}

impl Seen {
    pub(crate) fn of(tally: &Tally) -> Self {
        let lengths = |columns: &[Vec<f32>]| columns.iter().map(Vec::len).collect();
        Self { losses: lengths(&tally.metrics.losses), errors: lengths(&tally.metrics.errors) }
    }

    /// The step and its loss, if a loss of these steps is not finite, or has exploded. `whole` is the first row of a part of the epoch that
    /// is complete with them: parts are compared as a whole, so that it plays no role where a run was interrupted.
    pub(crate) fn wrong(
        &self,
        tally: &Tally,
        (from, to): (usize, usize),
        whole: Option<usize>,
        monitor: &mut Monitor,
    ) -> Option<(usize, f64)> {
        let steps = to - from;
        let metrics = &tally.metrics;
        let mut first: Option<(usize, f64)> = None;
        let (mut sum, mut rows) = (0.0, 0);
        for (columns, seen) in [(&metrics.losses, &self.losses), (&metrics.errors, &self.errors)] {
            for (number, column) in columns.iter().enumerate() {
                let new = &column[seen.get(number).copied().unwrap_or(0)..];
                if let Some(row) = new.iter().position(|x| !x.is_finite()) {
                    let step = from + row * steps / new.len();
                    if first.is_none_or(|(known, _)| step < known) {
                        first = Some((step, f64::from(new[row])));
                    }
                }
                if let Some(part) = whole.and_then(|whole| column.get(whole..)) {
                    sum += part.iter().map(|&x| f64::from(x)).sum::<f64>();
                    rows = rows.max(part.len());
                }
            }
        }
        if first.is_some() {
            return first;
        }
        if !tally.minimised.is_finite() {
            return Some((to.saturating_sub(1), tally.minimised));
        }
        // The sum of losses and errors stands for either.
        let mean = sum / rows as f64;
        (rows > 0 && monitor.explodes(mean)).then_some((to.saturating_sub(1), mean))
    }
}

/// The range of steps of the chunk that contains `step`: the epoch's `steps` are split evenly into `parts` chunks.
pub(crate) fn guarded_part(step: usize, steps: usize, parts: usize) -> [usize; 2] {
    let begin = |part: usize| steps * part / parts;
    let part = (0..parts).rfind(|&part| begin(part) <= step).unwrap_or(0);
    [begin(part), begin(part + 1)]
}

/// The first operation of a routine whose output is not finite after a step, with the name of the output.
pub(crate) fn first_not_finite(execution: &mut dyn Execution, routine: RoutineId) -> Result<Option<String>> {
    let program = execution.program();
    let mut outputs = Vec::new();
    for op in program.routine(routine).ops() {
        let readable = |tensor: &strait_compute::Tensor| matches!(tensor.kind, Kind::Values | Kind::Rows);
        let written = op.tensors().1.into_iter().filter(readable);
        outputs.extend(written.map(|tensor| (op.name(), program.name(tensor).to_owned(), tensor)));
    }
    for (operation, name, tensor) in outputs {
        // Some are not kept, because what follows takes their place.
        let Ok(values) = execution.read(tensor) else { continue };
        if values.iter().any(|x| !x.is_finite()) {
            return Ok(Some(format!("the operation `{operation}` that writes `{name}`")));
        }
    }
    Ok(None)
}
