//! Text files, line after line.

use std::io::{BufRead, Read, Take};
use std::path::Path;

use crate::source::{open, unreadable};
use crate::{Error, MAX_BYTES, Result};

/// The longest line that is read: 64 MiB. It keeps a file without line ends from filling the memory.
const MAX_LINE: u64 = 64 << 20;

/// The lines of a file, plain or gzipped.
pub(crate) struct Lines<'a> {
    path: &'a Path,
    content: Take<Box<dyn BufRead>>,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Self> {
        // One byte more than allowed, to notice it.
        let content = open(path)?.content.take(MAX_BYTES + 1);
        Ok(Self { path, content, line: Vec::new(), number: 0 })
    }

    /// The next line that is not blank, without its end, and its number from 1.
    pub(crate) fn next_line(&mut self) -> Result<Option<(u64, &str)>> {
        loop {
            self.line.clear();
            let mut most = self.content.by_ref().take(MAX_LINE);
            let got = most.read_until(b'\n', &mut self.line).map_err(|error| unreadable(self.path, error))?;
            if self.content.limit() == 0 {
                return Err(Error::format(
                    self.path,
                    format!("it holds more than the {MAX_BYTES} bytes that are read"),
                ));
            }
            if got == 0 {
                return Ok(None);
            }
            self.number += 1;
            // Some editors put a byte order mark before the first line.
            if self.number == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
                self.line.drain(..3);
            }
            if got as u64 == MAX_LINE && !self.line.ends_with(b"\n") {
                return Err(wrong(self.path, self.number, format!("it is longer than {MAX_LINE} bytes")));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let line = std::str::from_utf8(&self.line)
            .map_err(|_| wrong(self.path, self.number, "it is no text in UTF-8".to_owned()))?;
        Ok(Some((self.number, line.trim_end_matches(['\n', '\r']))))
    }
}

/// The error that a line makes. What the message cites of a long line is cut.
pub(crate) fn wrong(path: &Path, line: u64, message: impl std::fmt::Display) -> Error {
    Error::format(path, format!("line {line}: {message:.200}"))
}

/// Appends to what is read of a file, or says that there is no memory for it.
pub(crate) fn push<T>(path: &Path, list: &mut Vec<T>, value: T) -> Result<()> {
    list.try_reserve(1).map_err(|_| no_memory(path))?;
    list.push(value);
    Ok(())
}

/// The error of a file that is larger than the memory.
pub(crate) fn no_memory(path: &Path) -> Error {
    Error::format(path, "there is no memory for all that it holds")
}

/// Looks for entries that agree in their first two numbers; the third is the line. Gives the lines of the repetition
/// that comes first in the file: the earlier one and the one that repeats it.
pub(crate) fn repeated<const N: usize>(sorted: &[[u32; N]]) -> Option<[u64; 2]> {
    let pairs = sorted.windows(2).filter(|pair| pair[0][..2] == pair[1][..2]);
    pairs.map(|pair| [u64::from(pair[0][2]), u64::from(pair[1][2])]).min_by_key(|lines| lines[1])
}
