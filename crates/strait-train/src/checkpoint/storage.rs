//! The file operations that keeping checkpoints consists of.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};

/// Where checkpoints are kept: the file system, or in tests something that fails as file systems do.
pub trait Storage: Send + Sync {
    /// Makes a file, which must not be there yet.
    ///
    /// # Errors
    /// The system's own.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>>;

    /// The contents of a file.
    ///
    /// # Errors
    /// The system's own.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Gives a file another name, in place of the file that has it.
    ///
    /// # Errors
    /// The system's own.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name, in place of the file that has it; a copy where the file system knows no second names.
    ///
    /// # Errors
    /// The system's own.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's own.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The files of a folder.
    ///
    /// # Errors
    /// The system's own.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Lets the names in a folder survive a power cut.
    ///
    /// # Errors
    /// The system's own.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait StoredFile: Write + Seek + Send {
    /// Lets the contents survive a power cut.
    ///
    /// # Errors
    /// The system's own.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system.
pub struct Disk;

impl StoredFile for File {
    fn sync(&mut self) -> io::Result<()> {
        strait_models::sync(self)
    }
}

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut name = to.as_os_str().to_owned();
        name.push(format!("{}{}", super::TEMPORARY, std::process::id()));
        let temporary = PathBuf::from(name);
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::hard_link(from, &temporary).or_else(|_| std::fs::copy(from, &temporary).map(|_| ()))?;
        // Two names of one file are left as they are by a rename: the first is to go in any case.
        let renamed = std::fs::rename(&temporary, to);
        let _ = std::fs::remove_file(&temporary);
        renamed
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Not every system can open a folder; the file itself is there in any case.
        if cfg!(unix) { File::open(folder).and_then(|mut folder| folder.sync()) } else { Ok(()) }
    }
}
