//! Data sets: rows of bytes or numbers, and the readers that bring them from files.
//!
//! A reader trusts nothing that a file says of itself: it compares the header's claims with the bytes that are there
//! before it allocates, and every error names the file.

mod bags;
mod documents;
mod error;
mod idx;
mod labelled;
mod lines;
mod mat;
mod matrix;
mod mnist;
mod names;
mod ratings;
mod rows;
mod source;
mod standard;
mod table;

pub use documents::Documents;
pub use error::{Error, Result};
pub use idx::{Idx, MAX_BYTES, read_idx};
pub use labelled::Labelled;
pub use matrix::Table;
pub use mnist::{Images, Mnist};
pub use ratings::{Rating, Ratings};
pub use rows::{Rows, Values};
pub use standard::Standard;
