//! Bag-of-words files: triples, with or without the header of the UCI sets, and SVMlight lines.

use std::path::Path;

use crate::lines::{Lines, no_memory, push, repeated, wrong};
use crate::names::Names;
use crate::{Documents, Error, Result};

/// Documents without words leave no trace in a file of triples, so their number can only be believed in part: there may
/// be this many documents and [`PER_TRIPLE`] more for each triple.
const BELIEVED: u64 = 1024;

/// See [`BELIEVED`].
const PER_TRIPLE: u64 = 4;

/// What the lines of a file look like; the first that is more than one field tells.
enum Form {
    Triples,
    Pairs,
}

/// A count as it was read: the document and the word from 0, the line, the count.
type Entry = [u32; 4];

/// Reads a file of either form.
pub(crate) fn read(path: &Path) -> Result<Documents> {
    let mut lines = Lines::open(path)?;
    let mut form = None;
    let mut names = Names::default();
    // Of triples, the header; a single field on a line is the one as well as the other.
    let mut labels = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    while let Some((number, line)) = lines.next_line()? {
        let wrong = |message: String| wrong(path, number, message);
        let mut fields = line.split_whitespace().take_while(|field| !field.starts_with('#')).peekable();
        let Some(first) = fields.next() else { continue };
        if let (None, Some(second)) = (&form, fields.peek()) {
            form = Some(if second.contains(':') { Form::Pairs } else { Form::Triples });
        }
        if let Some(Form::Triples) = form {
            if ![0, 3].contains(&labels.len()) {
                let message = format!("before the first triple come {} lines with one number, not 3", labels.len());
                return Err(wrong(message));
            }
            let (Some(word), Some(count), None) = (fields.next(), fields.next(), fields.next()) else {
                return Err(wrong("it is not the number of a document, that of a word and a count".to_owned()));
            };
            let document = numbered(first, "document").map_err(wrong)?;
            push(path, &mut entries, entry(document, word, number, count).map_err(wrong)?)?;
        } else {
            if first.contains(':') {
                return Err(wrong(format!("it begins with `{first}`, not with a label")));
            }
            let document = labels.len() as u32;
            push(path, &mut labels, names.number(path, first)?)?;
            for field in fields {
                let pair = field.split_once(':').ok_or_else(|| wrong(format!("`{field}` is not a word and its count")));
                let (word, count) = pair?;
                push(path, &mut entries, entry(document, word, number, count).map_err(wrong)?)?;
            }
        }
    }
    entries.sort_unstable();
    if let Some([earlier, line]) = repeated(&entries) {
        return Err(wrong(path, line, format!("it repeats a word that its document has in line {earlier} already")));
    }
    match form {
        None => Err(Error::format(path, "it holds neither lines `document word count` nor `label word:count ...`")),
        Some(Form::Triples) => {
            let names = names.into_vec();
            let header: Vec<&str> = labels.iter().map(|&label: &u32| names[label as usize].as_str()).collect();
            let [documents, words] = sizes(&header, &entries).map_err(|message| Error::format(path, message))?;
            let counts = counts(path, &entries, documents)?;
            Ok(Documents { words, counts, labels: None, label_names: Vec::new() })
        }
        Some(Form::Pairs) => {
            let counts = counts(path, &entries, labels.len())?;
            let label_names = names.into_sorted(&mut labels);
            Ok(Documents { words: largest(&entries, 1) as usize, counts, labels: Some(labels), label_names })
        }
    }
}

/// An entry of the file.
fn entry(document: u32, word: &str, line: u64, count: &str) -> std::result::Result<Entry, String> {
    // Some programs write whole numbers with a point.
    let whole = |count: &f64| count.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(count);
    let number = count.parse().ok().filter(whole);
    let number = number.ok_or_else(|| format!("the count `{count}` is no whole number from 0 to {}", u32::MAX))?;
    Ok([document, numbered(word, "word")?, line as u32, number as u32])
}

/// A number from 1, counted from 0.
fn numbered(text: &str, what: &str) -> std::result::Result<u32, String> {
    let number = text.parse().ok().and_then(|number: u32| number.checked_sub(1));
    number.ok_or_else(|| format!("the {what} `{text}` is no number from 1 to {}", u32::MAX))
}

/// One more than the largest document (0) or word (1).
fn largest(entries: &[Entry], part: usize) -> u64 {
    entries.iter().map(|entry| u64::from(entry[part]) + 1).max().unwrap_or(0)
}

/// The numbers of documents and words of triples, as the header claims or the triples tell.
fn sizes(header: &[&str], entries: &[Entry]) -> std::result::Result<[usize; 2], String> {
    let triples = entries.len() as u64;
    let found = [largest(entries, 0), largest(entries, 1)];
    let claims: Vec<u64> = header.iter().filter_map(|number| number.parse().ok()).collect();
    let [documents, words] = match claims[..] {
        [] if header.is_empty() => found,
        [documents, words, claimed] => {
            if claimed != triples {
                return Err(format!("its header claims {claimed} triples, but {triples} follow"));
            }
            for (what, claimed, part) in [("documents", documents, 0), ("words", words, 1)] {
                if let Some(entry) = entries.iter().find(|entry| u64::from(entry[part]) >= claimed) {
                    let (line, number) = (entry[2], u64::from(entry[part]) + 1);
                    return Err(format!("its header claims {claimed} {what}, but line {line} names number {number}"));
                }
            }
            [documents, words]
        }
        _ => return Err(format!("its header {header:?} is not the numbers of documents, words and triples")),
    };
    if documents > BELIEVED + PER_TRIPLE * triples {
        return Err(format!("{documents} documents are too many for {triples} triples: nearly all would be empty"));
    }
    if words > u64::from(u32::MAX) {
        return Err(format!("its header claims {words} words, more than the {} that are read", u32::MAX));
    }
    Ok([documents as usize, words as usize])
}

/// The counts of each document, from sorted entries. A count of 0 is none.
fn counts(path: &Path, entries: &[Entry], documents: usize) -> Result<Vec<Vec<(u32, u32)>>> {
    let mut counts = Vec::new();
    counts.try_reserve_exact(documents).map_err(|_| no_memory(path))?;
    for document in entries.chunk_by(|one, other| one[0] == other[0]) {
        counts.resize_with(document[0][0] as usize, Vec::new);
        counts.push(document.iter().filter(|entry| entry[3] > 0).map(|entry| (entry[1], entry[3])).collect());
    }
    counts.resize_with(documents, Vec::new);
    Ok(counts)
}
