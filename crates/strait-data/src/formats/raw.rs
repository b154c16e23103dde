//! A table as its reader found it, before the options say what of it is used.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::element::Element;
use crate::source::Source;
use crate::{Categories, Error, Labels, Options, Result};

/// A column that is text.
pub(crate) struct Text {
    /// The first row whose cell is not a number.
    pub(crate) row: usize,
    /// What it holds.
    pub(crate) sample: String,
    /// The classes of all rows, where the options ask for them.
    pub(crate) labels: Option<Labels>,
}

/// A table as it was found.
pub(crate) struct Raw {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) rows: usize,
    /// The shape of a row.
    pub(crate) shape: Vec<usize>,
    pub(crate) names: Option<Vec<String>>,
    /// The type of the numbers, where all have one.
    pub(crate) element: Option<Element>,
    /// The types of the columns, where they differ.
    pub(crate) types: Vec<&'static str>,
    pub(crate) booleans: Vec<usize>,
    pub(crate) texts: BTreeMap<usize, Text>,
    /// Columns of the source that are not columns of the data.
    pub(crate) left_out: BTreeSet<usize>,
    pub(crate) labels: Option<Labels>,
    pub(crate) notes: Vec<String>,
}

impl Raw {
    pub(crate) fn new(source: Arc<dyn Source>, rows: usize, shape: Vec<usize>) -> Self {
        Self {
            source,
            rows,
            shape,
            names: None,
            element: None,
            types: Vec::new(),
            booleans: Vec::new(),
            texts: BTreeMap::new(),
            left_out: BTreeSet::new(),
            labels: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// Names the columns. Names that come twice are an error, since columns are found by them.
    pub(crate) fn name(&mut self, path: &Path, names: Vec<String>) -> Result<()> {
        let mut seen = HashSet::new();
        if let Some(name) = names.iter().find(|name| !name.is_empty() && !seen.insert(*name)) {
            return Err(Error::format(path, format!("two columns are named `{name}`; rename one of them")));
        }
        self.names = Some(names);
        Ok(())
    }

    pub(crate) fn leave_out(&mut self, column: usize) {
        self.left_out.insert(column);
    }

    /// Reads the classes of the columns of text that the options want.
    pub(crate) fn read_labels(&mut self, options: &Options, read: impl Fn(usize) -> Result<Labels>) -> Result<()> {
        let mut texts = std::mem::take(&mut self.texts);
        for (&column, text) in texts.iter_mut().filter(|(column, _)| self.wants_text(**column, options)) {
            text.labels = Some(read(column)?);
        }
        self.texts = texts;
        Ok(())
    }

    /// Whether the options want the classes of a column that is text.
    fn wants_text(&self, column: usize, options: &Options) -> bool {
        options.categories == Categories::OneHot
            || options.labels.as_ref().is_some_and(|labels| self.column(labels) == Some(column))
    }

    /// The column of that name, or number from 0 where columns have no names.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        match &self.names {
            Some(names) => names.iter().position(|other| other == name),
            None => name.parse().ok().filter(|&column| column < self.width()),
        }
    }
}
