//! Some rows of a minibatch into another.

use super::*;

/// Rows of a tensor at the same distance from each other: `first`, `first` + `every`, and so on to the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EveryRow {
    /// The tensor.
    pub tensor: Tensor,
    /// The first of these rows.
    pub first: usize,
    /// How many rows each is behind the one before.
    pub every: usize,
}

impl EveryRow {
    /// All rows of a tensor.
    pub fn all(tensor: Tensor) -> Self {
        Self { tensor, first: 0, every: 1 }
    }

    /// How many rows these are.
    pub fn count(&self) -> usize {
        self.tensor.rows.saturating_sub(self.first).div_ceil(self.every.max(1))
    }
}

pub(super) fn access(input: EveryRow, out: EveryRow) -> Access {
    let fits = || {
        if input.count() == 0 || input.count() != out.count() || input.every == 0 || out.every == 0 {
            let shown =
                |rows: EveryRow| format!("every {}th from {} of {}", rows.every, rows.first, rows.tensor.shape());
            return Err(format!("rows {} do not fit into rows {}", shown(input), shown(out)));
        }
        same("the result", out.tensor, out.tensor.rows, input.tensor.cols)
    };
    let (reads, writes, fits) = (reads([input.tensor]), computed([out.tensor]), fits());
    Access { name: "copy rows", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
