//! What the tests of the readers have in common.

use std::path::{Path, PathBuf};

/// Writes a file of this name.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("the temporary folder is writable");
    path
}
