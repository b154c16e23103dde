use super::*;

/// The largest entries of all rows together.
pub(super) fn access(input: Tensor, threshold: Tensor, k: usize, rate: f32, out: Tensor) -> Access {
    let fits = || {
        if k == 0 || k > input.cols {
            return Err(format!("{k} entries for each row cannot be taken of {}", input.cols));
        }
        if !(0.0..=1.0).contains(&rate) {
            return Err(format!("a rate of {rate} is not from 0 to 1"));
        }
        same("the thresholds", threshold, 1, threshold.cols)?;
        same("the result", out, input.rows, input.cols)
    };
    let reads = [reads([input]), in_place([threshold])].concat();
    let writes = [computed([out]), vec![Write::Renewed(threshold)]].concat();
    let (rows, fits) = (Rows::Of(input.rows), fits());
    Access { name: "batch largest", reads, writes, rows, report: Report::Nothing, work: Work::Little, fits }
}
