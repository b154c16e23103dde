//! Files that are written as a whole or not at all.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes a file atomically: to a temporary file in the same folder, synced, then renamed over it, so that an interruption or a
/// full disk leaves the earlier file as it was. Where that file cannot be replaced, because another program has it open, the new one
/// stays in the same folder.
///
/// # Errors
/// [`Error::Io`] or [`Error::Kept`] with the path.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |file| file.write_all(bytes))
}

/// The same with contents that `write` writes.
pub(crate) fn write_atomically_with(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    write(file.file_mut()).map_err(|cause| Error::Io { path: path.to_owned(), cause })?;
    file.commit()
}

/// A file that takes its name only when it is complete, as [`write_atomically`] does; until then it is a temporary one in the same folder,
/// which goes when this is dropped.
///
/// ```
/// use std::io::Write;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("codes.csv");
/// let mut file = strait_models::AtomicFile::create(&path)?;
/// file.file_mut().write_all(b"1,2\n")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert!(path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AtomicFile {
    path: PathBuf,
    folder: PathBuf,
    file: NamedTempFile,
}

impl AtomicFile {
    /// Begins the file of this path.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let file = temporary(&folder).map_err(|cause| Error::Io { path: path.to_owned(), cause })?;
        Ok(Self { path: path.to_owned(), folder, file })
    }

    /// What is written to.
    pub fn file_mut(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Kept`] with the path.
    pub fn commit(self) -> Result<()> {
        sync(self.file.as_file()).map_err(|cause| Error::Io { path: self.path.clone(), cause })?;
        persist(self.file, &self.path)?;
        // The folder's entry too should survive a power cut; not every system can sync a folder, and the file is there in any case.
        #[cfg(unix)]
        let _ = std::fs::File::open(&self.folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

/// Syncs a file, if its file system can: some network file systems cannot.
///
/// # Errors
/// The system's own.
pub fn sync(file: &File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => Ok(()),
        synced => synced,
    }
}

/// Renames a temporary file.
fn persist(mut file: NamedTempFile, path: &Path) -> Result<()> {
    /// Virus scanners open new files for moments.
    const WAIT: (usize, Duration) = (10, Duration::from_millis(100));
    let mut tries = 0;
    while let Err(error) = file.persist(path) {
        tries += 1;
        if tries < WAIT.0 && is_held(&error.error) {
            std::thread::sleep(WAIT.1);
            file = error.file;
            continue;
        }
        let (path, cause) = (path.to_owned(), error.error);
        if !path.is_file() {
            return Err(Error::Io { path, cause });
        }
        return Err(match error.file.keep() {
            Ok((_, kept)) => Error::Kept { path, kept, cause },
            Err(_) => Error::Io { path, cause },
        });
    }
    Ok(())
}

/// Whether a file cannot be renamed because a program has it or the earlier one open, which only Windows minds.
fn is_held(error: &std::io::Error) -> bool {
    const ACCESS_DENIED: i32 = 5;
    const SHARING_VIOLATION: i32 = 32;
    const USER_MAPPED_FILE: i32 = 1224;
    cfg!(windows) && matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION | USER_MAPPED_FILE))
}

#[cfg(unix)]
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    // What a user's own programs would give a new file: all rights that the umask leaves.
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    tempfile::Builder::new().permissions(rights).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
}
