//! The eigenvectors of a covariance with the largest eigenvalues.

use faer::{Mat, Side};

use super::ritz::{failed, random_directions, ritz};
use crate::Result;

/// The smallest matrix for which subspace iteration is faster than a full decomposition.
const SMALLEST: usize = 200;

/// Directions in the subspace beyond twice the wanted number.
const OVERSAMPLING: usize = 8;

/// Products with the matrix between two orthonormalisations.
const POWER: usize = 3;

/// Iterations after which the full decomposition is used.
const MAX_ITERATIONS: usize = 25;

/// The residual ‖A v − λ v‖ at convergence, relative to the largest eigenvalue.
const TOLERANCE: f64 = 1e-10;

/// Eigenvalues in descending order, each with its eigenvector.
pub(super) type Leading = Vec<(f64, Vec<f64>)>;

/// The `count` largest eigenvalues of a symmetric positive semidefinite matrix.
pub(super) fn leading(matrix: &Mat<f64>, count: usize) -> Result<Leading> {
    let few = matrix.nrows() >= SMALLEST && 4 * (2 * count + OVERSAMPLING) <= matrix.nrows();
    match few.then(|| by_iteration(matrix, count)).flatten() {
        Some(leading) => Ok(leading),
        None => by_all(matrix, count),
    }
}

fn by_all(matrix: &Mat<f64>, count: usize) -> Result<Leading> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower).map_err(failed)?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    // Eigenvalues ascend.
    let chosen = (0..matrix.nrows()).rev().take(count);
    Ok(chosen.map(|i| (values[i], vectors.col(i).iter().copied().collect())).collect())
}

/// By subspace iteration with oversampling. Returns nothing if it has not converged or has missed an eigenvector, which may happen where
/// eigenvalues are nearly equal.
fn by_iteration(matrix: &Mat<f64>, count: usize) -> Option<Leading> {
    let mut basis = random_directions(matrix.nrows(), 2 * count + OVERSAMPLING).qr().compute_thin_Q();
    for _ in 0..MAX_ITERATIONS {
        for _ in 0..POWER {
            basis = matrix * &basis;
        }
        basis = basis.qr().compute_thin_Q();
        let product = matrix * &basis;
        let (values, rotation) = ritz(&basis, &product).ok()?;
        let (vectors, images) = (&basis * &rotation, &product * &rotation);
        let residual = |j: usize| {
            let pairs = images.col(j).iter().zip(vectors.col(j).iter());
            pairs.map(|(y, v)| (y - values[j] * v).powi(2)).sum::<f64>().sqrt()
        };
        let largest = values[0];
        if (0..count).all(|j| residual(j) <= TOLERANCE * largest) {
            // Which of several equal eigenvalues at the end are found does not matter.
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
