//! What a file is, told by its content.

use std::path::Path;

use crate::formats::{idx, mat4, npy, ratings};
use crate::{Error, Format, Result};

/// How much of a text is looked at.
const START: usize = 1 << 16;

/// The format of a file's content.
pub(crate) fn format(path: &Path, bytes: &[u8]) -> Result<Format> {
    if bytes.is_empty() {
        return Err(Error::format(path, "the file is empty"));
    }
    if let Some(message) = foreign(bytes) {
        return Err(Error::format(path, message));
    }
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(b"\x93NUMPY") {
        return Ok(Format::Npy);
    }
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        return Ok(Format::Npz);
    }
    if starts(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if matches!(bytes.get(126..128), Some(b"IM" | b"MI")) && starts(b"MATLAB") || mat4::is(bytes) {
        return Ok(Format::Matlab);
    }
    if picture(bytes) {
        return Ok(Format::Pictures);
    }
    if is_safetensors(bytes) {
        return Ok(Format::Safetensors);
    }
    if starts(&[0, 0]) {
        return Ok(Format::Idx);
    }
    text(path, bytes)
}

/// The size of a file that is one array, as the header at its start claims.
pub(crate) fn claim(start: &[u8]) -> Option<u64> {
    let (layout, header) =
        if start.starts_with(b"\x93NUMPY") { npy::header(start).ok()? } else { idx::header(start).ok()? };
    layout.size().and_then(|size| size.checked_add(header)).map(|size| size as u64)
}

#[cfg(feature = "pictures")]
fn picture(bytes: &[u8]) -> bool {
    crate::formats::pictures::is(bytes)
}

#[cfg(not(feature = "pictures"))]
fn picture(_: &[u8]) -> bool {
    false
}

/// Formats that are known and not read, with the cure.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 5] = [
        (
            b"\x89HDF\r\n",
            "this is an HDF5 file, or MATLAB's version 7.3; save it from MATLAB by `save(..., '-v7')`, or as .npy",
        ),
        (b"ARROW1", "this is an Arrow file; save it as Parquet"),
        (b"SQLite format 3", "this is an SQLite database; export the table as CSV"),
        (b"%PDF", "this is a PDF document, which holds no rows"),
        (b"Obj\x01", "this is an Avro file; save it as Parquet"),
    ];
    let known = FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, message)| *message);
    let pickle = matches!(bytes, [0x80, 2..=5, ..]) && bytes.ends_with(b".");
    known.or(pickle.then_some("this is a pickle, which could run any program when it is read; save it as .npy"))
}

/// Whether a file is the index of several safetensors files: JSON from its first byte on.
pub(crate) fn is_index(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(START)];
    start.trim_ascii_start().starts_with(b"{")
        && !is_safetensors(bytes)
        && start.windows(12).any(|name| name == b"\"weight_map\"")
}

/// A header's length and the header, which is JSON.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    // The lower six bytes would be letters of a text.
    u64::from_le_bytes(*length) < 1 << 32 && rest.starts_with(b"{")
}

fn text(path: &Path, bytes: &[u8]) -> Result<Format> {
    let start = &bytes[..bytes.len().min(START)];
    if start.iter().any(|&byte| byte < 32 && !matches!(byte, b'\t' | b'\n' | b'\r' | 12 | 27)) {
        let message = format!("no format that is known begins with {:02x?}", &start[..start.len().min(8)]);
        return Err(Error::format(path, message));
    }
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(Error::format(path, "the file holds nothing but blanks"));
    }
    if text.get(..14).is_some_and(|banner| banner.eq_ignore_ascii_case("%%MatrixMarket")) {
        return Ok(Format::MatrixMarket);
    }
    if is_index(bytes) {
        return Ok(Format::Safetensors);
    }
    if ratings::is(path, bytes) {
        return Ok(Format::Ratings);
    }
    // The last line may be cut.
    let whole = bytes.len() == start.len();
    let end = if whole { text.len() } else { text.rfind('\n').unwrap_or(text.len()) };
    let lines = || text[..end].lines().filter(|line| !line.trim().is_empty());
    let content = |line: &'_ str| line.split('#').next().unwrap_or("").trim_end().to_owned();
    let rows: Vec<String> = lines().map(content).filter(|line| !line.trim().is_empty()).take(1000).collect();
    if !rows.is_empty() && rows.iter().any(|row| row.contains(':')) && rows.iter().all(|row| is_pairs(row)) {
        return Ok(Format::Svmlight);
    }
    if is_uci(&rows) {
        return Ok(Format::Uci);
    }
    Ok(Format::Csv)
}

/// Whether a line is a label and pairs of a column and a value.
fn is_pairs(line: &str) -> bool {
    let mut fields = line.split_whitespace();
    let pair = |field: &str| {
        field.split_once(':').is_some_and(|(column, value)| {
            (column == "qid" || column.parse::<u32>().is_ok()) && value.parse::<f64>().is_ok()
        })
    };
    // A label is a number, or several of them; words are told by who asks for documents.
    let label = |label: &str| label.split(',').all(|label| label.parse::<f64>().is_ok());
    let labelled = line.starts_with(' ') || fields.next().is_some_and(label);
    labelled && fields.all(pair)
}

/// Whether three lines with a whole number come first, and then triples of numbers.
fn is_uci(rows: &[String]) -> bool {
    let numbers = |row: &String| row.split_whitespace().map(|field| field.parse().ok()).collect::<Option<Vec<f64>>>();
    let count = |row: &String| numbers(row).map_or(0, |numbers| numbers.len());
    rows.len() > 3 && rows[..3].iter().all(|row| count(row) == 1) && rows[3..].iter().all(|row| count(row) == 3)
}
