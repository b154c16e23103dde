//! Text, line after line.

use std::path::Path;

use crate::{Error, Result};

/// The lines of a text.
pub(crate) struct Lines<'a> {
    path: &'a Path,
    rest: &'a [u8],
    number: u64,
}

impl<'a> Lines<'a> {
    /// The lines of a file's content. Some editors put a byte order mark before the first one.
    pub(crate) fn new(path: &'a Path, text: &'a [u8]) -> Self {
        Self { path, rest: text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text), number: 0 }
    }

    /// The next line that is not blank, without its end, and its number from 1.
    pub(crate) fn next_line(&mut self) -> Result<Option<(u64, &'a str)>> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|&byte| byte == b'\n');
            let (line, rest) = match end {
                Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
                None => (self.rest, &[][..]),
            };
            self.rest = rest;
            self.number += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line = std::str::from_utf8(line)
                .map_err(|_| wrong(self.path, self.number, "it is not UTF-8 text; save the file as UTF-8"))?;
            if line.contains('\0') {
                return Err(wrong(self.path, self.number, "it holds a zero byte; this is not text"));
            }
            return Ok(Some((self.number, line.trim_end_matches('\r'))));
        }
        Ok(None)
    }
}

/// The error that a line makes. What the message cites of a long line is cut.
pub(crate) fn wrong(path: &Path, line: u64, message: impl std::fmt::Display) -> Error {
    Error::format(path, format!("line {line}: {message:.300}"))
}

/// Appends to what is read of a file, or fails if there is not enough memory.
pub(crate) fn push<T>(path: &Path, list: &mut Vec<T>, value: T) -> Result<()> {
    list.try_reserve(1).map_err(|_| Error::memory(path))?;
    list.push(value);
    Ok(())
}

/// Looks for entries that agree in their first two numbers; the third is the line. Gives the lines of the repetition
/// that comes first in the file: the earlier one and the one that repeats it.
pub(crate) fn repeated<const N: usize>(sorted: &[[u32; N]]) -> Option<[u64; 2]> {
    let pairs = sorted.windows(2).filter(|pair| pair[0][..2] == pair[1][..2]);
    pairs.map(|pair| [u64::from(pair[0][2]), u64::from(pair[1][2])]).min_by_key(|lines| lines[1])
}
