//! A data set from a file: rows, what they are called, and their classes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};

use crate::element::Element;
use crate::formats::bags::Bags;
use crate::formats::raw::{Raw, Text};
use crate::kept::{Keeper, Kept};
use crate::open::Entry;
use crate::packing::Packing;
use crate::source::{Source, is_missing};
use crate::sparse::Sparse;
use crate::summary::Summary;
use crate::view::{Column, Columns, Filled, Picked};
use crate::{Categories, Documents, Error, Format, Labels, Missing, Options, Ratings, Result, Rows, Values, WordBase};

/// The most numbers of a row: sparse files may name any column.
const MAX_WIDTH: usize = 1 << 24;

/// Numbers in a window of rows that are read at a time.
const WINDOW: usize = 1 << 20;

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
    element: Option<Element>,
    types: Vec<&'static str>,
    texts: BTreeMap<usize, Text>,
    count: usize,
    source: Arc<dyn Source>,
    sparse: Option<Arc<Sparse>>,
    ratings: Option<Ratings>,
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
            element: None,
            types: Vec::new(),
            texts: BTreeMap::new(),
            count,
            source,
            sparse: None,
            ratings: None,
            kept: OnceLock::new(),
        }
    }

    /// A table as its reader found it, with the columns that the options choose.
    pub(crate) fn table(path: &Path, format: Format, raw: Raw, options: &Options) -> Result<Self> {
        let wrong = |message: String| Error::format(path, message);
        let unknown = |name: &String| {
            let names = raw.names.as_ref().map_or(format!("0 to {}", raw.width() - 1), |names| names.join(", "));
            wrong(format!("it has no column `{name}`; its columns are {names:.300}"))
        };
        let mut labels = raw.labels.clone();
        let mut chosen: Vec<usize> = match &options.columns {
            None => (0..raw.width()).filter(|column| !raw.left_out.contains(column)).collect(),
            Some(names) => {
                names.iter().map(|name| raw.column(name).ok_or_else(|| unknown(name))).collect::<Result<_>>()?
            }
        };
        if let Some(name) = &options.labels {
            let column = raw.column(name).ok_or_else(|| unknown(name))?;
            labels = Some(match raw.texts.get(&column) {
                Some(Text { labels: Some(labels), .. }) => labels.clone(),
                Some(text) => return Err(wrong(format!("column `{name}`: {} is no label", text.sample))),
                None => numbered(path, &raw, name, column)?,
            });
            chosen.retain(|&other| other != column);
        }
        if options.categories == Categories::Ignore {
            chosen.retain(|column| !raw.texts.contains_key(column));
        }
        let (mut columns, mut names, mut types, mut texts) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        let mut raw = raw;
        for column in chosen {
            let name = raw.names.as_ref().map_or(column.to_string(), |names| names[column].clone());
            match raw.texts.remove(&column) {
                Some(Text { labels: Some(classes), .. }) if options.categories == Categories::OneHot => {
                    let classes = Arc::new(classes);
                    for (class, category) in classes.names.iter().enumerate() {
                        columns.push(Column::Class(classes.clone(), class as u32));
                        names.push(format!("{name}={category}"));
                        types.push("bool");
                    }
                    continue;
                }
                Some(text) => {
                    texts.insert(columns.len(), text);
                    types.push("text");
                }
                None => types.push(match raw.types.get(column) {
                    Some(kind) => kind,
                    None if raw.booleans.contains(&column) => "bool",
                    None => raw.element.map_or("number", Element::name),
                }),
            }
            columns.push(Column::Number(column));
            names.push(name);
        }
        if columns.is_empty() {
            return Err(wrong("no column is left".to_owned()));
        }
        let width = raw.width();
        let all = columns.len() == width
            && columns.iter().enumerate().all(|(i, column)| matches!(column, Column::Number(j) if *j == i));
        let named = raw.names.is_some() || columns.iter().any(|column| matches!(column, Column::Class(..)));
        let shape = if all { raw.shape.clone() } else { vec![columns.len()] };
        let source = if all { raw.source } else { Arc::new(Columns { source: raw.source, width, columns }) };
        let mut data = Self::new(path, format, source, raw.rows, shape);
        data.names = named.then_some(names);
        (data.labels, data.notes, data.texts, data.element) = (labels, raw.notes, texts, raw.element);
        if data.element.is_none() || !all {
            data.types = types;
        }
        Ok(data)
    }

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

    /// Counts of words in documents.
    ///
    /// # Errors
    /// If the file is no sparse matrix, or holds a value that is no count.
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
                    wrong(format!("document {row}: word {place} occurs {value} times, which is no count"))
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
            self.source = matrix.clone();
            self.sparse = Some(matrix);
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

    /// Whether training can take the columns.
    pub(crate) fn usable(&self) -> Result<()> {
        if let Some(message) = &self.refusal {
            return Err(Error::format(&self.path, message.clone()));
        }
        match self.texts.iter().next() {
            Some((&column, text)) => Err(Error::format(&self.path, self.refused_text(column, text))),
            None => Ok(()),
        }
    }

    fn refused_text(&self, column: usize, text: &Text) -> String {
        format!(
            "row {}, column {}: `{:.60}` is no number; name the column as --labels, leave it out or make its categories \
             columns by --categories",
            text.row,
            self.column_name(column),
            text.sample
        )
    }

    /// All that training would refuse, in the order of the columns; and what it takes, but a user should know.
    ///
    /// # Errors
    /// If the file cannot be read to its end.
    pub fn check(&self) -> Result<Check> {
        let mut check = Check::default();
        check.refused.extend(self.refusal.clone());
        check.refused.extend(self.texts.iter().map(|(&column, text)| self.refused_text(column, text)));
        if !self.is_dense() {
            return Ok(check);
        }
        let summary = self.summary()?;
        let kinds = [
            (summary.missing, "missing"),
            (summary.nan, "NaN"),
            (summary.infinite, "infinite"),
            (summary.too_large, "too large for single precision"),
        ];
        for (found, what) in kinds {
            if self.fills && what != "infinite" && what != "too large for single precision" {
                continue;
            }
            if let Some([row, column]) = found.first {
                check.refused.push(format!(
                    "{} values are {what}, the first in row {row}, column {}{}",
                    found.count,
                    self.column_name(column),
                    if ["missing", "NaN"].contains(&what) { "; --missing mean fills such gaps" } else { "" }
                ));
            }
        }
        let empty = (0..self.width()).find(|&column| summary.columns[column].finite == 0 && !self.is_text(column));
        if let Some(column) = empty.filter(|_| self.fills) {
            let name = self.column_name(column);
            check.refused.push(format!("column {name} has no value, and so no mean to fill its gaps"));
        }
        check.warnings = self.warnings_of(&summary);
        Ok(check)
    }

    /// What a user should know of the values: columns that are constant, and columns whose differences single precision loses.
    ///
    /// # Errors
    /// If the file cannot be read to its end.
    pub fn warnings(&self) -> Result<Vec<String>> {
        // Single precision loses nothing of what was single before.
        if self.source.is_single() || !self.is_dense() {
            return Ok(Vec::new());
        }
        Ok(self.warnings_of(&self.summary()?))
    }

    fn warnings_of(&self, summary: &Summary) -> Vec<String> {
        let listed = |columns: &[usize]| {
            let names: Vec<String> = columns.iter().take(5).map(|&column| self.column_name(column)).collect();
            format!("{}{}", names.join(", "), if columns.len() > names.len() { ", ..." } else { "" })
        };
        let mut warnings = Vec::new();
        let constant = summary.constant();
        if !constant.is_empty() && self.count > 1 {
            warnings.push(format!("{} columns never change: {}", constant.len(), listed(&constant)));
        }
        let coarse = summary.coarse();
        if let Some(&first) = coarse.first() {
            let column = &summary.columns[first];
            warnings.push(format!(
                "single precision is too coarse for {} columns: {}; numbers near {:e} lie {} apart, but the values deviate by \
                 {:.4} only; scale the data by --scale standard, which subtracts the mean in double precision",
                coarse.len(),
                listed(&coarse),
                column.maximum,
                column.spacing(),
                column.deviation()
            ));
        }
        warnings
    }

    /// What the columns hold, from one pass over all rows.
    ///
    /// # Errors
    /// If the file cannot be read to its end.
    pub fn summary(&self) -> Result<Summary> {
        Summary::of(self)
    }

    /// Fills gaps as the options say.
    pub(crate) fn completed(self, options: &Options) -> Result<Self> {
        if options.missing == Missing::Refuse
            || self.ratings.is_some()
            || self.source.direct().is_some_and(|values| matches!(values, Values::Bytes(_)))
        {
            return Ok(self);
        }
        let summary = self.summary()?;
        if summary.missing.count + summary.nan.count == 0 {
            return Ok(self);
        }
        if let Some(empty) = summary.columns.iter().position(|column| column.finite == 0) {
            let message = format!("column {} has no value, and so no mean to fill its gaps", self.column_name(empty));
            return Err(Error::format(&self.path, message));
        }
        let means = summary.columns.iter().map(|column| column.mean).collect();
        let mut data = self;
        data.notes.push(format!(
            "{} missing values are filled with the means of their columns",
            summary.missing.count + summary.nan.count
        ));
        data.source = Arc::new(Filled { source: data.source, means });
        Ok(data)
    }

    /// Whether rows of the other data can stand beside these: as many columns, of the same names.
    pub(crate) fn fits(&self, other: &Self, path: &Path) -> Result<()> {
        if self.width() != other.width() {
            let message = format!("it has {} columns, but {} has {}", other.width(), self.path.display(), self.width());
            return Err(Error::format(path, message));
        }
        if let (Some(ours), Some(theirs)) = (&self.names, &other.names)
            && let Some(column) = (0..ours.len()).find(|&column| ours[column] != theirs[column])
        {
            let message = format!(
                "its column {column} is named `{}`, but that of {} `{}`",
                theirs[column],
                self.path.display(),
                ours[column]
            );
            return Err(Error::format(path, message));
        }
        Ok(())
    }

    /// The same rows, each changed by `view`.
    pub(crate) fn through(&self, source: impl Source + 'static) -> Self {
        let mut data = Self::new(&self.path, self.format, Arc::new(source), self.count, self.shape.clone());
        (data.names, data.labels) = (self.names.clone(), self.labels.clone());
        data.element = Some(Element::F64);
        data
    }

    pub(crate) fn source(&self) -> Arc<dyn Source> {
        self.source.clone()
    }

    /// These rows alone, which ascend.
    pub(crate) fn picked(&self, rows: Vec<u32>) -> Self {
        let labels = self.labels.as_ref().map(|labels| labels.select(&rows));
        let source = Picked { source: self.source.clone(), width: self.width(), rows: rows.into() };
        let count = source.rows.len();
        let mut data = Self::new(&self.path, self.format, Arc::new(source), count, self.shape.clone());
        (data.names, data.types, data.element, data.labels) =
            (self.names.clone(), self.types.clone(), self.element, labels);
        data
    }

    /// The place of a value that training cannot take, in words.
    fn not_finite(&self, row: usize, column: usize, value: f64) -> Error {
        let what = match value {
            x if is_missing(x) => "the value is missing; --missing mean fills such gaps".to_owned(),
            x if x.is_nan() => "the value is NaN; --missing mean fills such gaps".to_owned(),
            x if x.is_infinite() => format!("the value is {x}"),
            x => format!("{x} is too large for single precision"),
        };
        Error::format(&self.path, format!("row {row}, column {}: {what}", self.column_name(column)))
    }

    /// Reads whole rows in single precision; all are finite.
    pub(crate) fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let width = self.width();
        let finite = |x: &[f32]| x.iter().fold(true, |finite, x| finite & x.is_finite());
        if self.source.is_single() {
            self.source.read_single(first, out)?;
            if finite(out) {
                return Ok(());
            }
        }
        let mut wide = vec![0.0; out.len()];
        self.source.read(first, &mut wide)?;
        out.iter_mut().zip(&wide).for_each(|(out, x)| *out = *x as f32);
        match out.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(self.not_finite(first + i / width, i % width, wide[i])),
            None => Ok(()),
        }
    }

    /// Calls `each` with the first row and the numbers of each window, in double precision and as they are, until it breaks.
    pub(crate) fn scan<E: From<Error>>(
        &self,
        mut each: impl FnMut(usize, &[f64]) -> std::result::Result<ControlFlow<()>, E>,
    ) -> std::result::Result<(), E> {
        let width = self.width();
        let rows = (WINDOW / width).clamp(1, self.count.max(1));
        let mut buffer = vec![0.0; rows * width];
        for first in (0..self.count).step_by(rows) {
            let window = &mut buffer[..rows.min(self.count - first) * width];
            self.source.read(first, window)?;
            if each(first, window)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first rows, at most `rows` of them, in double precision and as they are: what is missing, and what is text, is NaN.
    ///
    /// # Errors
    /// If the file cannot be read so far.
    pub fn head(&self, rows: usize) -> Result<Vec<f64>> {
        let mut out = vec![0.0; rows.min(self.count) * self.width()];
        if !out.is_empty() && self.ratings.is_none() {
            self.source.read(0, &mut out)?;
        }
        Ok(out)
    }

    /// Calls `each` with the number of the first row and the rows of each window of at most `rows` rows, in their order. While it works
    /// on one window, the next is read. No more than that is in memory.
    ///
    /// # Errors
    /// If the file cannot be read, a value is not finite, or `each` fails.
    pub fn windows<E: From<Error>>(
        &self,
        rows: usize,
        mut each: impl FnMut(usize, Rows<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (width, rows) = (self.width(), rows.clamp(1, self.count.max(1)));
        let firsts = (0..self.count).step_by(rows);
        if let Some(values) = self.source.direct() {
            let all = Rows { count: self.count, width, values };
            for first in firsts {
                let window = all.range(first..(first + rows).min(self.count));
                self.finite(first, window)?;
                each(first, window)?;
            }
            return Ok(());
        }
        std::thread::scope(|scope| {
            let (full, filled) = sync_channel::<Result<Vec<f32>>>(1);
            let (back, empty) = sync_channel::<Vec<f32>>(2);
            let reading = firsts.clone();
            scope.spawn(move || {
                for first in reading {
                    let mut buffer = empty.try_recv().unwrap_or_default();
                    buffer.resize(rows.min(self.count - first) * width, 0.0);
                    let read = self.read(first, &mut buffer).map(|()| buffer);
                    let failed = read.is_err();
                    // Nobody listens where `each` has failed.
                    if full.send(read).is_err() || failed {
                        break;
                    }
                }
            });
            for first in firsts {
                let Ok(window) = filled.recv() else { break };
                let window = window?;
                each(first, Rows { count: window.len() / width, width, values: Values::Numbers(&window) })?;
                let _ = back.try_send(window);
            }
            Ok(())
        })
    }

    fn finite(&self, first: usize, rows: Rows<'_>) -> Result<()> {
        let Values::Numbers(numbers) = rows.values else { return Ok(()) };
        if numbers.iter().fold(true, |finite, x| finite & x.is_finite()) {
            return Ok(());
        }
        match numbers.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(self.not_finite(first + i / rows.width, i % rows.width, f64::from(numbers[i]))),
            None => Ok(()),
        }
    }

    /// All rows, as training takes them. Where they lie in a mapped file as single precision or bytes, they are taken from there;
    /// else they are converted once, in memory or, if they are many, in a temporary file.
    ///
    /// # Errors
    /// If the file cannot be read, or a value is not finite.
    pub fn rows(&self) -> Result<Rows<'_>> {
        self.usable()?;
        if self.ratings.is_some() {
            return Err(Error::format(&self.path, "it holds ratings, which are no rows of numbers"));
        }
        let (count, width) = (self.count, self.width());
        if let Some(values) = self.source.direct() {
            let rows = Rows { count, width, values };
            if self.kept.get().is_none() {
                self.finite(0, rows)?;
                let _ = self.kept.set(None);
            }
            return Ok(rows);
        }
        if self.kept.get().is_none() {
            let mut keeper = Keeper::default();
            let room = |cause: std::io::Error| Error::format(&self.path, format!("its rows cannot be kept ({cause})"));
            self.windows((WINDOW / width).max(1), |_, rows| match rows.values {
                Values::Numbers(numbers) => keeper.push(numbers).map_err(room),
                Values::Bytes(_) => Ok(()),
            })?;
            let _ = self.kept.set(Some(keeper.finish(width).map_err(room)?));
        }
        let numbers = self.kept.get().and_then(Option::as_ref).map_or(&[][..], Kept::numbers);
        Ok(Rows { count, width, values: Values::Numbers(numbers) })
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

/// What training would refuse of a file, and what it takes but a user should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// What would be refused.
    pub refused: Vec<String>,
    /// What a user should know.
    pub warnings: Vec<String>,
}

/// The labels of a column of whole numbers.
fn numbered(path: &Path, raw: &Raw, name: &str, column: usize) -> Result<Labels> {
    let width = raw.width();
    let window = (WINDOW / width).clamp(1, raw.rows);
    let (mut buffer, mut values) = (vec![0.0; window * width], Vec::with_capacity(raw.rows));
    for first in (0..raw.rows).step_by(window) {
        let rows = &mut buffer[..window.min(raw.rows - first) * width];
        raw.source.read(first, rows)?;
        values.extend(rows.chunks_exact(width).map(|row| row[column]));
    }
    Labels::numbered(&values).map_err(|error| Error::format(path, format!("column `{name}`: {error}")))
}

/// The words of a bag of words, where they lie beside it as gensim (`FILE.vocab`) and UCI (`vocab.X.txt` for `docword.X.txt`) put them.
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
