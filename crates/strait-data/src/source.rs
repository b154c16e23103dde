//! Files, plain or gzipped, as the readers open them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::{Error, Result};

/// A file that was opened.
pub(crate) struct Source {
    /// Bytes of the file itself.
    pub(crate) length: u64,
    /// Whether they are gzipped.
    pub(crate) gzipped: bool,
    /// What the file holds, unpacked.
    pub(crate) content: Box<dyn BufRead>,
}

/// Opens a file and tells by its first bytes whether it is gzipped.
pub(crate) fn open(path: &Path) -> Result<Source> {
    let io = |source| Error::io(path, source);
    // Asked before it is opened, since opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(Error::format(path, "this is not a file"));
    }
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    file.by_ref().take(2).read_to_end(&mut start).map_err(io)?;
    let gzipped = start == [0x1f, 0x8b];
    let whole = BufReader::new(std::io::Cursor::new(start).chain(file));
    let content: Box<dyn BufRead> =
        if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
    Ok(Source { length: metadata.len(), gzipped, content })
}

/// What a failure to read says of the file.
pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::format(path, "the file ends too early; it was cut short"),
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
            Error::format(path, format!("damaged gzip data ({source})"))
        }
        _ => Error::io(path, source),
    }
}
