//! A matrix of a file whose format has full and sparse ones.

use crate::array::Array;
use crate::sparse::Sparse;

/// A matrix as its file holds it.
pub(crate) enum Matrix {
    Full(Array),
    Sparse(Sparse),
}
