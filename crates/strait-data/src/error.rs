//! What can be wrong with a data set.

use std::path::{Path, PathBuf};

/// An error of a reader. Every message names the file and says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be opened or read.
    #[error("{}: {}", path.display(), explain_io(path, cause))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why: part of the message, and so no source, which would be printed once more.
        cause: std::io::Error,
    },
    /// A folder holds no file of that name.
    #[error("{}: no file `{name}` or `{name}.gz` in this folder; it must hold the four MNIST files", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The name looked for.
        name: String,
    },
    /// A file is not what it should be.
    #[error("{}: {message}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with what was found and what was expected.
        message: String,
    },
    /// Values do not form rows of the length given.
    #[error("{values} values do not form rows of {width}")]
    Rows {
        /// Number of values.
        values: usize,
        /// The length of a row.
        width: usize,
    },
    /// Labels do not fit the rows.
    #[error("{0}")]
    Labels(String),
    /// Counts of words are too many for a matrix, or do not fit it.
    #[error("{0}")]
    Counts(String),
    /// A value is NaN or infinite.
    #[error("row {row}, column {column}: the value {value} is not finite")]
    NotFinite {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The value.
        value: f32,
    },
}

/// The result of the readers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a file could not be read or written, and where it was looked for.
///
/// ```
/// let cause = std::io::ErrorKind::NotFound.into();
/// let text = strait_data::explain_io("/data/own.csv".as_ref(), &cause);
/// assert_eq!(text, "no such file or folder; check its name");
/// ```
pub fn explain_io(path: &Path, cause: &std::io::Error) -> String {
    match (cause.kind(), std::env::current_dir()) {
        (std::io::ErrorKind::NotFound, Ok(here)) if path.is_relative() => {
            format!("no such file or folder in {}; check its name", here.display())
        }
        (std::io::ErrorKind::NotFound, _) => "no such file or folder; check its name".to_owned(),
        _ => cause.to_string(),
    }
}

impl Error {
    pub(crate) fn format(path: &Path, message: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), message: message.into() }
    }

    pub(crate) fn memory(path: &Path) -> Self {
        Self::format(path, "there is not enough memory for its content")
    }

    pub(crate) fn io(path: &Path, cause: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), cause }
    }
}
