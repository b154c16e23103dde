//! What the iterations of subspaces share: how they start, and the eigenvectors within a subspace.

use faer::{Mat, Side};
use strait_compute::philox::{Stream, streams};

use crate::{Error, Result};

/// Random directions, to which an eigenvector is unlikely to be orthogonal.
pub(super) fn random_directions(width: usize, count: usize) -> Mat<f64> {
    let mut stream = Stream::new(0, streams::PRINCIPAL_COMPONENTS);
    Mat::from_fn(width, count, |_, _| f64::from(stream.next_normal()))
}

/// The eigenvalues of a symmetric matrix A within the space of an orthonormal basis Q, in descending order, and the rotation R that turns Q into
/// their vectors Q R (Rayleigh and Ritz). `product` is A Q.
pub(super) fn ritz(basis: &Mat<f64>, product: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let within = basis.transpose() * product;
    let eigen = within.self_adjoint_eigen(Side::Lower).map_err(failed)?;
    // Eigenvalues ascend.
    let last = within.nrows() - 1;
    let values = (0..=last).rev().map(|i| eigen.S().column_vector()[i]).collect();
    Ok((values, Mat::from_fn(last + 1, last + 1, |i, j| eigen.U()[(i, last - j)])))
}

pub(super) fn failed(error: impl std::fmt::Debug) -> Error {
    Error::Shape(format!("the data cannot be decomposed ({error:?})"))
}
