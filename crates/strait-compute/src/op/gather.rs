use super::*;

/// Minibatches out of a data set.
pub(super) fn access(data: Tensor, index: Option<Tensor>, first: usize, shift: Option<Shift>, out: Tensor) -> Access {
    let fits = || {
        if !matches!(data.kind, Kind::Bytes | Kind::Rows) {
            return Err(format!("the data set is of kind {:?}, not Bytes or Rows", data.kind));
        }
        if let Some(index) = index.filter(|index| index.kind != Kind::Index || index.rows != 1) {
            return Err(format!("the index is a {:?} of shape {}", index.kind, index.shape()));
        }
        if let Some(Shift { width, pixels, .. }) = shift.filter(|shift| !shift.fits(out.cols)) {
            return Err(format!("cannot shift rows of {} pixels by {pixels} as images of width {width}", out.cols));
        }
        if first.checked_add(out.cols).is_none_or(|end| end > data.cols) {
            return Err(format!("rows of {} have no {} columns from {first} on", data.cols, out.cols));
        }
        Ok(())
    };
    let reads = reads([Some(data), index]);
    let writes = vec![Write::Bits(out)];
    let rows = Rows::Data { data, index, minibatch: out };
    Access { name: "gather", reads, writes, rows, report: Report::Nothing, work: Work::Little, fits: fits() }
}
