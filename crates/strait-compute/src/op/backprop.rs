use super::*;

/// Derivatives on their way back through layers.
pub(super) fn access(delta: Tensor, weight: Tensor, transposed: bool, output: Tensor, out: Tensor) -> Access {
    let fits = || {
        let (inner, cols) = if transposed { (weight.rows, weight.cols) } else { (weight.cols, weight.rows) };
        if delta.cols != inner {
            let turned = if transposed { ", used transposed" } else { "" };
            return Err(format!("δ is {} but W is {}{turned}", delta.shape(), weight.shape()));
        }
        same("the layer's output", output, delta.rows, cols)?;
        same("the result", out, delta.rows, cols)
    };
    let reads = reads([delta, weight, output]);
    let writes = computed([out]);
    let work = Work::Matmuls(vec![Matmul::Layer { input: delta, weight, transposed: !transposed }]);
    Access { name: "backprop", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits: fits() }
}
