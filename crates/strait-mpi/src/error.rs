//! What can go wrong with MPI.

/// An error of MPI.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program has no MPI.
    #[error(
        "this program was built without MPI: build it with the feature `mpi` of strait-cli, or of strait-mpi, for which \
         an MPI library (Open MPI or MPICH, with headers) and libclang have to be installed"
    )]
    Without,
    /// MPI was initialised before.
    #[error("MPI was initialised before in this process: clone the `Mpi` of that time")]
    Twice,
}

/// The result of this crate's calls.
pub type Result<T> = std::result::Result<T, Error>;
