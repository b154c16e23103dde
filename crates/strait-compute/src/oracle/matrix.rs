//! Matrices, and products of them as a device multiplies.

use crate::Operands;

/// A matrix, row-major.
pub(super) struct Matrix {
    pub(super) cols: usize,
    pub(super) values: Vec<f64>,
}

impl Matrix {
    pub(super) fn at(&self, row: usize, col: usize) -> f64 {
        self.values[row * self.cols + col]
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.cols..(row + 1) * self.cols]
    }
}

/// A factor of a product, in the parts that the device multiplies: the high one, and the low one where there is one.
pub(super) struct Factor {
    pub(super) high: Matrix,
    pub(super) low: Option<Matrix>,
}

impl Factor {
    pub(super) fn new(matrix: Matrix, operands: Operands) -> Self {
        let cols = matrix.cols;
        let part = |i: usize| Matrix { cols, values: matrix.values.iter().map(|&x| operands.parts(x)[i]).collect() };
        match operands {
            Operands::F32 => Self { high: matrix, low: None },
            Operands::TwoBf16 => Self { high: part(0), low: Some(part(1)) },
            Operands::F16 | Operands::Bf16 => Self { high: part(0), low: None },
        }
    }
}

/// Σ a b over pairs of places in two factors.
pub(super) fn sum_of_products(a: &Factor, b: &Factor, places: impl Iterator<Item = [(usize, usize); 2]>) -> f64 {
    let product = |[(r, c), (k, n)]: [(usize, usize); 2]| {
        let crosswise = match (&a.low, &b.low) {
            (Some(a_low), Some(b_low)) => a.high.at(r, c) * b_low.at(k, n) + a_low.at(r, c) * b.high.at(k, n),
            _ => 0.0,
        };
        a.high.at(r, c) * b.high.at(k, n) + crosswise
    };
    places.map(product).sum()
}

/// A matrix by its elements.
pub(super) fn matrix(rows: usize, cols: usize, element: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..rows * cols).map(|i| element(i / cols, i % cols)).collect()
}

/// ln Σ eᶻ
pub(super) fn log_sum_exp(z: &[f64]) -> f64 {
    let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln()
}
