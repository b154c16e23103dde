//! Documents as bags of words.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use crate::formats::bags;
use crate::packing::{Content, MAX_BYTES};
use crate::{Data, Error, Format, Options, Result, open, sniff};

/// How often the words of a vocabulary occur in documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// Number of words in the vocabulary.
    pub words: usize,
    /// For each document its words, numbered from 0 and ascending, and how often each occurs, at least once. A document
    /// without words is empty.
    pub counts: Vec<Vec<(u32, u32)>>,
    /// For each document its label, a place in [`label_names`](Self::label_names).
    pub labels: Option<Vec<u32>>,
    /// The labels as the file calls them, numbers ascending and other names in alphabetical order, so that files with the
    /// same labels number them alike.
    pub label_names: Vec<String>,
}

impl Documents {
    /// Reads a file of counts, plain or packed: SVMlight (`label word:count ...`), LDA-C (`words word:count ...`), the
    /// bags of words of UCI, `document word count` on each line with or without UCI's header, Matrix Market, or a
    /// sparse matrix of MATLAB or SciPy. UCI's files have no labels; see [`with_labels`](Self::with_labels).
    ///
    /// ```
    /// use strait_data::Documents;
    /// let path = std::env::temp_dir().join(format!("strait-documents-{}.txt", std::process::id()));
    /// std::fs::write(&path, "rain 1:2 4:1\nsun 3:5\n")?;
    /// let documents = Documents::read(&path)?;
    /// assert_eq!(documents.words, 4);
    /// assert_eq!(documents.counts, [vec![(0, 2), (3, 1)], vec![(2, 5)]]);
    /// assert_eq!(documents.labels, Some(vec![0, 1]));
    /// assert_eq!(documents.label_names, ["rain", "sun"]);
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, holds no counts, has a wrong header, or has so many documents that nearly all are empty; if a
    /// count is not a whole number from 0; if a document repeats a word.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_with(path, &Options::default())
    }

    /// The same with options, such as how words are numbered.
    ///
    /// # Errors
    /// As [`Documents::read`].
    pub fn read_with(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        let content = Content::open(path, options.max_bytes)?;
        match options.format.map_or_else(|| sniff::format(path, &content.bytes), Ok)? {
            // Three numbers on each line could be a table as well; here they are counts.
            Format::Csv | Format::Ratings => {
                Data::bags(path, bags::any(path, &content.bytes, options.word_base)?).documents()
            }
            _ => open(path, options)?.documents(),
        }
    }

    /// Gives the documents the labels of a text file, plain or gzipped, that holds one on each line, any text. They
    /// take the place of those that the documents have.
    ///
    /// ```
    /// use strait_data::Documents;
    /// let name = |part| std::env::temp_dir().join(format!("strait-{part}-{}", std::process::id()));
    /// let (counts, labels) = (name("counts"), name("labels"));
    /// std::fs::write(&counts, "1 1 3\n2 2 1\n")?;
    /// std::fs::write(&labels, "sports\nnews\n")?;
    /// let documents = Documents::read(&counts)?.with_labels(&labels)?;
    /// assert_eq!(documents.labels, Some(vec![1, 0]));
    /// assert_eq!(documents.label_names, ["news", "sports"]);
    /// # std::fs::remove_file(&counts)?;
    /// # std::fs::remove_file(&labels)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, or holds not one label for each document.
    pub fn with_labels(self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let labels = crate::open::labels(path, &Options::default())?;
        if labels.classes.len() != self.counts.len() {
            let message =
                format!("it holds {} labels, but there are {} documents", labels.classes.len(), self.counts.len());
            return Err(Error::format(path, message));
        }
        Ok(Self { labels: Some(labels.classes), label_names: labels.names, ..self })
    }

    /// The documents with only the words that occur in the most documents, numbered from 0 in that order; of words that
    /// occur in equally many, the one with the lower number comes first. All words stay if there are no more.
    ///
    /// ```
    /// use strait_data::Documents;
    /// let counts = vec![vec![(0, 9), (1, 1)], vec![(1, 2), (2, 1)], vec![(2, 4)]];
    /// let documents = Documents { words: 3, counts, labels: None, label_names: Vec::new() };
    /// assert_eq!(documents.most_frequent(2).counts, [vec![(0, 1)], vec![(0, 2), (1, 1)], vec![(1, 4)]]);
    /// ```
    pub fn most_frequent(&self, words: usize) -> Self {
        // Only of words that occur: a file may claim many more.
        let mut documents: HashMap<u32, usize> = HashMap::new();
        for &(word, _) in self.counts.iter().flatten() {
            *documents.entry(word).or_default() += 1;
        }
        let mut ranked: Vec<(u32, usize)> = documents.into_iter().collect();
        ranked.sort_unstable_by_key(|&(word, documents)| (Reverse(documents), word));
        let numbers: HashMap<u32, u32> = ranked.iter().map(|&(word, _)| word).take(words).zip(0..).collect();
        let kept = |document: &Vec<(u32, u32)>| {
            let numbered = document.iter().filter_map(|&(word, count)| Some((*numbers.get(&word)?, count)));
            let mut kept: Vec<(u32, u32)> = numbered.collect();
            kept.sort_unstable();
            kept
        };
        let counts = self.counts.iter().map(kept).collect();
        let (labels, label_names) = (self.labels.clone(), self.label_names.clone());
        Self { words: words.min(self.words), counts, labels, label_names }
    }

    /// The counts as rows: for each document as many numbers as there are words.
    ///
    /// ```
    /// use strait_data::Documents;
    /// let counts = vec![vec![(0, 2), (2, 1)], vec![]];
    /// let documents = Documents { words: 3, counts, labels: None, label_names: Vec::new() };
    /// assert_eq!(documents.to_numbers()?, [2.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), strait_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Counts`] if they would take more than [`MAX_BYTES`], or a word is not in the vocabulary.
    pub fn to_numbers(&self) -> Result<Vec<f32>> {
        let (documents, words) = (self.counts.len(), self.words);
        let mut numbers: Vec<f32> = Vec::new();
        let length = documents.checked_mul(words).filter(|&length| length as u64 <= MAX_BYTES / 4);
        let length = length.filter(|&length| numbers.try_reserve_exact(length).is_ok()).ok_or_else(|| {
            Error::Counts(format!(
                "{documents} documents of {words} words are too many for a matrix, which has {MAX_BYTES} bytes at most \
                 and must fit the memory; keep only the most frequent words"
            ))
        })?;
        numbers.resize(length, 0.0);
        for (row, document) in self.counts.iter().enumerate() {
            for &(word, count) in document {
                if word as usize >= words {
                    return Err(Error::Counts(format!("document {row}: word {word} is none of {words} words")));
                }
                numbers[row * words + word as usize] = count as f32;
            }
        }
        Ok(numbers)
    }
}
