use super::*;

/// Sorting by columns.
pub(super) fn run(at: &Replay<'_>, rows: SparseRows, out: ByColumn) {
    let (x, columns) = (at.get(rows.values), at.get(rows.columns));
    let mut lists = vec![Vec::new(); out.starts.cols - 1];
    for r in 0..at.active() {
        for j in (0..x.cols).filter(|&j| x.at(r, j) != 0.0) {
            lists[columns.at(r, j) as usize].push((r * x.cols + j) as f64);
        }
    }
    let starts = lists.iter().scan(0.0, |end, list| {
        *end += list.len() as f64;
        Some(*end)
    });
    at.set(out.starts, std::iter::once(0.0).chain(starts).collect());
    let mut entries = lists.concat();
    entries.resize(out.entries.cols, 0.0);
    at.set(out.entries, entries);
}
