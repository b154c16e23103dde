//! What can go wrong with a model.

use std::path::PathBuf;

use crate::ModelKind;

/// An error of a model or of its file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device failed.
    #[error(transparent)]
    Compute(#[from] strait_compute::Error),
    /// The data are not rows.
    #[error(transparent)]
    Data(#[from] strait_data::Error),
    /// The data do not fit the model.
    #[error("the data have {found} values in a row, but the model takes {expected}")]
    Width {
        /// Values that the model takes.
        expected: usize,
        /// Values in a row of the data.
        found: usize,
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
    /// A model cannot be made as asked.
    #[error("{0}")]
    Shape(String),
    /// A kind of model cannot do what was asked of it.
    #[error("{} cannot {task}; {} can", kind.described(), able.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "))]
    Unsupported {
        /// The kind of the model.
        kind: ModelKind,
        /// What was asked.
        task: &'static str,
        /// The kinds that can.
        able: &'static [ModelKind],
    },
    /// A file cannot be read or written.
    #[error("{}: {}", path.display(), strait_data::explain_io(path, cause))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why: part of the message, and so no source, which would be printed once more.
        cause: std::io::Error,
    },
    /// A stream cannot be written.
    #[error("{0}")]
    Stream(#[from] std::io::Error),
    /// The bytes of a checkpoint are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// A file cannot be replaced, most likely because another program has it open.
    #[error("{}: {cause}; what was to be written there is in {}: move it there when no program has the file open", path.display(), kept.display())]
    Kept {
        /// The file, which is as it was.
        path: PathBuf,
        /// Where its new contents are.
        kept: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file holds another kind of model.
    #[error("{}: it holds {}, not {}; `Model::open` reads files of every kind", path.display(), found.described(), expected.described())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: ModelKind,
        /// What was asked for.
        expected: ModelKind,
    },
    /// A file has a later format.
    #[error("{}: it has format {found}, but this version of strait reads formats 1 to {latest}; update strait", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format that this version reads.
        latest: u32,
    },
    /// A file is not the model that it should be.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// The result of the models' calls.
pub type Result<T> = std::result::Result<T, Error>;
