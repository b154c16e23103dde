//! What can go wrong in training.

/// An error of a trainer. The model that was passed in is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device failed.
    #[error(transparent)]
    Compute(#[from] strait_compute::Error),
    /// The model and the data do not fit, or the model cannot be made.
    #[error(transparent)]
    Model(#[from] strait_models::Error),
    /// A data set cannot be read.
    #[error(transparent)]
    Data(#[from] strait_data::Error),
    /// What was made for training cannot be kept in a temporary file.
    #[error("the {what} cannot be kept in a temporary file: {cause}")]
    Kept {
        /// Rows, or the features of a machine.
        what: &'static str,
        /// Why not.
        cause: std::io::Error,
    },
    /// A setting makes no sense.
    #[error("{setting} is {value}: {expected}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The numbers grew beyond all bounds.
    #[error(
        "{stage} diverged in epoch {epoch}{} at learning rate {rate}: the error is {error}{}{}; use a smaller learning rate \
         (real-valued visible units need 10 to 100 times less than binary ones)",
        step.map(|step| format!(", step {step},")).unwrap_or_default(),
        rank.map(|rank| format!(" in the rows of rank {rank}")).unwrap_or_default(),
        operation.as_ref().map(|operation| format!(", and the first value that is not finite came from {operation}")).unwrap_or_default()
    )]
    Diverged {
        /// What was being trained.
        stage: String,
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step in the epoch, counted from 1, where it was found.
        step: Option<usize>,
        /// The learning rate.
        rate: f64,
        /// The error that was found.
        error: f64,
        /// Of several ranks, the first one that found it in its rows.
        rank: Option<usize>,
        /// The operation whose output was first not finite, and its step, where it was looked for and found.
        operation: Option<String>,
    },
    /// A snapshot is not one of this run.
    #[error("the snapshot does not fit this run: {0}; restore it in a run of the same recipe, model and rows")]
    Snapshot(String),
    /// A checkpoint cannot be kept, or is not one that a run can go on from.
    #[error("{}: {message}", path.display())]
    Checkpoint {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A checkpoint is that of a run with another recipe or other data.
    #[error(
        "{}: this run is another one than that of the checkpoint: {changes}; take these back, allow changes \
         (--allow-changes), or begin anew without --resume", path.display()
    )]
    Changed {
        /// The checkpoint.
        path: std::path::PathBuf,
        /// Every field that differs, with both values.
        changes: String,
    },
    /// A rank would train something else than the others.
    #[error(
        "rank {rank} would train something else than rank 0: {differences}; start all ranks with the same job and the same data"
    )]
    Ranks {
        /// The rank.
        rank: usize,
        /// Every field that differs, with both values.
        differences: String,
    },
    /// The device failed in the middle of training.
    #[error("{stage} broke off in epoch {epoch} of {epochs}, after {done} of its {rows} rows: {cause}")]
    BrokeOff {
        /// What was being trained.
        stage: String,
        /// The epoch, counted from 1.
        epoch: usize,
        /// Epochs of this stage.
        epochs: usize,
        /// Rows of the epoch that the device had been given.
        done: usize,
        /// Rows of an epoch.
        rows: usize,
        /// What failed.
        cause: Box<strait_compute::Error>,
    },
}

/// The result of the trainers' calls.
pub type Result<T> = std::result::Result<T, Error>;

/// A setting that has to be at least one.
pub(crate) fn positive(setting: &'static str, value: usize) -> Result<()> {
    if value == 0 {
        return Err(Error::Setting { setting, value: value.to_string(), expected: "it must be at least 1" });
    }
    Ok(())
}

/// Steps of Gibbs sampling for each minibatch.
pub(crate) fn gibbs_steps(value: usize) -> Result<()> {
    positive("cd-steps", value)?;
    if value > 1000 {
        let expected = "more than 1000 steps for each minibatch are not recorded";
        return Err(Error::Setting { setting: "cd-steps", value: value.to_string(), expected });
    }
    Ok(())
}

/// A setting that has to be a finite number above zero.
pub(crate) fn positive_rate(setting: &'static str, value: f32) -> Result<()> {
    if !(value.is_finite() && value > 0.0) {
        return Err(Error::Setting { setting, value: value.to_string(), expected: "it must be a number above 0" });
    }
    Ok(())
}

/// Values that are probabilities: of binary visible units, or the targets of a cross-entropy.
pub(crate) fn probabilities(rows: &strait_data::Rows<'_>) -> Result<()> {
    if let strait_data::Values::Bytes(_) = rows.values {
        return Ok(());
    }
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    rows.each_row(|row| row.iter().for_each(|&x| (low, high) = (low.min(x), high.max(x))));
    if ![low, high].into_iter().all(strait_data::Rows::is_probability) {
        return Err(Error::Setting {
            setting: "the range of the data",
            value: format!("{low} to {high}"),
            expected: "binary units and the cross-entropy take values from 0 to 1; scale the data by --scale clipped, or use Gaussian visible \
                       units and the squared error",
        });
    }
    Ok(())
}

/// A setting that has to lie from 0 up to, but not including, `end`.
pub(crate) fn below(setting: &'static str, value: f32, end: f32, expected: &'static str) -> Result<()> {
    if (0.0..end).contains(&value) {
        return Ok(());
    }
    Err(Error::Setting { setting, value: value.to_string(), expected })
}

/// A momentum or a decay rate.
pub(crate) fn decay(setting: &'static str, value: f32) -> Result<()> {
    below(setting, value, 1.0, "it must be at least 0 and less than 1")
}

/// A weight cost.
pub(crate) fn weight_cost(value: f32) -> Result<()> {
    below("weight-cost", value, f32::INFINITY, "it must be a number of at least 0")
}

/// The weight of a penalty.
pub(crate) fn penalty_weight(value: f32) -> Result<()> {
    below("the weight of the penalty", value, f32::INFINITY, "it must be a number of at least 0")
}
