//! Passes that rewrite a recorded program into one that devices run faster, with the same results.

pub(crate) mod fuse;
