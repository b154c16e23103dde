use super::*;

/// Noise on inputs.
pub(super) fn access(input: Tensor, noise: Noise, out: Tensor) -> Access {
    let fits = || {
        if !noise.is_sensible() {
            return Err(format!("{noise:?}: a share must lie between 0 and 1, a standard deviation must be above 0"));
        }
        match noise {
            Noise::Missing(Missing { first, .. }) if !(1..input.cols as u32).contains(&first) => {
                Err(format!("rows of {} cannot be parted behind value {first}", input.cols))
            }
            _ => same("the result", out, input.rows, input.cols),
        }
    };
    let (reads, writes, fits) = (reads([input]), computed([out]), fits());
    Access { name: "corrupt", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
