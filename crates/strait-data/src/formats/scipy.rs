//! Sparse matrices of `scipy.sparse.save_npz`.

use std::path::Path;

use super::npz::Archive;
use crate::sparse::{Sparse, Triple};
use crate::{Error, Result};

/// Reads a matrix that is stored by rows (CSR), by columns (CSC) or entry by entry (COO).
pub(crate) fn sparse(path: &Path, archive: &Archive<'_>, most: u64) -> Result<Sparse> {
    let wrong = |message: String| Error::format(path, message);
    let list = |name: &str| archive.array(name, most).map(|array| array.to_doubles());
    let by_columns = match archive.text("format").unwrap_or_default().as_str() {
        "csr" => false,
        "csc" => true,
        "coo" => return entries(path, [list("shape")?, list("row")?, list("col")?, list("data")?]),
        other => return Err(wrong(format!("a sparse matrix of SciPy's format `{other}`; save it by `.tocsr()`"))),
    };
    let (starts, places, values, shape) = (list("indptr")?, list("indices")?, list("data")?, list("shape")?);
    let &[rows, columns] = &shape[..] else {
        return Err(wrong(format!("a sparse matrix has two dimensions, not {}", shape.len())));
    };
    let (major, minor) = if by_columns { (columns, rows) } else { (rows, columns) };
    let stored = starts.last().copied().unwrap_or(-1.0);
    let sound = starts.len() as f64 == major + 1.0
        && starts[0] == 0.0
        && starts.is_sorted()
        && stored == places.len() as f64
        && places.len() == values.len()
        && minor < f64::from(u32::MAX);
    if !sound || places.iter().any(|place| !(0.0..minor).contains(place)) {
        return Err(wrong(
            "its sparse matrix is damaged: `indptr`, `indices`, `data` and `shape` do not fit".to_owned(),
        ));
    }
    let mut triples: Vec<Triple> = Vec::with_capacity(values.len());
    for (line, ends) in starts.windows(2).enumerate() {
        for entry in ends[0] as usize..ends[1] as usize {
            let (line, place) = (line as u32, places[entry] as u32);
            let (row, column) = if by_columns { (place, line) } else { (line, place) };
            triples.push((row, column, values[entry]));
        }
    }
    Sparse::summed(path, [rows as usize, columns as usize], triples)
}

/// A matrix whose entries are stored one by one.
fn entries(path: &Path, [shape, rows, columns, values]: [Vec<f64>; 4]) -> Result<Sparse> {
    let inside = |places: &[f64], size: f64| places.iter().all(|place| (0.0..size).contains(place));
    let sound = shape.len() == 2
        && shape.iter().all(|&size| size < f64::from(u32::MAX))
        && rows.len() == values.len()
        && columns.len() == values.len();
    if !sound || !inside(&rows, shape[0]) || !inside(&columns, shape[1]) {
        let message = "its sparse matrix is damaged: `row`, `col`, `data` and `shape` do not fit";
        return Err(Error::format(path, message));
    }
    let triples = rows.iter().zip(&columns).zip(&values);
    let triples = triples.map(|((&row, &column), &value)| (row as u32, column as u32, value)).collect();
    Sparse::summed(path, [shape[0] as usize, shape[1] as usize], triples)
}
