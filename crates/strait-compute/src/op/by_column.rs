use super::*;

/// The entries of sparse rows by their columns. Entry `b k + j` is the j-th of row b.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ByColumn {
    /// Where the entries of each column start, and where those of the last one end, [1, N + 1].
    pub starts: Tensor,
    /// The entries of one column after the other, ascending, [1, B k].
    pub entries: Tensor,
}

/// The largest whole number up to which single precision has all.
const EXACT: usize = 1 << 24;

impl ByColumn {
    /// Whether it has the shape for this number of entries and columns.
    pub(super) fn fits(&self, entries: usize, columns: usize) -> Fits {
        if entries.max(columns) >= EXACT {
            return Err(format!("{entries} entries of {columns} columns cannot be counted in single precision"));
        }
        same("where columns start", self.starts, 1, columns + 1)?;
        same("the entries by column", self.entries, 1, entries)
    }
}

/// Sorting by columns.
pub(super) fn access(rows: SparseRows, out: ByColumn) -> Access {
    let fits = || {
        rows.fits()?;
        out.fits(rows.values.len(), out.starts.cols.saturating_sub(1))
    };
    let (reads, writes) = (reads([rows.values, rows.columns]), computed([out.starts, out.entries]));
    let (minibatch, fits) = (Rows::Of(rows.values.rows), fits());
    Access { name: "by column", reads, writes, rows: minibatch, report: Report::Nothing, work: Work::Little, fits }
}
