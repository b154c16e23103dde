//! The formats of files, one reader each.

pub(crate) mod bags;
pub(crate) mod csv;
pub(crate) mod idx;
pub(crate) mod lines;
pub(crate) mod mat4;
pub(crate) mod mat5;
pub(crate) mod matrix;
pub(crate) mod mnist;
pub(crate) mod mtx;
pub(crate) mod names;
pub(crate) mod npy;
pub(crate) mod npz;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
#[cfg(feature = "pictures")]
pub(crate) mod pictures;
pub(crate) mod ratings;
pub(crate) mod raw;
pub(crate) mod safetensors;
pub(crate) mod scipy;
