use super::*;

/// The largest numbers of rows.
pub(super) fn run(at: &Replay<'_>, input: Tensor, out: SparseRows) {
    let (x, k) = (at.get(input), out.values.cols);
    let rows: Vec<Vec<usize>> = (0..input.rows)
        .map(|r| {
            let mut columns: Vec<usize> =
                (0..input.cols).filter(|&c| x.at(r, c) > 0.0 || x.at(r, c).is_nan()).collect();
            columns.sort_by(|&a, &b| x.at(r, b).total_cmp(&x.at(r, a)).then(a.cmp(&b)));
            columns.truncate(k);
            columns.sort_unstable();
            columns
        })
        .collect();
    at.put(out.values, |r, j| rows[r].get(j).map_or(0.0, |&c| x.at(r, c)));
    at.put(out.columns, |r, j| rows[r].get(j).map_or(0.0, |&c| c as f64));
}
