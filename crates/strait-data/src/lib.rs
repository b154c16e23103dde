//! Data sets: rows of bytes or numbers, and the readers that bring them from files.
//!
//! A reader trusts nothing that a file says of itself: it compares the header's claims with the bytes that are there
//! before it allocates, and every error names the file.

mod error;
mod idx;
mod labelled;
mod mnist;
mod rows;
mod table;

pub use error::{Error, Result};
pub use idx::{Idx, MAX_BYTES, read_idx};
pub use labelled::Labelled;
pub use mnist::{Images, Mnist};
pub use rows::{Rows, Values};
pub use table::Table;
