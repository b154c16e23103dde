//! What can go wrong in an experiment.

use std::path::PathBuf;

/// An error of an experiment. Every message is one sentence that names the option.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No results can be written.
    #[error("--out {}: no file can be written there: {cause}", folder.display())]
    Out {
        /// The folder for the results.
        folder: PathBuf,
        /// Why: part of the message, and so no source, which would be printed once more.
        cause: std::io::Error,
    },
    /// There is no such precision.
    #[error("--precision {0}: it must be auto, f32, mixed or split")]
    Precision(String),
    /// A recipe's file cannot be read, or is not a recipe of this experiment.
    #[error("--recipe {}: {message}", file.display())]
    Recipe {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A job cannot be read, or asks for what cannot be.
    #[error("{0}")]
    Job(String),
    /// A recipe or the results do not fit their format.
    #[error("the results cannot be written: {0}")]
    Unwritten(String),
    /// Signals cannot be handled.
    #[error("the signals that end a process cannot be handled: {0}")]
    Signals(std::io::Error),
    /// There is no such device, or it failed.
    #[error(transparent)]
    Compute(#[from] crate::compute::Error),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] crate::data::Error),
    /// A model or a file failed.
    #[error(transparent)]
    Model(#[from] crate::models::Error),
    /// A setting makes no sense, or training failed.
    #[error(transparent)]
    Train(#[from] crate::train::Error),
}

/// The result of an experiment's calls.
pub type Result<T> = std::result::Result<T, Error>;
