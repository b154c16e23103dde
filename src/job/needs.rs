//! What a job will need: its memory before any is taken, and its time from a few steps.

use std::time::Instant;

use super::train::Parts;
use super::{Kind, Resolved};
use crate::Device;
use crate::compute::{Hardware, Planner, Program, Role};
use crate::experiment::{Error, Experiment, Result, Sets};
use crate::models::EVALUATION_BATCH;

/// What a job needs on a device.
#[derive(Clone, Debug)]
pub struct Needs {
    /// Bytes of the largest program, without padding.
    pub program: u64,
    /// What that program is.
    pub name: String,
    /// Bytes of it for each row of a minibatch.
    pub of_row: u64,
    /// Rows of a minibatch.
    pub batch: usize,
    /// Bytes of rows that are held in memory while it trains.
    pub rows: u64,
    /// Bytes that are free now, where the system tells and the device takes its memory from there.
    pub available: Option<u64>,
    /// The programs of the job as they are recorded, one for each part.
    pub programs: Vec<Program>,
}

/// An estimate of the time that a job takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    /// Seconds of the whole job.
    pub seconds: f64,
    /// Seconds of its training steps alone, without reading, starting and measuring.
    pub training: f64,
    /// Rows that were trained on to find out.
    pub rows: usize,
}

/// Rows of the trial, in minibatches.
const TRIED: usize = 10;

/// Bytes that the system could give to programs, as Linux tells.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Refuses layers whose weights alone, with their gradients and the state of an optimiser, are more than there is memory for: before any is made.
pub(super) fn check_sizes(sizes: &[usize]) -> Result<()> {
    /// Numbers for each weight: itself, its gradient, two of an optimiser.
    const KEPT: f64 = 4.0;
    let weights: f64 = sizes.windows(2).map(|pair| pair[0] as f64 * pair[1] as f64).sum();
    let bytes = KEPT * 4.0 * weights;
    match available() {
        Some(available) if bytes > available as f64 => Err(Error::Job(format!(
            "layers of the sizes {sizes:?} have {weights:.0} weights, which take {:.1} GB while they are trained, but {:.1} GB are available; make them \
             smaller",
            bytes / 1e9,
            available as f64 / 1e9
        ))),
        _ => Ok(()),
    }
}

impl Resolved {
    /// The memory that training takes, found by going through it on a [`Planner`], where all numbers are 0.
    ///
    /// # Errors
    /// If the settings make no sense, or the data cannot be read.
    pub fn needs(&self, sets: &Sets, device: &Device) -> Result<Needs> {
        let planner = Planner::like(device);
        let planned = Device::new(planner.clone());
        let once = self.with_epochs(1)?;
        let all = sets.train.count().min(self.job.limit.unwrap_or(usize::MAX));
        // The rows themselves are added below.
        let few = all.min(2 * self.batch());
        let parts = Parts::of(sets, Some(few))?;
        if self.job.kind == Kind::Pca {
            return Ok(self.needs_of_components(sets, device));
        }
        let trained = once.model(&parts, sets, &planned, &mut Experiment::tried(&planned, &once.job));
        if let (Err(error), true) = (&trained, planner.programs().is_empty()) {
            return Err(Error::Job(error.to_string()));
        }
        // What is measured afterwards takes memory, too.
        if let Ok(model) = trained
            && self.job.kind != Kind::Classifier
        {
            let _ = model.score(&planned, parts.train.first(EVALUATION_BATCH));
        }
        let programs = planner.programs();
        let most = device.most_at_once() as usize;
        let bytes = |program: &&Program| {
            let data = program.tensors().filter(|(tensor, _, role)| *role == Role::Data && tensor.rows == few);
            let more = |bytes: usize| (bytes / few).saturating_mul(all).min(most).saturating_sub(bytes);
            program.bytes() + data.map(|(tensor, ..)| more(tensor.bytes())).sum::<usize>()
        };
        let largest = programs.iter().max_by_key(bytes);
        let batch = self.batch().min(few);
        let name = largest.and_then(|program| program.routines().first()).map(|routine| routine.name().to_owned());
        let held = sets.train.held_bytes(all);
        let host = device.hardware() != Hardware::Gpu;
        Ok(Needs {
            program: largest.as_ref().map_or(0, |program| bytes(program) as u64),
            name: name.unwrap_or_default(),
            of_row: largest.map_or(0, |program| program.bytes_of_row(batch) as u64),
            batch,
            rows: held as u64,
            available: available().filter(|_| host),
            programs,
        })
    }

    /// The memory of PCA: the moments of the columns in double precision.
    fn needs_of_components(&self, sets: &Sets, device: &Device) -> Needs {
        let width = self.sizes[0].min(sets.train.count()) as u64;
        let host = device.hardware() != Hardware::Gpu;
        Needs {
            program: 16 * width * width,
            name: "moments".to_owned(),
            of_row: 0,
            batch: 1,
            rows: 0,
            available: available().filter(|_| host),
            programs: Vec::new(),
        }
    }

    /// The time that the whole job takes, from two epochs on a few minibatches of rows on the device.
    ///
    /// # Errors
    /// As [`Resolved::train`].
    pub fn tried(&self, sets: &Sets, device: &Device) -> Result<Tried> {
        let all = sets.train.count().min(self.job.limit.unwrap_or(usize::MAX));
        let rows = (TRIED * self.batch()).min(all);
        let parts = Parts::of(sets, Some(rows))?;
        let measured = |epochs: usize| -> Result<[f64; 2]> {
            let short = self.with_epochs(epochs)?;
            let mut run = Experiment::tried(device, &short.job);
            let start = Instant::now();
            short.model(&parts, sets, device, &mut run)?;
            Ok([start.elapsed().as_secs_f64(), run.seconds_train])
        };
        // What is loaded and compiled once is in both.
        let ([short, short_training], [long, long_training]) = (measured(1)?, measured(3)?);
        let epoch = |short: f64, long: f64| (long - short).max(0.0) / 2.0 * all as f64 / rows as f64;
        let epochs = self.epochs() as f64;
        let training = epochs * epoch(short_training, long_training);
        Ok(Tried { seconds: short + epochs * epoch(short, long), training, rows })
    }

    /// Rows of a minibatch.
    pub(super) fn batch(&self) -> usize {
        let training = self.training.as_ref().map(|training| training.tuning.batch);
        training.or(self.pretrain.as_ref().map(|pretrain| pretrain.batch)).unwrap_or(1).max(1)
    }

    /// The epochs of the longest part.
    pub(super) fn epochs(&self) -> usize {
        let epochs = [
            self.training.as_ref().map(|training| training.tuning.epochs),
            self.pretrain.as_ref().map(|pretrain| pretrain.epochs),
            self.up_down.as_ref().map(|up_down| up_down.epochs),
            self.denoising.as_ref().map(|denoising| denoising.training.tuning.epochs),
        ];
        epochs.into_iter().flatten().max().unwrap_or(0)
    }

    /// The same with so many epochs of everything, at a constant rate.
    pub(super) fn with_epochs(&self, epochs: usize) -> Result<Self> {
        let mut short = self.clone();
        if let Some(pretrain) = &mut short.pretrain {
            pretrain.epochs = epochs;
        }
        if let Some(up_down) = &mut short.up_down {
            (up_down.epochs, up_down.schedule) = (epochs, crate::Schedule::Constant);
        }
        for training in [
            short.training.as_mut().map(|training| &mut training.tuning),
            short.denoising.as_mut().map(|denoising| &mut denoising.training.tuning),
        ]
        .into_iter()
        .flatten()
        {
            (training.epochs, training.schedule) = (epochs, crate::Schedule::Constant);
        }
        short.job.rounds = short.job.rounds.map(|_| 1);
        Ok(short)
    }
}

impl Needs {
    /// All bytes together.
    pub fn bytes(&self) -> u64 {
        self.program + self.rows
    }

    /// The largest minibatch that fits what is available, where this one does not.
    pub fn batch_that_fits(&self) -> Option<usize> {
        let available = self.available?;
        let fixed = self.bytes().saturating_sub(self.of_row * self.batch as u64);
        (self.bytes() > available).then(|| (available.saturating_sub(fixed) / self.of_row.max(1)) as usize)
    }

    /// Refuses a job that does not fit.
    ///
    /// # Errors
    /// With what it needs, what there is, and a minibatch that fits, if one does.
    pub fn check(&self) -> Result<()> {
        let Some(batch) = self.batch_that_fits() else { return Ok(()) };
        let cure = match batch {
            0 => "no minibatch is small enough; make the layers smaller".to_owned(),
            batch => format!("a minibatch of {batch} rows fits: --batch {batch}"),
        };
        Err(Error::Job(format!("training needs {self}; {cure}")))
    }
}

impl std::fmt::Display for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |bytes: u64| match bytes {
            bytes if bytes < 1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
            bytes => format!("{:.1} GB", bytes as f64 / 1e9),
        };
        write!(f, "{} of memory ({}: {}", shown(self.bytes()), self.name, shown(self.program))?;
        if self.rows > 0 {
            write!(f, ", rows: {}", shown(self.rows))?;
        }
        f.write_str(")")?;
        self.available.map_or(Ok(()), |available| write!(f, ", {} are available", shown(available)))
    }
}
