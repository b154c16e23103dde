//! The order in which the rows of an epoch are visited.

use strait_compute::philox::Stream;

use crate::method::Visits;

/// The orders in which rows are visited, epoch by epoch.
pub(super) struct Order {
    visits: Visits,
    stream: Stream,
    rows: usize,
    /// Epochs whose orders have been drawn.
    drawn: usize,
    current: Vec<u32>,
}

impl Order {
    pub(super) fn new(visits: Visits, rows: usize) -> Self {
        let stream = match visits {
            Visits::Shuffled { seed, stream } | Visits::Once { seed, stream } => Stream::new(seed, stream),
            Visits::InOrder => Stream::new(0, 0),
        };
        Self { visits, stream, rows, drawn: 0, current: Vec::new() }
    }

    /// The order of an epoch, which is not before the last one asked for, and whether it is another one than before.
    pub(super) fn of(&mut self, epoch: usize) -> (&[u32], bool) {
        let wanted = if matches!(self.visits, Visits::Shuffled { .. }) { epoch + 1 } else { 1 };
        let changes = self.drawn < wanted;
        while self.drawn < wanted {
            self.current = match self.visits {
                Visits::InOrder => (0..self.rows as u32).collect(),
                _ => self.stream.order(self.rows),
            };
            self.drawn += 1;
        }
        (&self.current, changes)
    }
}
