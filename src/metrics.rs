//! How training went, as files: `metrics.csv`, and event files that TensorBoard shows.
//!
//! ```
//! use strait::metrics::Metrics;
//! use strait::prelude::*;
//! use strait::train::{CheckpointOptions, Checkpoints};
//! # let folder = tempfile::tempdir()?;
//! # let out = folder.path();
//! let rows = Rows::numbers(&[0.0, 1.0, 1.0, 0.0], 2)?;
//! let mut net = Autoencoder::glorot(&[2, 1], 1)?;
//! let kept = Checkpoints::open(out, CheckpointOptions::default())?;
//! let mut metrics = Metrics::open(out, false)?.run("net");
//! let run = FineTune { epochs: 2, ..FineTune::default() }.run(&Device::cpu()?, &mut net, rows)?;
//! run.observe(|event| {
//!     metrics.observe(event);
//!     std::ops::ControlFlow::Continue(())
//! })
//! .checkpoints(&kept, "net")
//! .train()?;
//! assert_eq!(std::fs::read_to_string(out.join("metrics.csv"))?.lines().count(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv;
mod tensorboard;

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::train::Event;
use crate::warn;

pub use tensorboard::EventFile;

/// The folder for metrics of all runs of an experiment.
#[derive(Clone, Debug)]
pub struct Metrics {
    out: PathBuf,
}

/// The metrics of one run: an observer of its events.
///
/// A run that goes on from a checkpoint cuts its files back to that, so that no epoch is there twice.
pub struct RunMetrics {
    run: String,
    out: PathBuf,
    events: Option<EventFile>,
    /// Whether a file could not be written, which is told once: training is worth more.
    failed: bool,
}

/// One line of `metrics.csv`.
pub(crate) struct Line<'a> {
    pub(crate) stage: &'a str,
    pub(crate) epoch: usize,
    /// Names and values, in the order of the columns.
    pub(crate) values: [(&'static str, Option<f64>); 7],
}

impl Metrics {
    /// Opens `metrics.csv` and the folder `tensorboard` inside `out`. Those of an earlier run are emptied unless it goes on.
    ///
    /// # Errors
    /// If no file can be written there.
    pub fn open(out: &Path, resume: bool) -> io::Result<Self> {
        let folder = out.join(tensorboard::FOLDER);
        if !resume {
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        csv::open(out, resume)?;
        Ok(Self { out: out.to_owned() })
    }

    /// The metrics of a run of this name.
    pub fn run(&self, name: &str) -> RunMetrics {
        RunMetrics { run: name.to_owned(), out: self.out.clone(), events: None, failed: false }
    }
}

impl RunMetrics {
    /// An observer that takes down the events and shows them in another way, too.
    pub fn and(mut self, mut show: impl FnMut(&Event) -> ControlFlow<()>) -> impl FnMut(&Event) -> ControlFlow<()> {
        move |event| {
            self.observe(event);
            show(event)
        }
    }

    /// Takes down an event. A file that cannot be written is told of once, and training goes on.
    pub fn observe(&mut self, event: &Event) {
        let taken = match event {
            Event::Begun { epochs, .. } => self.cut(epochs),
            Event::Epoch {
                stage,
                epoch,
                error,
                test_error,
                validation_error,
                free_energy_gap,
                rate_factor,
                seconds,
                rows,
                ..
            } => self.add(&Line {
                stage,
                epoch: *epoch,
                values: [
                    ("error", Some(*error)),
                    ("test_error", *test_error),
                    ("validation_error", *validation_error),
                    ("free_energy_gap", *free_energy_gap),
                    ("rate_factor", Some(f64::from(*rate_factor))),
                    ("seconds", Some(*seconds)),
                    ("rows_per_second", Some(*rows as f64 / seconds.max(1e-9))),
                ],
            }),
            Event::Rows { .. } | Event::Note { .. } | Event::Stopped => Ok(()),
        };
        if let Err(error) = taken
            && !std::mem::replace(&mut self.failed, true)
        {
            warn!("warning: {}: the metrics of {} cannot be written ({error})", self.out.display(), self.run);
        }
    }

    /// Takes away what is beyond these epochs of each stage, and begins a new event file.
    fn cut(&mut self, epochs: &BTreeMap<String, usize>) -> io::Result<()> {
        self.events = None;
        csv::cut(&self.out, &self.run, epochs)?;
        tensorboard::cut(&self.out, &self.run, epochs)
    }

    fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        csv::add(&self.out, &self.run, line)?;
        let events = self.event_file()?;
        for (name, value) in line.values.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
            events.scalar(&format!("{}/{name}", line.stage), line.epoch, value)?;
        }
        events.flush()
    }

    /// The event file of the run, for pictures and histograms beside the scalars; made where there is none.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn event_file(&mut self) -> io::Result<&mut EventFile> {
        let events = match self.events.take() {
            Some(events) => events,
            None => EventFile::create(&self.out.join(tensorboard::FOLDER).join(&self.run))?,
        };
        Ok(self.events.insert(events))
    }
}
