//! Sparse matrices, and the bags of words that some of them are.

use std::path::Path;
use std::sync::Arc;

use super::{Data, MAX_WIDTH};
use crate::element::Element;
use crate::formats::bags::Bags;
use crate::sparse::Sparse;
use crate::{Documents, Error, Format, Result};

impl Data {
    /// A sparse matrix.
    pub(crate) fn sparse_matrix(path: &Path, format: Format, matrix: Sparse) -> Self {
        let matrix = Arc::new(matrix);
        let mut data = Self::new(path, format, matrix.clone(), matrix.rows(), vec![matrix.columns()]);
        data.element = Some(Element::F64);
        data.refuse_width();
        data.sparse = Some(matrix);
        data
    }

    pub(crate) fn bags(path: &Path, bags: Bags) -> Self {
        let mut data = Self::sparse_matrix(path, bags.format, bags.matrix);
        data.labels = bags.labels;
        data.word_base = Some((bags.base, bags.certain));
        if !bags.certain {
            data.notes.push(
                "no column is 0, so they are taken to be numbered from 1; if they are not, say --word-base 0"
                    .to_owned(),
            );
        }
        data.names = vocabulary(path, data.width());
        data
    }

    /// Counts of words in documents.
    ///
    /// # Errors
    /// If the file is not a sparse matrix, or holds a value that is not a count.
    pub fn documents(&self) -> Result<Documents> {
        let wrong = |message: String| Error::format(&self.path, message);
        let matrix = self.sparse().ok_or_else(|| {
            wrong(format!("it is of the format {}, which holds no counts of words", self.format.name()))
        })?;
        let counts = (0..matrix.rows()).map(|row| {
            let (places, values) = matrix.row(row);
            let entries = places.iter().zip(values).filter(|(_, value)| **value != 0.0);
            let count = |(&place, &value): (&u32, &f64)| {
                let whole = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
                whole.then_some((place, value as u32)).ok_or_else(|| {
                    wrong(format!("document {row}: word {place} occurs {value} times, which is not a count"))
                })
            };
            entries.map(count).collect()
        });
        let counts = counts.collect::<Result<Vec<Vec<(u32, u32)>>>>()?;
        let (labels, label_names) = match &self.labels {
            Some(labels) => (Some(labels.classes.clone()), labels.names.clone()),
            None => (None, Vec::new()),
        };
        Ok(Documents { words: matrix.columns(), counts, labels, label_names })
    }

    /// Gives a sparse matrix more columns, which are empty.
    pub(crate) fn widen(&mut self, columns: usize) {
        if let Some(matrix) = self.sparse.take() {
            let matrix = Arc::new(Sparse::clone(&matrix).widened(columns));
            self.shape = vec![matrix.columns()];
            self.set_source(matrix.clone());
            self.sparse = Some(matrix);
            self.names = vocabulary(&self.path, columns);
            self.refuse_width();
        }
    }

    fn refuse_width(&mut self) {
        let (rows, columns) = (self.count, self.width());
        if rows == 0 || columns == 0 {
            self.refusal = Some("it has no entries, and so no columns".to_owned());
        } else if columns > MAX_WIDTH {
            self.refusal = Some(format!("it has {columns} columns, more than the {MAX_WIDTH} that a row may have"));
        }
    }
}

/// The vocabulary in the same folder, if there is one: gensim calls it `FILE.vocab`, UCI `vocab.X.txt` for `docword.X.txt`.
fn vocabulary(path: &Path, words: usize) -> Option<Vec<String>> {
    let name = path.file_name()?.to_str()?;
    let of_uci = name.strip_prefix("docword.").map(|rest| format!("vocab.{}", rest.trim_end_matches(".gz")));
    let names = [Some(format!("{name}.vocab")), of_uci];
    let texts = names.into_iter().flatten().map(|name| std::fs::read_to_string(path.with_file_name(name)));
    let text = texts.filter_map(std::result::Result::ok).next()?;
    let mut found: Vec<String> = text.lines().map(|word| word.trim().to_owned()).collect();
    // A file that names fewer words is another one's; words behind the last that occurs have no column.
    (found.len() >= words).then(|| {
        found.truncate(words);
        found
    })
}
