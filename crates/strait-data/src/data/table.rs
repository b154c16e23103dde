//! Tables as their readers found them, with the columns that the options choose.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Data;
use super::read::scan;
use crate::element::Element;
use crate::formats::raw::{Raw, Text};
use crate::view::{Column, Columns};
use crate::{Categories, Error, Format, Labels, Options, Result};

impl Data {
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
                Some(text) => return Err(wrong(format!("column `{name}`: {} is not a label", text.sample))),
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
}

/// The labels of a column of whole numbers.
fn numbered(path: &Path, raw: &Raw, name: &str, column: usize) -> Result<Labels> {
    let mut values = Vec::with_capacity(raw.rows);
    scan(&*raw.source, [raw.rows, raw.width()], |_, rows| {
        values.extend(rows.chunks_exact(raw.width()).map(|row| row[column]));
        Ok(())
    })?;
    Labels::numbered(&values).map_err(|error| Error::format(path, format!("column `{name}`: {error}")))
}
