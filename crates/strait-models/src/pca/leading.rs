//! The eigenvectors of a covariance with the largest eigenvalues.

use faer::{Mat, Side};

use crate::{Error, Result};

/// From so many columns on, some of the eigenvectors are found faster than all of them.
const MANY: usize = 200;

/// Directions beyond twice those that are wanted.
const BESIDE: usize = 8;

/// Products with the matrix before the directions are made orthogonal again.
const PRODUCTS: usize = 3;

/// After so many rounds all eigenvectors are computed instead.
const ROUNDS: usize = 25;

/// How far the product of the matrix with an eigenvector may be from a multiple of it, as a part of the largest eigenvalue.
const SETTLED: f64 = 1e-10;

/// Eigenvectors by falling eigenvalue, each of which follows its vector.
pub(super) type Leading = Vec<(f64, Vec<f64>)>;

/// The first `count` of a symmetric matrix without negative eigenvalues.
pub(super) fn leading(matrix: &Mat<f64>, count: usize) -> Result<Leading> {
    let some = matrix.nrows() >= MANY && 4 * (2 * count + BESIDE) <= matrix.nrows();
    match some.then(|| by_iteration(matrix, count)).flatten() {
        Some(leading) => Ok(leading),
        None => by_all(matrix, count),
    }
}

fn by_all(matrix: &Mat<f64>, count: usize) -> Result<Leading> {
    let eigen = matrix
        .self_adjoint_eigen(Side::Lower)
        .map_err(|error| Error::Shape(format!("the covariance cannot be decomposed ({error:?})")))?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    // Eigenvalues ascend.
    let chosen = (0..matrix.nrows()).rev().take(count);
    Ok(chosen.map(|i| (values[i], vectors.col(i).iter().copied().collect())).collect())
}

/// By subspace iteration with as many directions again beside those that are wanted; nothing where it has not settled, or has missed one, which
/// may happen where several are nearly equal.
fn by_iteration(matrix: &Mat<f64>, count: usize) -> Option<Leading> {
    let (width, directions) = (matrix.nrows(), 2 * count + BESIDE);
    // Any directions will do that no eigenvector is likely to be orthogonal to: a sequence without a pattern.
    let place = |i: usize, j: usize| ((i * directions + j) as f64 * 0.754_877_666_246_692_7).fract() - 0.5;
    let mut basis = Mat::from_fn(width, directions, place).qr().compute_thin_Q();
    for _ in 0..ROUNDS {
        for _ in 0..PRODUCTS {
            basis = matrix * &basis;
        }
        basis = basis.qr().compute_thin_Q();
        let product = matrix * &basis;
        let small = basis.transpose() * &product;
        let eigen = small.self_adjoint_eigen(Side::Lower).ok()?;
        // Eigenvalues ascend: the last ones are wanted.
        let order: Vec<usize> = (0..directions).rev().collect();
        let rotation = Mat::from_fn(directions, directions, |i, j| eigen.U()[(i, order[j])]);
        let values: Vec<f64> = order.iter().map(|&i| eigen.S().column_vector()[i]).collect();
        let (vectors, images) = (&basis * &rotation, &product * &rotation);
        let apart = |j: usize| {
            let pairs = images.col(j).iter().zip(vectors.col(j).iter());
            pairs.map(|(y, v)| (y - values[j] * v).powi(2)).sum::<f64>().sqrt()
        };
        let largest = values[0];
        if (0..count).all(|j| apart(j) <= SETTLED * largest) {
            // Of equal ones at the end any will do.
            let limit = values[count - 1] + 1e-9 * largest;
            let above = values[..count].iter().filter(|value| **value > limit).count();
            let complete = above == eigenvalues_above(matrix, limit);
            let column = |j: usize| (values[j], vectors.col(j).iter().copied().collect());
            return complete.then(|| (0..count).map(column).collect());
        }
        basis = vectors;
    }
    None
}

/// The number of eigenvalues above a limit, by Sylvester's law of inertia: as many as L B Lᵀ = A − limit I has positive ones in B.
fn eigenvalues_above(matrix: &Mat<f64>, limit: f64) -> usize {
    let mut shifted = matrix.clone();
    (0..matrix.nrows()).for_each(|i| shifted[(i, i)] -= limit);
    let factors = shifted.lblt(Side::Lower);
    let (diagonal, below) = (factors.B_diag().column_vector(), factors.B_subdiag().column_vector());
    let (mut count, mut i) = (0, 0);
    while i < diagonal.nrows() {
        // B has blocks of one and of two rows.
        if i + 1 < diagonal.nrows() && below[i] != 0.0 {
            let (trace, determinant) =
                (diagonal[i] + diagonal[i + 1], diagonal[i] * diagonal[i + 1] - below[i] * below[i]);
            count += if determinant < 0.0 { 1 } else { 2 * usize::from(trace > 0.0) };
            i += 2;
        } else {
            count += usize::from(diagonal[i] > 0.0);
            i += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use faer::Col;

    use super::*;

    /// A symmetric matrix with these eigenvalues: H D H with the reflection H = I − 2 v vᵀ / vᵀv.
    fn matrix(values: &[f64]) -> Mat<f64> {
        let v = |i: usize| 1.0 + (i % 5) as f64;
        let (n, length) = (values.len(), (0..values.len()).map(|i| v(i) * v(i)).sum::<f64>());
        let h = Mat::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) - 2.0 * v(i) * v(j) / length);
        let scaled = Mat::from_fn(n, n, |i, j| h[(i, j)] * values[j]);
        &scaled * &h
    }

    #[test]
    fn the_leading_eigenvalues_are_found_though_some_are_equal() {
        let falling: Vec<f64> = (0..240).map(|i| 0.9_f64.powi(i)).collect();
        // Three of each.
        let equal: Vec<f64> = (0..240).map(|i| 0.7_f64.powi(i / 3)).collect();
        let few: Vec<f64> = (0..240).map(|i| if i < 10 { 10.0 - f64::from(i) } else { 0.0 }).collect();
        for values in [falling, equal, few, vec![1.0; 240], vec![0.0; 240]] {
            let matrix = matrix(&values);
            for count in [1, 4, 30] {
                let found = leading(&matrix, count).expect("it is decomposed");
                assert_eq!(found.len(), count);
                for ((value, vector), expected) in found.iter().zip(&values) {
                    assert!((value - expected).abs() < 1e-10, "{value} against {expected}");
                    let product = &matrix * Col::from_fn(240, |i| vector[i]);
                    let apart = (0..240).map(|i| (product[i] - value * vector[i]).powi(2)).sum::<f64>().sqrt();
                    assert!(apart < 1e-9, "{apart}");
                }
            }
        }
    }

    #[test]
    fn eigenvalues_above_a_limit_are_counted() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i / 2)).collect();
        let matrix = matrix(&values);
        assert_eq!([-0.5, 0.5, 10.5, 40.0].map(|limit| eigenvalues_above(&matrix, limit)), [60, 58, 38, 0]);
    }
}
