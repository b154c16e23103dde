//! Tables as text: separated by commas, semicolons, tabs or blanks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::lines::{Lines, wrong};
use super::names::Names;
use super::raw::{Raw, Text};
use crate::array::Array;
use crate::element::Element;
use crate::packing::Spool;
use crate::source::MISSING;
use crate::{Error, Labels, Options, Result};

/// How many records are looked at to find the separator and the header.
const SAMPLE: usize = 200;

/// The longest stretch of a file that is looked at for them.
const SAMPLE_BYTES: usize = 1 << 20;

/// What stands for a missing value, besides an empty cell.
const MISSING_WORDS: [&str; 9] = ["NA", "N/A", "n/a", "<NA>", "#N/A", "null", "NULL", "None", "?"];

/// What separates the cells of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    Byte(u8),
    /// One or more blanks or tabs.
    Blanks,
}

/// How a file is written.
struct Dialect {
    separator: Separator,
    decimal_comma: bool,
    header: Option<Vec<String>>,
    /// The first cell of each line is the line's name.
    row_names: bool,
}

/// What a cell holds.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Missing,
    Number(f64),
    Boolean(bool),
    Text,
}

/// What the cells of a column have been so far.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Unknown,
    Number,
    Boolean,
    Text,
}

/// Calls `each` with the line and the cells of every record, until it gives `false`.
pub(crate) fn records(
    path: &Path,
    text: &[u8],
    separator: Separator,
    mut each: impl FnMut(u64, &[&str]) -> Result<bool>,
) -> Result<()> {
    let mut cells: Vec<&str> = Vec::new();
    match separator {
        Separator::Blanks => {
            let mut lines = Lines::new(path, text);
            while let Some((number, line)) = lines.next_line()? {
                if !line.starts_with(['#', '%']) {
                    cells.clear();
                    blanks(line, &mut cells).map_err(|message| wrong(path, number, message))?;
                    if !each(number, &cells)? {
                        break;
                    }
                }
            }
            Ok(())
        }
        Separator::Byte(separator) => {
            let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
            let mut reader = csv::ReaderBuilder::new()
                .delimiter(separator)
                .has_headers(false)
                .flexible(true)
                .comment(Some(b'#'))
                .from_reader(text);
            let mut record = csv::ByteRecord::new();
            loop {
                let more = reader.read_byte_record(&mut record);
                let line = record.position().map_or(0, |position| line_of(text, position));
                if !more.map_err(|error| wrong(path, line, error))? {
                    return Ok(());
                }
                let mut cells: Vec<&str> = Vec::with_capacity(record.len());
                for cell in &record {
                    let cell = std::str::from_utf8(cell)
                        .map_err(|_| wrong(path, line, "it is not UTF-8 text; save the file as UTF-8"))?;
                    cells.push(cell);
                }
                // MATLAB, Octave and others begin comments by %. A line of blanks is not a record.
                if cells[0].starts_with('%') || (cells.len() == 1 && text_is_blank(text, &record)) {
                    continue;
                }
                if cells.iter().any(|cell| cell.contains('\0')) {
                    return Err(wrong(path, line, "it holds a zero byte; this is not text"));
                }
                // The crate takes a quote that is never closed as one cell to the end of the file.
                let end = reader.position().byte() as usize;
                if end >= text.len() && unclosed(text, record.position(), separator) {
                    return Err(wrong(path, line, "a quote is opened here and never closed"));
                }
                if !each(line, &cells)? {
                    return Ok(());
                }
            }
        }
    }
}

/// The line of a record: the crate's position is that of the blank lines and comments before it.
fn line_of(text: &[u8], position: &csv::Position) -> u64 {
    let (mut line, mut rest) = (position.line(), &text[(position.byte() as usize).min(text.len())..]);
    while let [b'\n' | b'\r' | b'#', ..] = rest {
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
        (line, rest) = (line + 1, &rest[end..]);
    }
    line
}

/// Whether the only cell of a record is nothing but blanks, and not a quoted one, which is a missing value.
fn text_is_blank(text: &[u8], record: &csv::ByteRecord) -> bool {
    let start = record.position().map_or(0, |position| position.byte() as usize);
    record[0].trim_ascii().is_empty() && text.get(start) != Some(&b'"')
}

/// Whether the last quote that opens a cell of the last record is never closed: an odd number of quotes follows from there on.
fn unclosed(text: &[u8], position: Option<&csv::Position>, separator: u8) -> bool {
    let record = &text[position.map_or(0, |position| position.byte() as usize).min(text.len())..];
    let opens = |i: usize| record[i] == b'"' && (i == 0 || [separator, b'\n', b'\r'].contains(&record[i - 1]));
    // A quote within quotes may follow a separator, so that all quotes from the first cell that opens count.
    let first = (0..record.len()).find(|&i| opens(i));
    first.is_some_and(|first| record[first..].iter().filter(|&&byte| byte == b'"').count() % 2 == 1)
}

/// The cells of a line that are separated by blanks, with or without quotes.
fn blanks<'a>(line: &'a str, cells: &mut Vec<&'a str>) -> std::result::Result<(), String> {
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or("a quote is opened and never closed")?;
            cells.push(&quoted[..end]);
            end + 2
        } else {
            let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
            cells.push(&rest[..end]);
            end
        };
        rest = rest[end..].trim_start();
    }
    Ok(())
}

fn cell(text: &str, decimal_comma: bool) -> Cell {
    let text = text.trim();
    if text.is_empty() || MISSING_WORDS.contains(&text) {
        return Cell::Missing;
    }
    let number = if decimal_comma && text.contains(',') { text.replace(',', ".").parse() } else { text.parse() };
    match (number, text) {
        (Ok(number), _) => Cell::Number(number),
        (_, "True" | "true" | "TRUE") => Cell::Boolean(true),
        (_, "False" | "false" | "FALSE") => Cell::Boolean(false),
        _ => Cell::Text,
    }
}

/// The first records of a file, as cells.
fn sample(path: &Path, text: &[u8], separator: Separator) -> Result<Vec<Vec<String>>> {
    // A cut at the end of a line, so that the last record is whole unless a quoted cell holds line ends.
    let start = &text[..text.len().min(SAMPLE_BYTES)];
    let whole = start.len() == text.len();
    let start = if whole { start } else { &start[..start.iter().rposition(|&byte| byte == b'\n').unwrap_or(0)] };
    let mut found = Vec::new();
    let read = records(path, start, separator, |_, cells| {
        found.push(cells.iter().map(|&cell| cell.to_owned()).collect());
        Ok(found.len() < SAMPLE)
    });
    // The cut may have opened a quote.
    if whole || found.is_empty() { read.map(|()| found) } else { Ok(found) }
}

/// The separator by which the first records have the most cells, as many in each; where none divides them evenly, that by which the
/// first record has the most.
pub(crate) fn separator(path: &Path, text: &[u8]) -> Result<Separator> {
    let choices = [b'\t', b';', b',', b'|'].map(Separator::Byte).into_iter().chain([Separator::Blanks]);
    let mut best = (1, Separator::Byte(b','));
    let mut uneven = best;
    for choice in choices {
        let Ok(sample) = sample(path, text, choice) else { continue };
        let cells = sample.iter().map(Vec::len).max().unwrap_or(0);
        let first = sample.first().map_or(0, Vec::len);
        if first > uneven.0 {
            uneven = (first, choice);
        }
        // R gives the header of its tables one name less.
        let even = sample.iter().enumerate().all(|(i, cells_of)| {
            cells_of.len() == cells || (i == 0 && sample.len() > 1 && cells_of.len() + 1 == cells)
        });
        if even && cells > best.0 {
            best = (cells, choice);
            // What is separated by semicolons or tabs may have commas and blanks in its cells.
            if choice != Separator::Byte(b',') {
                break;
            }
        }
    }
    Ok(if best.0 > 1 { best.1 } else { uneven.1 })
}

fn dialect(path: &Path, text: &[u8], options: &Options) -> Result<Dialect> {
    let separator = match options.separator {
        Some(b' ') => Separator::Blanks,
        Some(separator) => Separator::Byte(separator),
        None => separator(path, text)?,
    };
    let sample = sample(path, text, separator)?;
    let Some((first, rest)) = sample.split_first() else {
        return Err(Error::format(path, "it holds no rows"));
    };
    let comma = |text: &String| text.contains(',') && cell(text, true) != Cell::Text;
    let point = |text: &String| text.contains('.') && cell(text, false) != Cell::Text;
    let cells = || sample.iter().flatten();
    let decimal_comma = separator != Separator::Byte(b',') && cells().any(comma) && !cells().any(point);
    let named = first.iter().all(|name| cell(name, decimal_comma) == Cell::Text);
    let row_names = named && rest.first().is_some_and(|row| row.len() == first.len() + 1);
    let header = options.header.unwrap_or_else(|| row_names || is_header(first, rest, decimal_comma));
    let header = header.then(|| first.iter().map(|name| name.trim().to_owned()).collect());
    Ok(Dialect { separator, decimal_comma, header, row_names })
}

/// Whether the first record names the columns: one of its cells is text above numbers, all are text and differ, or
/// they count from 0, as pandas names columns that have no names.
fn is_header(first: &[String], rest: &[Vec<String>], decimal_comma: bool) -> bool {
    let is_text = |text: &String| cell(text, decimal_comma) == Cell::Text;
    let unnamed = usize::from(first[0].trim().is_empty());
    let counted = first[unnamed..].iter().enumerate().all(|(i, name)| name.parse() == Ok(i));
    if counted && first.len() > 1 && !rest.is_empty() {
        return true;
    }
    let above_numbers = first.iter().enumerate().any(|(column, name)| {
        let mut below = rest.iter().filter_map(|row| row.get(column)).map(|text| cell(text, decimal_comma));
        is_text(name) && below.clone().any(|cell| cell != Cell::Missing) && below.all(|cell| cell != Cell::Text)
    });
    let mut names: Vec<&String> = first.iter().collect();
    names.sort();
    names.dedup();
    above_numbers || (first.iter().all(is_text) && names.len() == first.len() && rest.len() != 1)
}

/// Reads a table of numbers; columns that hold something else are told apart.
pub(crate) fn table(path: &Path, text: &[u8], options: &Options) -> Result<Raw> {
    let dialect = dialect(path, text, options)?;
    let mut spool = Spool::new(path, u64::MAX);
    let (mut rows, mut width) = (0, dialect.header.as_ref().map_or(0, Vec::len) + usize::from(dialect.row_names));
    let mut kinds: Vec<Kind> = vec![Kind::Unknown; width];
    let mut texts: BTreeMap<usize, Text> = BTreeMap::new();
    let mut header = dialect.header.is_some();
    let mut row: Vec<u8> = Vec::new();
    records(path, text, dialect.separator, |line, cells| {
        if std::mem::take(&mut header) {
            return Ok(true);
        }
        if width == 0 {
            width = cells.len();
            kinds = vec![Kind::Unknown; width];
        }
        if cells.len() != width {
            return Err(wrong(path, line, format!("{} cells, but the lines before have {width}", cells.len())));
        }
        row.clear();
        for (column, &text) in cells.iter().enumerate() {
            let found = cell(text, dialect.decimal_comma);
            let (value, kind) = match found {
                Cell::Missing => (MISSING, kinds[column]),
                Cell::Number(number) => (number, Kind::Number),
                Cell::Boolean(truth) => (f64::from(u8::from(truth)), Kind::Boolean),
                Cell::Text => (MISSING, Kind::Text),
            };
            row.extend_from_slice(&value.to_le_bytes());
            match (kinds[column], kind) {
                (Kind::Text, _) => {}
                (before, now) if before == now => {}
                (Kind::Unknown, Kind::Number | Kind::Boolean) => kinds[column] = kind,
                _ => {
                    kinds[column] = Kind::Text;
                    texts.insert(column, Text { row: rows, sample: text.to_owned(), labels: None });
                }
            }
        }
        spool.write(&row)?;
        rows += 1;
        Ok(true)
    })?;
    if rows == 0 {
        return Err(Error::format(path, "it holds a header, but no rows"));
    }
    let array = Array::spooled(spool.finish()?, Element::F64, vec![rows, width]);
    let names = dialect.header.as_ref().map(|names| match dialect.row_names {
        true => std::iter::once(String::new()).chain(names.iter().cloned()).collect(),
        false => names.clone(),
    });
    let mut raw = Raw::new(Arc::new(array), rows, vec![width]);
    raw.booleans = (0..width).filter(|&column| kinds[column] == Kind::Boolean).collect();
    if let Some(names) = names {
        raw.name(path, names)?;
    }
    raw.texts = texts;
    raw.read_labels(options, |column| column_labels(path, text, &dialect, column))?;
    // The row names of R and the index of pandas have no name; a number that only counts rows teaches nothing.
    if raw.names.as_ref().is_some_and(|names| names[0].is_empty()) && raw.width() > 1 {
        raw.leave_out(0);
        raw.notes.push("the first column has no name: it numbers or names the rows, and is left out".to_owned());
    }
    Ok(raw)
}

/// The cells of a column as classes.
fn column_labels(path: &Path, text: &[u8], dialect: &Dialect, column: usize) -> Result<Labels> {
    let (mut names, mut classes) = (Names::default(), Vec::new());
    let mut header = dialect.header.is_some();
    records(path, text, dialect.separator, |line, cells| {
        if !std::mem::take(&mut header) {
            let name = cells[column].trim();
            if name.is_empty() {
                return Err(wrong(path, line, format!("column {column} names no category")));
            }
            classes.push(names.number(name));
        }
        Ok(true)
    })?;
    Ok(Labels::ordered(names, classes))
}
