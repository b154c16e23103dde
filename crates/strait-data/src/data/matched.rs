//! The columns of a file as a model knows them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::Data;
use crate::open::cut;
use crate::series::names_of_steps;
use crate::view::{Column, Columns, Filled};
use crate::{Error, Options, Preparation, Result, survey};

/// How many columns a message names.
const NAMED: usize = 8;

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    format!("{}{}", shown.join(", "), if names.len() > NAMED { ", ..." } else { "" })
}

impl Data {
    /// Opens a file whose rows are to be given to a model that was trained on rows with this preparation. Columns are found by their
    /// names, where both have some, in whatever order they stand; those that the model does not know are left out, which a note tells.
    /// A category that the file does not hold is a column of zeros. Gaps are filled as in training.
    ///
    /// ```
    /// use strait_data::{Data, Options, Preparation, Scale};
    /// let path = std::env::temp_dir().join(format!("strait-for-model-{}.csv", std::process::id()));
    /// std::fs::write(&path, "id,y,x\n7,2,1\n8,4,3\n")?;
    /// let columns = Some(vec!["x".to_owned(), "y".to_owned()]);
    /// let preparation = Preparation { columns, ..Preparation::none() };
    /// let data = Data::open_for(&path, &Options::default(), 2, Some(&preparation))?;
    /// assert_eq!(data.rows()?.to_numbers(), [1.0, 2.0, 3.0, 4.0]);
    /// assert!(data.notes[0].contains("`id`"));
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](crate::open), and if a column of the model is missing or the rows have another width.
    pub fn open_for(
        path: impl AsRef<Path>,
        options: &Options,
        width: usize,
        preparation: Option<&Preparation>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let known = preparation.and_then(|preparation| preparation.columns.as_deref());
        let steps = known.filter(|_| options.window.is_some()).map(names_of_steps);
        let data = survey(path, options)?;
        let mut data = match (steps.as_deref().or(known), &data.names) {
            (Some(known), Some(_)) => data.with_columns(known)?,
            _ => data,
        };
        data.usable()?;
        data = cut(data, options)?;
        if data.width() != width {
            let message = format!("its rows have {} columns, but the model's {width}", data.width());
            return Err(Error::format(path, message));
        }
        match preparation.and_then(|preparation| preparation.fill.clone()) {
            Some(means) => data.set_source(Arc::new(Filled { source: data.source(), means })),
            None => data = data.completed(options)?,
        }
        Ok(data)
    }

    /// The same columns in the order of another file's, where both have the same names.
    pub(crate) fn in_order_of(self, other: &Self) -> Result<Self> {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        match (&self.names, &other.names) {
            (Some(names), Some(known)) if names != known && sorted(names) == sorted(known) => {
                let mut data = self.with_columns(known)?;
                data.notes.push(format!("its columns are put in the order of those of {}", other.path().display()));
                Ok(data)
            }
            _ => Ok(self),
        }
    }

    /// The columns of these names, in this order.
    fn with_columns(self, known: &[String]) -> Result<Self> {
        let Some(names) = &self.names else { return Ok(self) };
        if names == known {
            return Ok(self);
        }
        let places: HashMap<&str, usize> =
            names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        // A column of another category of the same text column.
        let of_text = |name: &str| {
            let Some((column, _)) = name.split_once('=') else { return false };
            names.iter().any(|other| other.split_once('=').is_some_and(|(other, _)| other == column))
        };
        let missing: Vec<&str> =
            known.iter().map(String::as_str).filter(|name| !places.contains_key(name) && !of_text(name)).collect();
        if !missing.is_empty() {
            let message = format!(
                "it lacks {} of the model's columns: {}; it has {}",
                missing.len(),
                listed(&missing),
                listed(&names.iter().map(String::as_str).collect::<Vec<_>>())
            );
            return Err(Error::format(self.path(), message));
        }
        let extra: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| !known.iter().any(|other| other == name)).collect();
        let place = |name: &String| places.get(name.as_str()).copied();
        let columns = known.iter().map(|name| place(name).map_or(Column::Zero, Column::Number)).collect();
        let mut texts = self.texts;
        let source = Columns { source: self.source.clone(), width: names.len(), columns };
        let types = known.iter().map(|name| place(name).and_then(|place| self.types.get(place).copied())).collect();
        let mut data = Self::new(&self.path, self.format, Arc::new(source), self.count, vec![known.len()]);
        (data.packing, data.labels, data.refusal, data.fills) = (self.packing, self.labels, self.refusal, self.fills);
        (data.element, data.notes) = (self.element, self.notes);
        data.types = Option::unwrap_or_default(types);
        data.texts = known
            .iter()
            .enumerate()
            .filter_map(|(new, name)| place(name).and_then(|old| texts.remove(&old)).map(|text| (new, text)))
            .collect();
        if !extra.is_empty() {
            let columns = if extra.len() == 1 { "column is" } else { "columns are" };
            data.notes.push(format!(
                "{} {columns} left out, which the model does not know: {}",
                extra.len(),
                listed(&extra)
            ));
        }
        data.names = Some(known.to_vec());
        Ok(data)
    }
}
