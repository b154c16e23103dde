use super::*;

/// Derivatives through activations.
pub(super) fn access(delta: Tensor, output: Tensor, out: Tensor) -> Access {
    let [rows, cols] = [delta.rows, delta.cols];
    let fits = same("the outputs", output, rows, cols).and_then(|()| same("the result", out, rows, cols));
    let reads = [in_place([delta]), reads([output])].concat();
    let (writes, work) = (computed([out]), Work::Elements(2 * delta.len() as u64));
    Access { name: "slope", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}
