//! Tables as tests compare them.

use std::path::Path;

use strait_data::{ByteValues, Error, Options, open};

/// The rows of a file.
#[derive(Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) width: usize,
    pub(crate) values: Vec<f32>,
}

/// Reads a table; bytes stand for themselves.
pub(crate) fn table(path: impl AsRef<Path>, array: Option<&str>) -> Result<Table, Error> {
    let options = Options { array: array.map(str::to_owned), bytes: ByteValues::Numbers, ..Options::default() };
    let data = open(path, &options)?;
    let rows = data.rows()?;
    Ok(Table { width: rows.width, values: rows.to_numbers() })
}
