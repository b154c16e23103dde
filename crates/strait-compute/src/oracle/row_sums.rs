//! Sums of rows, for the host.

use super::Replay;
use crate::Tensor;

impl Replay<'_> {
    pub(super) fn row_sums(&mut self, input: Tensor, columns: Option<Tensor>) {
        let active = self.active();
        let (x, columns) = (self.get(input), columns.map(|columns| self.get(columns)));
        for r in 0..input.rows {
            let factor = |c: usize| columns.as_ref().map_or(1.0, |columns| columns.at(0, c));
            let sum: f64 = (0..input.cols).map(|c| x.at(r, c) * factor(c)).sum();
            self.metrics.extend([if r < active { sum as f32 } else { 0.0 }, 0.0]);
        }
    }
}
