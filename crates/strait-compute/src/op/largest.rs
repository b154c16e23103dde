use super::*;

/// Rows most of whose numbers are zero: k entries for each, in the order of their columns. An entry that is 0 stands for none, and has
/// column 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SparseRows {
    /// The numbers, [B, k].
    pub values: Tensor,
    /// The column of each, [B, k].
    pub columns: Tensor,
}

impl SparseRows {
    /// Whether both tensors are of one shape.
    pub(super) fn fits(&self) -> Fits {
        same("the columns of the entries", self.columns, self.values.rows, self.values.cols)
    }
}

/// The largest numbers of rows.
pub(super) fn access(input: Tensor, out: SparseRows) -> Access {
    let fits = || {
        let k = out.values.cols;
        if k > input.cols {
            return Err(format!("the {k} largest of {} values cannot be taken", input.cols));
        }
        same("the entries", out.values, input.rows, k)?;
        out.fits()
    };
    let (reads, writes, fits) = (reads([input]), computed([out.values, out.columns]), fits());
    Access { name: "largest", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
