//! Rows of `column:value` pairs (SVMlight, LDA-C) and triples `row column value` (UCI's bags of words).

use std::path::Path;

use super::lines::{Lines, push, wrong};
use super::names::Names;
use crate::sparse::{Sparse, Triple};
use crate::{Error, Format, Labels, Result, WordBase};

/// A sparse matrix with what its file says besides.
pub(crate) struct Bags {
    pub(crate) format: Format,
    pub(crate) matrix: Sparse,
    pub(crate) labels: Option<Labels>,
    /// How words are numbered, and whether the file says so itself: by a comment, by a word 0, or because its format does.
    pub(crate) base: WordBase,
    pub(crate) certain: bool,
}

/// Reads counts of words in any of the forms here; what stands behind the first blank tells which.
pub(crate) fn any(path: &Path, text: &[u8], base: Option<WordBase>) -> Result<Bags> {
    let mut lines = Lines::new(path, text);
    while let Some((_, line)) = lines.next_line()? {
        let mut fields = line.split_whitespace().take_while(|field| !field.starts_with('#'));
        if let (Some(_), Some(second)) = (fields.next(), fields.next()) {
            return if second.contains(':') { pairs(path, text, None, base) } else { triples(path, text) };
        }
    }
    Err(Error::format(path, "it holds neither lines `document word count` nor `label word:count ...`"))
}

/// Reads `label column:value ...` (SVMlight) or `number-of-pairs word:count ...` (LDA-C), told apart by the first numbers of all lines
/// unless `format` says which.
///
/// SVMlight numbers columns from 1, scikit-learn by default from 0: the whole file tells, unless `base` does.
pub(crate) fn pairs(path: &Path, text: &[u8], format: Option<Format>, base: Option<WordBase>) -> Result<Bags> {
    let mut lines = Lines::new(path, text);
    let (mut names, mut labels) = (Names::default(), Vec::new());
    let mut entries: Vec<Triple> = Vec::new();
    let mut line_of_row: Vec<u64> = Vec::new();
    // LDA-C holds counts.
    let (mut lda, mut stated) = (true, None);
    while let Some((number, line)) = lines.next_line()? {
        let wrong = |message: String| wrong(path, number, message);
        let (content, comment) = line.split_once('#').unwrap_or((line, ""));
        // What scikit-learn writes.
        if comment.contains("indices are zero-based") {
            stated = Some(WordBase::Zero);
        } else if comment.contains("indices are one-based") {
            stated = Some(WordBase::One);
        }
        let mut fields = content.split_whitespace().peekable();
        // A row of several classes may have none, and then begins with a blank.
        let unlabelled = content.starts_with(' ') && fields.peek().is_some_and(|field| field.contains(':'));
        let first = if unlabelled { "" } else { fields.next().unwrap_or("") };
        if first.is_empty() && !unlabelled {
            continue;
        }
        if first.contains(':') {
            return Err(wrong(format!("it begins with `{first}`, not with a label")));
        }
        let row = labels.len() as u32;
        push(path, &mut labels, names.number(first))?;
        push(path, &mut line_of_row, number)?;
        let before = entries.len();
        for field in fields {
            let (column, value) =
                field.split_once(':').ok_or_else(|| wrong(format!("`{field}` is not a column and its value")))?;
            if column == "qid" {
                continue;
            }
            let column = column.parse().ok().filter(|&column: &u32| column < u32::MAX);
            let column =
                column.ok_or_else(|| wrong(format!("`{field}` does not begin with the number of a column")))?;
            let value = finite(value).ok_or_else(|| wrong(format!("`{field}` does not end with a finite number")))?;
            push(path, &mut entries, (row, column, value))?;
        }
        lda &= first.parse() == Ok(entries.len() - before);
        lda &= entries[before..].iter().all(|(_, _, value)| value.fract() == 0.0 && *value >= 0.0);
    }
    if labels.is_empty() {
        return Err(Error::format(path, "it holds no rows"));
    }
    let format = format.unwrap_or(if lda { Format::LdaC } else { Format::Svmlight });
    if format == Format::LdaC && !lda {
        return Err(Error::format(path, "its lines do not begin with the number of their words, as LDA-C's do"));
    }
    let zero = entries.iter().find(|(_, column, _)| *column == 0).map(|(row, _, _)| line_of_row[*row as usize]);
    let found = match (base, stated, zero) {
        (Some(WordBase::One), _, Some(line)) => {
            return Err(wrong(path, line, "it names column 0, but columns are numbered from 1; try --word-base 0"));
        }
        (Some(base), ..) => base,
        _ if format == Format::LdaC => WordBase::Zero,
        (None, Some(WordBase::One), Some(line)) => {
            return Err(wrong(path, line, "it names column 0, but a comment says that they are numbered from 1"));
        }
        (None, Some(stated), _) => stated,
        (None, None, Some(_)) => WordBase::Zero,
        (None, None, None) => WordBase::One,
    };
    if found == WordBase::One {
        entries.iter_mut().for_each(|(_, column, _)| *column -= 1);
    }
    let columns = entries.iter().map(|&(_, column, _)| column as usize + 1).max().unwrap_or(0);
    let repeated = |row: u32, column| wrong(path, line_of_row[row as usize], format!("column {column} comes twice"));
    let matrix = Sparse::new(path, [labels.len(), columns], entries, repeated)?;
    let labels = (format == Format::Svmlight).then(|| Labels::ordered(names, labels));
    let certain = base.is_some() || stated.is_some() || zero.is_some() || format == Format::LdaC;
    Ok(Bags { format, matrix, labels, base: found, certain })
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

/// A triple as it was read: the row and the column from 0, and the line.
type Place = [u32; 3];

/// Reads `row column value` on each line, both numbered from 1, in any order; three lines with one number may come first, as in UCI's
/// sets: of rows, of columns and of the lines that follow.
pub(crate) fn triples(path: &Path, text: &[u8]) -> Result<Bags> {
    let mut lines = Lines::new(path, text);
    let (mut header, mut places, mut values): (Vec<u64>, Vec<Place>, Vec<f64>) = Default::default();
    while let Some((number, line)) = lines.next_line()? {
        let wrong = |message: String| wrong(path, number, message);
        let fields: Vec<&str> = line.split_whitespace().take_while(|field| !field.starts_with('#')).take(4).collect();
        match fields[..] {
            [] => {}
            [size] if places.is_empty() => {
                let size =
                    size.parse().map_err(|_| wrong(format!("`{size:.40}` is not a number of rows or columns")))?;
                header.push(size);
            }
            [row, column, value] => {
                let value = finite(value).ok_or_else(|| wrong(format!("`{value:.40}` is not a finite number")))?;
                let place = [from_one(row, "row").map_err(wrong)?, from_one(column, "column").map_err(wrong)?];
                push(path, &mut places, [place[0], place[1], number as u32])?;
                push(path, &mut values, value)?;
            }
            _ => return Err(wrong("it is not the number of a row, that of a column and a value".to_owned())),
        }
        if ![0, 3].contains(&header.len()) && !places.is_empty() {
            return Err(wrong(format!("before the first triple come {} lines with one number, not 3", header.len())));
        }
    }
    let [rows, columns] = sizes(&header, &places).map_err(|message| Error::format(path, message))?;
    let entries = places.iter().zip(&values).map(|(&[row, column, _], &value)| (row, column, value)).collect();
    let repeated = |row, column| {
        let mut lines = places.iter().filter(|place| place[..2] == [row, column]).map(|place| u64::from(place[2]));
        let (earlier, line) = (lines.next().unwrap_or(0), lines.next().unwrap_or(0));
        wrong(path, line, format!("it repeats a row and a column of line {earlier}"))
    };
    let matrix = Sparse::new(path, [rows, columns], entries, repeated)?;
    Ok(Bags { format: Format::Uci, matrix, labels: None, base: WordBase::One, certain: true })
}

/// A number from 1, counted from 0.
fn from_one(text: &str, what: &str) -> std::result::Result<u32, String> {
    let number = text.parse().ok().and_then(|number: u32| number.checked_sub(1));
    number.ok_or_else(|| format!("the {what} `{text:.40}` is not a number from 1 to {}", u32::MAX))
}

/// The numbers of rows and columns, as the header claims or the triples tell.
fn sizes(header: &[u64], places: &[Place]) -> std::result::Result<[usize; 2], String> {
    let triples = places.len() as u64;
    let largest = |part: usize| places.iter().map(|place| u64::from(place[part]) + 1).max().unwrap_or(0);
    let [rows, columns] = match header[..] {
        [] if !places.is_empty() => [largest(0), largest(1)],
        [rows, columns, claimed] => {
            if claimed != triples {
                return Err(format!("its header claims {claimed} triples, but {triples} follow"));
            }
            for (what, claimed, part) in [("rows", rows, 0), ("columns", columns, 1)] {
                if let Some(place) = places.iter().find(|place| u64::from(place[part]) >= claimed) {
                    let (line, number) = (place[2], u64::from(place[part]) + 1);
                    return Err(format!("its header claims {claimed} {what}, but line {line} names number {number}"));
                }
            }
            [rows, columns]
        }
        _ => return Err("its header is not the numbers of rows, columns and triples".to_owned()),
    };
    if columns > u64::from(u32::MAX) {
        return Err(format!("its header claims {columns} columns, more than the {} that are read", u32::MAX));
    }
    Ok([rows as usize, columns as usize])
}
