//! Sparse matrices: of each row, the entries that are stored.

use std::path::Path;

use crate::source::Source;
use crate::{Error, Result};

/// A sparse matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    columns: usize,
    /// Where the entries of each row begin, and where those of the last one end.
    starts: Vec<usize>,
    /// The column of each entry, ascending in a row.
    places: Vec<u32>,
    values: Vec<f64>,
}

/// So many rows a matrix may always have, and so many for each of its entries.
const BELIEVED: usize = 1 << 20;

/// See [`BELIEVED`].
const PER_ENTRY: usize = 64;

/// A triple as files hold it: a row, a column, both from 0, and the value of the entry there.
pub(crate) type Triple = (u32, u32, f64);

impl Sparse {
    /// Sorts entries by rows and columns, and adds those that share one, as matrices of coordinates mean them.
    pub(crate) fn summed(path: &Path, sizes: [usize; 2], mut triples: Vec<Triple>) -> Result<Self> {
        triples.sort_by_key(|&(row, column, _)| (row, column));
        triples.dedup_by(|later, first| {
            let same = (later.0, later.1) == (first.0, first.1);
            if same {
                first.2 += later.2;
            }
            same
        });
        // None is left that comes twice.
        Self::new(path, sizes, triples, |_, _| Error::format(path, "an entry comes twice"))
    }

    /// Sorts entries by rows and columns. Of a row and column that comes twice, `repeated` makes the error.
    pub(crate) fn new(
        path: &Path,
        [rows, columns]: [usize; 2],
        mut triples: Vec<Triple>,
        repeated: impl Fn(u32, u32) -> Error,
    ) -> Result<Self> {
        triples.sort_unstable_by_key(|&(row, column, _)| (row, column));
        if let Some(pair) = triples.windows(2).find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
            return Err(repeated(pair[0].0, pair[0].1));
        }
        // Rows without entries leave no trace in most files, so that their number can be believed in part only.
        if rows > BELIEVED.max(PER_ENTRY * triples.len()) {
            let message = format!("{rows} rows are too many for {} triples: nearly all would be empty", triples.len());
            return Err(Error::format(path, message));
        }
        let mut starts: Vec<usize> = Vec::new();
        starts.try_reserve_exact(rows + 1).map_err(|_| Error::memory(path))?;
        starts.push(0);
        let mut entries = 0;
        for row in triples.chunk_by(|one, other| one.0 == other.0) {
            starts.resize(row[0].0 as usize + 1, entries);
            entries += row.len();
            starts.push(entries);
        }
        starts.resize(rows + 1, entries);
        let places = triples.iter().map(|&(_, column, _)| column).collect();
        Ok(Self { columns, starts, places, values: triples.into_iter().map(|(_, _, value)| value).collect() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of entries that are stored.
    pub fn stored(&self) -> usize {
        self.values.len()
    }

    /// The columns of a row's entries, ascending, and their values.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let entries = self.starts[row]..self.starts[row + 1];
        (&self.places[entries.clone()], &self.values[entries])
    }

    /// The same matrix with more columns, which are empty.
    pub(crate) fn widened(self, columns: usize) -> Self {
        Self { columns: columns.max(self.columns), ..self }
    }
}

impl Source for Sparse {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        out.fill(0.0);
        for (row, out) in out.chunks_exact_mut(self.columns).enumerate() {
            let (places, values) = self.row(first + row);
            places.iter().zip(values).for_each(|(&place, &value)| out[place as usize] = value);
        }
        Ok(())
    }
}
