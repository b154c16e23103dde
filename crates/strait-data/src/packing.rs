//! What files are packed with, and their bytes: mapped where they lie plainly, else unpacked.

use std::fs::File;
use std::io::{BufRead, Read};
use std::path::Path;

use memmap2::Mmap;

use crate::spill::{Spill, Spilled};
use crate::{Error, Result};

/// The most bytes that a packed file may unpack to unless the options say otherwise: 4 GiB.
pub const MAX_BYTES: u64 = 4 << 30;

/// What is unpacked up to this size stays in memory; more goes to a temporary file.
const IN_MEMORY: usize = 64 << 20;

/// DEFLATE cannot compress better than this.
pub(crate) const MAX_RATIO: u64 = 1032;

/// A header of an array that has so many bytes is whole.
const CLAIM_WITHIN: usize = 1 << 12;

/// A compression around a file, told by the file's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

impl Packing {
    /// The compression that a file of these first bytes has.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], Packing); 4] = [
            (b"\x1f\x8b", Packing::Gzip),
            (b"\x28\xb5\x2f\xfd", Packing::Zstd),
            (b"BZh", Packing::Bzip2),
            (b"\xfd7zXZ\0", Packing::Xz),
        ];
        MAGICS.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, packing)| packing)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

    /// Unpacks what `packed` gives. The largest window that a Zstandard frame may ask for is 128 MiB.
    fn reader<'a>(self, packed: impl BufRead + Send + 'a) -> std::io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(packed)?),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new(packed, true)),
        })
    }
}

/// The content of a file, unpacked.
pub(crate) type Bytes = Spilled<u8>;

/// A file's content with what it was packed by.
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) packing: Option<Packing>,
}

impl Content {
    /// Maps a file, or unpacks it to at most `most` bytes. `-` stands for the standard input.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self> {
        if path == Path::new("-") {
            return Self::piped(path, most);
        }
        let io = |cause| Error::io(path, cause);
        // Asked before it is opened, since opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(Error::format(path, "this is not a file"));
        }
        Self::unpacked(path, map(&File::open(path).map_err(io)?).map_err(io)?, most)
    }

    fn piped(path: &Path, most: u64) -> Result<Self> {
        let mut spool = Spool::new(path, most);
        let mut input = std::io::stdin().lock();
        spool.fill(&mut input, "standard input")?;
        Self::unpacked(path, spool.finish()?, most)
    }

    fn unpacked(path: &Path, bytes: Bytes, most: u64) -> Result<Self> {
        let Some(packing) = Packing::of(&bytes) else {
            return Ok(Self { bytes: utf8(path, bytes)?, packing: None });
        };
        let mut spool = Spool::new(path, most);
        spool.packed = Some((packing, bytes.len() as u64));
        let damaged = |cause: std::io::Error| Error::format(path, format!("damaged {} data ({cause})", packing.name()));
        let mut reader = packing.reader(&*bytes).map_err(damaged)?;
        spool.fill(&mut reader, packing.name())?;
        let unpacked = spool.finish()?;
        if let Some(inner) = Packing::of(&unpacked) {
            let message = format!("it is packed twice, by {} and by {}; unpack it once", packing.name(), inner.name());
            return Err(Error::format(path, message));
        }
        Ok(Self { bytes: unpacked, packing: Some(packing) })
    }
}

/// Text in UTF-16, as spreadsheets write it, becomes UTF-8; all else stays.
fn utf8(path: &Path, bytes: Bytes) -> Result<Bytes> {
    let (big, words) = match &*bytes {
        [0xff, 0xfe, words @ ..] => (false, words),
        [0xfe, 0xff, words @ ..] => (true, words),
        _ => return Ok(bytes),
    };
    let word = |word: &[u8; 2]| if big { u16::from_be_bytes(*word) } else { u16::from_le_bytes(*word) };
    let text: std::result::Result<String, _> = char::decode_utf16(words.as_chunks().0.iter().map(word)).collect();
    text.map(|text| Bytes::Memory(text.into_bytes()))
        .map_err(|_| Error::format(path, "it begins as UTF-16 text but is not valid; save it as UTF-8"))
}

/// Maps a file. An empty one cannot be mapped and needs not to be.
fn map(file: &File) -> std::io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::Memory(Vec::new()));
    }
    // SAFETY: the map is read only. A program that changes the file while it is mapped changes what is read, which
    // every reader has to survive anyhow, since it trusts no file; one that cuts the file ends this process by a signal
    // and not by undefined behaviour.
    Ok(Bytes::Mapped(unsafe { Mmap::map(file)? }))
}

/// Collects what is read of a file, at most so many bytes.
pub(crate) struct Spool<'a> {
    path: &'a Path,
    most: u64,
    length: u64,
    /// What the content was packed by, and its size when it was.
    packed: Option<(Packing, u64)>,
    content: Spill<u8>,
}

impl<'a> Spool<'a> {
    /// For what is read of `path`, which errors name, at most `most` bytes.
    pub(crate) fn new(path: &'a Path, most: u64) -> Self {
        Self { path, most, length: 0, packed: None, content: Spill::new(IN_MEMORY) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.length += bytes.len() as u64;
        if self.length > self.most {
            let message = format!("it holds more than the {} bytes that are read at most", self.most);
            return Err(Error::format(self.path, message));
        }
        self.content.push(bytes).map_err(|cause| unkept(self.path, &cause))
    }

    /// Takes all that `reader` gives; `packing` is what a failure blames.
    pub(crate) fn fill(&mut self, reader: &mut dyn Read, packing: &str) -> Result<()> {
        let mut chunk = vec![0; 1 << 16];
        let mut claimed = None;
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(got) => self.write(&chunk[..got])?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(Error::format(
                        self.path,
                        format!("its {packing} data end too early; it was cut short"),
                    ));
                }
                Err(error) => return Err(Error::format(self.path, format!("damaged {packing} data ({error})"))),
            }
            // A header is believed before all is unpacked: neither a claim that the file cannot hold, nor a bomb behind a small one.
            if claimed.is_none() && self.content.memory().len() >= CLAIM_WITHIN {
                claimed = Some(crate::sniff::claim(self.content.memory()));
                self.believable(claimed.flatten())?;
            }
            if let Some(Some(claim)) = claimed
                && self.length > claim
            {
                let message = format!("its header claims {claim} bytes, but more bytes follow");
                return Err(Error::format(self.path, message));
            }
        }
    }

    /// Refuses a claim that is more than the packed bytes can hold.
    fn believable(&self, claim: Option<u64>) -> Result<()> {
        let (Some(claim), Some((Packing::Gzip, packed))) = (claim, self.packed) else { return Ok(()) };
        if claim > packed.saturating_mul(MAX_RATIO).saturating_add(1024) {
            let message = format!("its header claims {claim} bytes, more than {packed} compressed bytes can hold");
            return Err(Error::format(self.path, message));
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Bytes> {
        self.content.finish().map_err(|cause| unkept(self.path, &cause))
    }
}

fn unkept(path: &Path, cause: &std::io::Error) -> Error {
    Error::format(path, format!("its content, unpacked, cannot be kept ({cause})"))
}
