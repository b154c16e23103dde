//! What stands in for MPI in a program that was built without it.

use std::convert::Infallible;

use strait_compute::{Order, Reducer, Result, Summing};

use crate::Error;

/// The processes that `mpirun` has started together; there are none in a program that was built without the feature `mpi`.
#[derive(Clone, Debug)]
pub struct Mpi(Infallible);

impl Mpi {
    /// All processes that `mpirun` has started together.
    ///
    /// # Errors
    /// [`Error::Without`], as this program was built without MPI.
    pub fn world() -> crate::Result<Self> {
        Err(Error::Without)
    }

    /// The same, whose sums travel in 16 bits.
    pub fn rounded(self) -> Self {
        match self.0 {}
    }

    /// The number of this process among those on the same machine.
    pub fn local_rank(&self) -> usize {
        match self.0 {}
    }

    /// What connects them, and which library.
    pub fn describe(&self) -> String {
        match self.0 {}
    }

    /// Ends all processes with this exit code.
    pub fn abort(&self, _code: u8) -> ! {
        match self.0 {}
    }
}

impl Reducer for Mpi {
    fn rank(&self) -> usize {
        match self.0 {}
    }

    fn size(&self) -> usize {
        match self.0 {}
    }

    fn begin(&self, _tensor: usize, _values: Vec<f32>, _order: Order) -> Result<Box<dyn Summing + '_>> {
        match self.0 {}
    }

    fn gather(&self, _own: &[u8]) -> Result<Vec<Vec<u8>>> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_mpi_says_how_to_build_one_with_it() {
        let error = Mpi::world().expect_err("there is none").to_string();
        assert!(error.contains("feature `mpi`") && error.contains("libclang"), "{error}");
    }
}
