//! Training on several processes, on one machine or many, connected by MPI.
//!
//! [`Mpi`] is a [`Reducer`]: a device that is given it trains as one of the ranks that `mpirun` has started, each of which takes its part of the rows of
//! every batch. With `shards` in a recipe, 1, 2, 4 or 8 ranks give the same bits.
//!
//! The crate builds without MPI. With its feature `mpi` it needs an MPI library with headers, and libclang for the bindings: on Debian and Ubuntu
//! `libopenmpi-dev openmpi-bin libclang-dev`, or `libmpich-dev mpich libclang-dev`.
//!
//! ```no_run
//! use strait_compute::Device;
//! use strait_mpi::Mpi;
//! let mpi = Mpi::world()?;
//! let device = Device::cpu()?.with_reducer(mpi.clone());
//! println!("rank {} of {}", device.reducer().rank(), device.reducer().size());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All ranks run the same program on the same data. Rank 0 alone should write files and tell of progress. A rank that fails ends the others by
//! [`Mpi::abort`]; else they wait for it forever.

#[cfg(feature = "mpi")]
mod collective;
mod error;
#[cfg(feature = "mpi")]
mod request;
#[cfg(feature = "mpi")]
mod rounded;
#[cfg(feature = "mpi")]
mod tree;
#[cfg(not(feature = "mpi"))]
mod without;
#[cfg(feature = "mpi")]
mod world;

pub use error::{Error, Result};
#[cfg(not(feature = "mpi"))]
pub use without::Mpi;
#[cfg(feature = "mpi")]
pub use world::Mpi;

#[cfg(doc)]
use strait_compute::Reducer;
