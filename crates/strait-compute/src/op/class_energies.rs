use super::*;

/// Free energies of rows with each label.
pub(super) fn access(inputs: Tensor, weight: Tensor, bias: Tensor, out: Tensor) -> Access {
    let fits = || {
        same("the hidden inputs", inputs, out.rows, weight.cols)?;
        same("the visible bias", bias, 1, weight.rows)?;
        if out.cols > weight.rows {
            return Err(format!("{} classes are more than the {} visible units", out.cols, weight.rows));
        }
        Ok(())
    };
    let (reads, writes, fits) = (reads([inputs, weight, bias]), computed([out]), fits());
    Access { name: "class energies", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
