//! The wgpu device layer: choosing an adapter, buffers, pipelines, submission, read-back and typed errors.
//!
//! Features and limits are negotiated, not demanded. Nothing here panics on what a device does: out of memory, a
//! rejected shader and a lost device are [`Error`]s. After a loss wgpu itself stays silent, so that every submission
//! and every read-back here checks a flag that the loss raises.

mod adapter;
mod buffer;
mod error;
mod gpu;
mod pipeline;
mod submission;

pub use adapter::{AdapterInfo, Selector, adapters};
pub use buffer::{Buffer, Piece};
pub use error::{Error, Result};
pub use gpu::{Checks, Gpu, Matrices, Options};
pub use pipeline::{Access, Bindings, Pipeline};
pub use submission::{Dispatch, Submission, Table};
