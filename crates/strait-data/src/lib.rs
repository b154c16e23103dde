//! Data sets: one way to open any file that people have, and rows of bytes or numbers to train on.
//!
//! [`open`] tells the format by the file's content. A reader trusts nothing that a file says of itself: it compares the
//! header's claims with the bytes that are there before it allocates, and every error names the file.

#[cfg(feature = "args")]
mod args;
mod array;
mod data;
mod documents;
mod element;
mod error;
mod formats;
mod gaps;
mod guard;
mod halves;
mod kept;
mod labelled;
mod labels;
mod open;
mod options;
mod output;
mod packing;
mod preparation;
mod rows;
mod series;
mod sniff;
mod source;
mod sparse;
mod spill;
mod split;
mod stacked;
mod standard;
mod summary;
mod view;

#[cfg(feature = "args")]
pub use args::{DataArgs, word_base};
pub use data::{Check, Data};
pub use documents::Documents;
pub use element::Element;
pub use error::{Error, Result, explain_io};
pub use formats::mnist::{Images, Mnist};
pub use formats::ratings::{Rating, Ratings};
pub use halves::Halves;
pub use kept::{Keeper, Kept};
pub use labelled::Labelled;
pub use labels::Labels;
#[cfg(feature = "pictures")]
pub use open::open_pictures;
pub use open::{Entry, open, open_together, survey};
pub use options::{ByteValues, Categories, Fit, Format, Missing, Options, Repeated, WordBase};
pub use output::{ColumnKind, NamedArray, OutputColumn, OutputFormat, TableWriter, write_arrays};
pub use packing::{MAX_BYTES, Packing};
pub use preparation::{Preparation, Scale};
pub use rows::{ROUNDING, Rows, Values};
pub use series::Cut;
pub use sparse::Sparse;
pub use standard::{Centre, Standard};
pub use summary::{ColumnSummary, Found, Summary};
