//! NumPy's `.npz` files: a zip archive with a `.npy` file for each array.

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

use crate::array::Array;
use crate::formats::npy;
use crate::open::Entry;
use crate::packing::Spool;
use crate::{Error, Result};

/// The archive, of which no array is unpacked yet.
pub(crate) struct Archive<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    /// The arrays' names and what their headers say.
    pub(crate) entries: Vec<Entry>,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let mut archive = zip(path, bytes)?;
        let names: std::result::Result<Vec<String>, _> =
            archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
        let names = names.map_err(|error| Error::format(path, format!("damaged zip archive ({error})")))?;
        if names.iter().any(|name| name.ends_with("data.pkl")) {
            let message = "this is a file of torch.save; save the tensors by safetensors.torch.save_file";
            return Err(Error::format(path, message));
        }
        let mut entries = Vec::new();
        for name in names {
            let Some(array) = name.strip_suffix(".npy") else { continue };
            let wrong = |message: String| Error::format(path, format!("array `{array}`: {message}"));
            let mut start = Vec::new();
            let member = archive.by_name(&name).map_err(|error| wrong(error.to_string()))?;
            member.take(1 << 17).read_to_end(&mut start).map_err(|error| wrong(format!("damaged data ({error})")))?;
            // What holds no numbers, such as texts of what is saved beside them, is passed over.
            if let Ok((layout, _)) = npy::header(&start) {
                entries.push(Entry { name: array.to_owned(), element: Some(layout.element), shape: layout.shape });
            }
        }
        if entries.is_empty() {
            return Err(Error::format(path, "this zip archive holds no array of numbers as .npy"));
        }
        Ok(Self { path, bytes, entries })
    }

    /// A word that is stored as an array of bytes: what follows the header's line.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let mut archive = zip(self.path, self.bytes).ok()?;
        archive.by_name(&format!("{name}.npy")).ok()?.take(1 << 12).read_to_end(&mut bytes).ok()?;
        let word = bytes.rsplit(|&byte| byte == b'\n').next()?;
        // Unicode has four bytes a letter.
        let word = word.iter().filter(|&&byte| byte != 0).copied().collect();
        String::from_utf8(word).ok()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// Unpacks an array, at most `most` bytes.
    pub(crate) fn array(&self, name: &str, most: u64) -> Result<Array> {
        let wrong = |message: String| Error::format(self.path, format!("array `{name}`: {message}"));
        let mut archive = zip(self.path, self.bytes)?;
        let mut member = archive.by_name(&format!("{name}.npy")).map_err(|error| wrong(error.to_string()))?;
        let mut spool = Spool::new(self.path, most);
        spool.fill(&mut member, "zip")?;
        let bytes = Arc::new(spool.finish()?);
        npy::array(self.path, bytes).map_err(|error| wrong(error.to_string()))
    }
}

fn zip<'a>(path: &Path, bytes: &'a [u8]) -> Result<ZipArchive<Cursor<&'a [u8]>>> {
    ZipArchive::new(Cursor::new(bytes)).map_err(|error| Error::format(path, format!("damaged zip archive ({error})")))
}
