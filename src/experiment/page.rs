//! The report of a run that still trains.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::report;
use crate::train::Event;

/// Writes the page of a run again while it trains.
pub(super) struct Page {
    /// The run's folder, where it has a page.
    out: Option<PathBuf>,
    written: Option<Instant>,
}

impl Page {
    /// The time between two pages at least.
    const EVERY: Duration = Duration::from_secs(30);

    pub(super) fn new(out: Option<PathBuf>) -> Self {
        Self { out, written: None }
    }

    /// An observer that writes the page after epochs, and shows events in another way, too.
    pub(super) fn and(
        mut self,
        mut show: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> impl FnMut(&Event) -> ControlFlow<()> {
        move |event| {
            let due = self.written.is_none_or(|written| written.elapsed() >= Self::EVERY);
            if let (Some(out), true, Event::Epoch { .. }) = (&self.out, due, event) {
                self.written = Some(Instant::now());
                // Training is worth more than a page that cannot be written; the last one will say so.
                let _ = report::write(&[out], &out.join(report::FILE));
            }
            show(event)
        }
    }
}
