use super::*;

/// What the contractive penalty needs of a layer.
pub(super) fn access(weight: Tensor, output: Tensor, squares: Tensor, costs: Tensor) -> Access {
    let fits = || {
        same("the layer's output", output, output.rows, weight.cols)?;
        same("the squares", squares, 1, weight.cols)?;
        same("the costs", costs, 1, weight.cols)
    };
    let (reads, writes, fits) = (reads([weight, output]), computed([squares, costs]), fits());
    let (rows, report) = (Rows::Of(output.rows), Report::Nothing);
    Access { name: "contraction", reads, writes, rows, report, work: Work::Little, fits }
}
