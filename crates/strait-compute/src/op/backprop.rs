//! Derivatives on their way back through layers.

use super::access::{Access, Product, Report, Rows, Work, computed, reads, same};
use crate::Tensor;

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
    Access {
        name: "backprop",
        reads: reads([delta, weight, output]),
        writes: computed([out]),
        rows: Rows::Any,
        report: Report::Nothing,
        work: Work::Products(vec![Product::Layer { input: delta, weight, transposed: !transposed }]),
        fits: fits(),
    }
}
