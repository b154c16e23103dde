use super::*;

/// Maps into windows.
pub(super) fn access(input: Tensor, window: Window, out: Tensor) -> Access {
    let fits = || {
        let batch = window.check(out.rows)?;
        same("the windows", out, batch * window.positions(), window.taps())?;
        same("the map", input, batch, window.values())
    };
    let (reads, writes, fits) = (reads([input]), computed([out]), fits());
    Access { name: "unfold", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
