//! Tables as files: rows are written as they come, so that no more than a window of them is in memory.

mod arrays;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod safetensors;
mod text;

use std::io::Write;
use std::path::Path;
use std::str::FromStr;

pub use arrays::{NamedArray, write_arrays};

/// The format of a table that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputFormat {
    /// A NumPy array: of single precision if all columns are, else of double precision.
    Npy,
    /// One such array, of the name `rows`, in an archive.
    Npz,
    /// One tensor, of the name `rows`.
    Safetensors,
    /// Text with a header.
    Csv,
    /// Parquet, a column each.
    Parquet,
}

impl OutputFormat {
    /// The format that a file's ending names.
    ///
    /// ```
    /// use strait_data::OutputFormat;
    /// assert_eq!(OutputFormat::of("codes.npy".as_ref()), Ok(OutputFormat::Npy));
    /// assert!(OutputFormat::of("codes.xls".as_ref()).is_err());
    /// ```
    ///
    /// # Errors
    /// With the endings that are known, if it is none of them.
    pub fn of(path: &Path) -> Result<Self, String> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        ending.parse().map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "npy" => Ok(Self::Npy),
            "npz" => Ok(Self::Npz),
            "safetensors" => Ok(Self::Safetensors),
            "csv" => Ok(Self::Csv),
            "parquet" if cfg!(feature = "parquet") => Ok(Self::Parquet),
            "parquet" => Err("this build writes no Parquet".to_owned()),
            _ => Err("the ending must be npy, npz, safetensors, csv or parquet".to_owned()),
        }
    }
}

/// What the numbers of a column are.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// Single precision.
    Single,
    /// Double precision.
    Double,
    /// Whole numbers.
    Whole,
    /// 0 or 1, false or true.
    Boolean,
    /// Places in a list of names, which formats with text write instead.
    Named(Vec<String>),
}

/// A column of a table that is written.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// What its numbers are.
    pub kind: ColumnKind,
}

impl OutputColumn {
    /// A column of this name.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind }
    }

    /// `count` columns of single precision: `stem0`, `stem1`, ...
    pub fn numbered(stem: &str, count: usize) -> Vec<Self> {
        (0..count).map(|number| Self::new(format!("{stem}{number}"), ColumnKind::Single)).collect()
    }
}

/// What writes rows in a format.
trait Rows {
    /// Writes whole rows, row after row.
    fn push(&mut self, rows: &[f64]) -> std::io::Result<()>;

    /// Writes what comes behind the last row.
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

/// Writes a table batch by batch. The number of rows is fixed at the start.
///
/// ```
/// use strait_data::{ColumnKind, OutputColumn, OutputFormat, TableWriter};
/// let columns = [OutputColumn::new("row", ColumnKind::Whole), OutputColumn::new("score", ColumnKind::Double)];
/// let mut bytes = Vec::new();
/// let mut table = TableWriter::new(&mut bytes, OutputFormat::Csv, &columns, 2)?;
/// table.push(&[0.0, 0.5])?;
/// table.push(&[1.0, 0.25])?;
/// table.finish()?;
/// assert_eq!(bytes, b"row,score\n0,0.5\n1,0.25\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TableWriter<'a> {
    rows: Box<dyn Rows + 'a>,
    columns: usize,
    /// Rows that are still to come.
    left: usize,
}

impl<'a> TableWriter<'a> {
    /// Starts a table with these columns and `count` rows. Output is not buffered: pass a `BufWriter` for a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(
        to: impl Write + Send + 'a,
        format: OutputFormat,
        columns: &[OutputColumn],
        count: usize,
    ) -> std::io::Result<Self> {
        let rows: Box<dyn Rows + 'a> = match format {
            OutputFormat::Npy => Box::new(npy::Npy::new(to, columns, count)?),
            OutputFormat::Npz => Box::new(npy::Npz::new(to, columns, count)?),
            OutputFormat::Safetensors => Box::new(safetensors::Safetensors::new(to, columns, count)?),
            OutputFormat::Csv => Box::new(text::Text::new(to, columns)?),
            #[cfg(feature = "parquet")]
            OutputFormat::Parquet => Box::new(parquet::Parquet::new(to, columns)?),
            #[cfg(not(feature = "parquet"))]
            OutputFormat::Parquet => return Err(std::io::ErrorKind::Unsupported.into()),
        };
        Ok(Self { rows, columns: columns.len(), left: count })
    }

    /// Writes whole rows, row after row.
    ///
    /// # Errors
    /// If they cannot be written, are more than were to come, or the last is not whole.
    pub fn push(&mut self, rows: &[f64]) -> std::io::Result<()> {
        let count = rows.len() / self.columns;
        if !rows.len().is_multiple_of(self.columns) || count > self.left {
            let message = format!("{} numbers for at most {} rows of {}", rows.len(), self.left, self.columns);
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
        }
        self.left -= count;
        self.rows.push(rows)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// If it cannot be written, or rows are missing.
    pub fn finish(self) -> std::io::Result<()> {
        if self.left > 0 {
            let message = format!("{} rows are missing", self.left);
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
        }
        self.rows.finish()
    }
}

/// Whether all columns are of single precision.
fn all_single(columns: &[OutputColumn]) -> bool {
    columns.iter().all(|column| column.kind == ColumnKind::Single)
}

/// Appends numbers in little-endian order.
fn append(bytes: &mut Vec<u8>, rows: &[f64], single: bool) {
    bytes.clear();
    if single {
        rows.iter().for_each(|&x| bytes.extend_from_slice(&(x as f32).to_le_bytes()));
    } else {
        rows.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
    }
}
