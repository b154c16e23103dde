//! A data set from a file: rows, what they are called, and their classes.

mod bags;
mod check;
mod matched;
mod read;
mod table;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::element::Element;
use crate::formats::raw::Text;
use crate::kept::IN_MEMORY;
use crate::kept::Kept;
use crate::open::Entry;
use crate::packing::Packing;
use crate::source::Source;
use crate::sparse::Sparse;
use crate::summary::Summary;
use crate::{Cut, Error, Format, Labels, Ratings, Result, Values, WordBase};

pub use check::Check;
pub(crate) use check::FILLS;

/// The most numbers of a row: sparse files may name any column.
const MAX_WIDTH: usize = 1 << 24;

/// A data set: rows from a file, read when they are asked for.
pub struct Data {
    path: PathBuf,
    /// The file's format.
    pub format: Format,
    /// What the file was packed by.
    pub packing: Option<Packing>,
    /// The arrays, tensors or variables that the file holds, where it can hold several.
    pub entries: Vec<Entry>,
    /// The shape of a row: `[height, width]` of pictures.
    pub shape: Vec<usize>,
    /// The names of the columns, where they have some.
    pub names: Option<Vec<String>>,
    /// The classes of the rows, where the file has some or the options name them.
    pub labels: Option<Labels>,
    /// What a user should know of how the file was read.
    pub notes: Vec<String>,
    /// The test set, where the file or folder has one besides the training set.
    pub test: Option<Box<Data>>,
    /// How the columns of a sparse text are numbered, and whether the file is clear about it.
    pub(crate) word_base: Option<(WordBase, bool)>,
    /// Why training would not take the file.
    pub(crate) refusal: Option<String>,
    /// Whether the options fill gaps.
    pub(crate) fills: bool,
    /// What gaps were filled with, column by column.
    pub(crate) fill: Option<Arc<[f64]>>,
    pub(crate) element: Option<Element>,
    pub(crate) types: Vec<&'static str>,
    texts: BTreeMap<usize, Text>,
    count: usize,
    source: Arc<dyn Source>,
    sparse: Option<Arc<Sparse>>,
    ratings: Option<Ratings>,
    /// How the rows were cut from a series.
    pub(crate) series: Option<Cut>,
    /// What the columns hold, once it was asked for.
    summary: OnceLock<Summary>,
    /// The rows as training takes them, once they were asked for; nothing where they lie in the file as such.
    kept: OnceLock<Option<Kept>>,
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} from {}", self.count, self.width(), self.path.display())
    }
}

impl Data {
    fn new(path: &Path, format: Format, source: Arc<dyn Source>, count: usize, shape: Vec<usize>) -> Self {
        Self {
            path: path.to_owned(),
            format,
            packing: None,
            entries: Vec::new(),
            shape,
            names: None,
            labels: None,
            notes: Vec::new(),
            test: None,
            word_base: None,
            refusal: None,
            fills: false,
            fill: None,
            element: None,
            types: Vec::new(),
            texts: BTreeMap::new(),
            count,
            source,
            sparse: None,
            ratings: None,
            series: None,
            summary: OnceLock::new(),
            kept: OnceLock::new(),
        }
    }

    pub(crate) fn rated(path: &Path, ratings: Ratings) -> Self {
        let mut data = Self::new(path, Format::Ratings, Arc::new(()), ratings.users, vec![ratings.items]);
        data.refusal = ratings.check().err();
        data.ratings = Some(ratings);
        data
    }

    /// A file of several arrays of which none is chosen.
    pub(crate) fn undecided(path: &Path, format: Format, entries: Vec<Entry>, error: Error) -> Self {
        let mut data = Self::new(path, format, Arc::new(()), 0, vec![0]);
        data.refusal = Some(match error {
            Error::Format { message, .. } => message,
            other => other.to_string(),
        });
        data.entries = entries;
        data
    }

    pub(crate) fn with_entries(mut self, entries: Vec<Entry>) -> Self {
        self.entries = entries;
        self
    }

    /// What the columns hold, from one pass over all rows, however often it is asked for.
    ///
    /// # Errors
    /// If the file cannot be read to its end.
    pub fn summary(&self) -> Result<Summary> {
        if let Some(summary) = self.summary.get() {
            return Ok(summary.clone());
        }
        let summary = Summary::of(self)?;
        Ok(self.summary.get_or_init(|| summary).clone())
    }

    /// Takes the rows from elsewhere; what was known of the earlier ones is forgotten.
    pub(crate) fn set_source(&mut self, source: Arc<dyn Source>) {
        (self.source, self.summary, self.kept) = (source, OnceLock::new(), OnceLock::new());
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of rows; of ratings, of users.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Numbers in a row; of ratings, items.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has rows of numbers, no more in a row than can be laid out one behind the other.
    pub fn is_dense(&self) -> bool {
        self.count > 0 && self.ratings.is_none() && (1..=MAX_WIDTH).contains(&self.width())
    }

    /// The type of a column: NumPy's name, `number` of a column of text that holds numbers, or `text`.
    pub fn type_of(&self, column: usize) -> &'static str {
        self.types.get(column).copied().unwrap_or(self.element.map_or("number", Element::name))
    }

    /// Whether the columns have one type.
    pub fn is_uniform(&self) -> bool {
        self.types.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Whether unsigned bytes stand for `byte / 255`, as pixels do.
    pub fn is_pixels(&self) -> bool {
        matches!(self.source.direct(), Some(Values::Bytes(_)))
    }

    /// Whether the rows lie in a file or in memory as training takes them, so that they need no room of their own.
    pub fn is_mapped(&self) -> bool {
        self.source.direct().is_some()
    }

    /// The memory that `rows` rows take in training, in bytes: 0 where they are mapped from a file, or from a temporary one since there are many.
    pub fn held_bytes(&self, rows: usize) -> usize {
        let each = self.source.half().map_or(4, |_| 2);
        let bytes = rows.saturating_mul(self.width()).saturating_mul(each);
        if self.is_mapped() || bytes > IN_MEMORY { 0 } else { bytes }
    }

    /// Whether a column is text.
    pub fn is_text(&self, column: usize) -> bool {
        self.texts.contains_key(&column)
    }

    /// What a column is called in a message: its name in quotes, or its number from 0.
    pub fn column_name(&self, column: usize) -> String {
        match &self.names {
            Some(names) if !names[column].is_empty() => format!("`{}`", names[column]),
            _ => column.to_string(),
        }
    }

    /// How the words of a sparse text are numbered.
    pub fn word_base(&self) -> Option<WordBase> {
        self.word_base.map(|(base, _)| base)
    }

    /// The entries of a sparse matrix.
    pub fn sparse(&self) -> Option<&Sparse> {
        self.sparse.as_deref()
    }

    /// Ratings of items by users.
    pub fn ratings(&self) -> Option<&Ratings> {
        self.ratings.as_ref()
    }

    /// As many rows of the same columns that another source gives.
    pub(crate) fn derived(&self, source: Arc<dyn Source>, count: usize) -> Self {
        let mut data = Self::new(&self.path, self.format, source, count, self.shape.clone());
        (data.names, data.labels) = (self.names.clone(), self.labels.clone());
        (data.types, data.element, data.fill) = (self.types.clone(), self.element, self.fill.clone());
        data.series = self.series;
        data
    }

    pub(crate) fn source(&self) -> Arc<dyn Source> {
        self.source.clone()
    }

    /// Height and width of a picture, where rows are pictures; of any other row, the sides of a square if it is one.
    pub fn picture_shape(&self) -> Option<[usize; 2]> {
        let side = self.width().isqrt();
        match self.shape[..] {
            [height, width] => Some([height, width]),
            _ => (side * side == self.width()).then_some([side, side]),
        }
    }

    /// The file's name without its folder.
    pub fn name(&self) -> Cow<'_, str> {
        self.path.file_name().map_or_else(|| self.path.to_string_lossy(), |name| name.to_string_lossy())
    }
}
