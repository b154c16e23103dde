//! The IDX format of MNIST, plain or gzipped.

use std::io::Read;
use std::path::Path;

use crate::source::{Source, open, unreadable};
use crate::{Error, Result};

/// The most bytes that a file may unpack to: 4 GiB.
pub const MAX_BYTES: u64 = 4 << 30;

/// DEFLATE cannot compress better than this.
pub(crate) const MAX_RATIO: u64 = 1032;

/// The most dimensions that an IDX file here may have.
const MAX_DIMENSIONS: u8 = 4;

/// An array of bytes read from an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// Its dimensions, outermost first.
    pub dimensions: Vec<usize>,
    /// Its elements, the last dimension varying fastest.
    pub bytes: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes, plain or gzipped (told by its content, not by its name).
///
/// # Errors
/// If the file cannot be read, is no IDX file of bytes, claims more than its length can hold or than [`MAX_BYTES`],
/// is cut short, or goes on behind its claim. Nothing larger than the claim is allocated, and a claim is believed
/// only as far as the file's length allows.
pub fn read_idx(path: &Path) -> Result<Idx> {
    let Source { length, gzipped, content } = open(path)?;
    if gzipped {
        let most = length.saturating_mul(MAX_RATIO).saturating_add(1024);
        read(path, content, |header, claim| {
            (header + claim <= most)
                .then_some(())
                .ok_or_else(|| format!("its header claims {claim} bytes, more than {length} compressed bytes can hold"))
        })
    } else {
        read(path, content, |header, claim| {
            (header + claim == length)
                .then_some(())
                .ok_or_else(|| format!("its header claims {claim} bytes, but {} follow", length.saturating_sub(header)))
        })
    }
}

/// Reads header and elements; `check` compares the lengths of both with what the file can hold.
fn read(
    path: &Path,
    mut source: impl Read,
    check: impl Fn(u64, u64) -> std::result::Result<(), String>,
) -> Result<Idx> {
    let wrong = |message: String| Error::format(path, message);
    let unreadable = |source| unreadable(path, source);
    let mut magic = [0; 4];
    source.read_exact(&mut magic).map_err(unreadable)?;
    let [zero, zero_too, kind, rank] = magic;
    if [zero, zero_too] != [0, 0] {
        return Err(wrong(format!("this is no IDX file: it starts with {magic:02x?}, not with two zeros")));
    }
    if kind != 8 {
        return Err(wrong(format!("its elements are of IDX type {kind:#04x}; only unsigned bytes (0x08) are read")));
    }
    if rank == 0 || rank > MAX_DIMENSIONS {
        return Err(wrong(format!("it has {rank} dimensions; 1 to {MAX_DIMENSIONS} are read")));
    }
    let mut dimensions = Vec::new();
    let mut claim = 1u64;
    for _ in 0..rank {
        let mut dimension = [0; 4];
        source.read_exact(&mut dimension).map_err(unreadable)?;
        let dimension = u32::from_be_bytes(dimension);
        if dimension == 0 {
            return Err(wrong("one of its dimensions is 0, so it holds no data".to_owned()));
        }
        claim = claim
            .checked_mul(u64::from(dimension))
            .filter(|&claim| claim <= MAX_BYTES)
            .ok_or_else(|| wrong(format!("its header claims more than the {MAX_BYTES} bytes that are read at most")))?;
        dimensions.push(dimension as usize);
    }
    check(4 + 4 * u64::from(rank), claim).map_err(wrong)?;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; (claim as usize).clamp(1, 1 << 20)];
    loop {
        // One byte more than claimed, to notice what follows.
        let wanted = chunk.len().min(claim as usize + 1 - bytes.len());
        let got = match source.read(&mut chunk[..wanted]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        bytes.try_reserve(got).map_err(|_| wrong(format!("there is no memory for its {claim} bytes")))?;
        bytes.extend_from_slice(&chunk[..got]);
        if bytes.len() as u64 > claim {
            return Err(wrong(format!("more bytes follow the {claim} that its header claims")));
        }
    }
    if (bytes.len() as u64) < claim {
        return Err(wrong(format!("its header claims {claim} bytes, but only {} are there", bytes.len())));
    }
    Ok(Idx { dimensions, bytes })
}
