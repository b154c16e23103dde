//! `strait inspect`: what a data file or a model is.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use strait_data::{Data, DataArgs, Found, Labels, Summary, WordBase, survey};

use crate::inspect_model::{describe as describe_model, is_model};
use crate::inspect_units::describe as describe_units;
use crate::table::{number, table};

/// How many columns, entries and classes are listed.
const LISTED: usize = 20;

/// How many rows and columns of the data are shown.
const SHOWN: [usize; 2] = [5, 12];

/// Describes a data file, a model or a checkpoint.
#[derive(Args)]
pub(crate) struct Inspect {
    /// A data file, a folder of pictures or of MNIST's four files, - for the standard input, a model, a checkpoint, or the folder of a
    /// run
    file: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Say what training would refuse, and exit with 1 if there is something
    #[arg(long)]
    check: bool,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
    /// Of a dictionary: rows on which its units are measured
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Of a dictionary: how many of the rows that activate a unit most are listed
    #[arg(long, value_name = "N", default_value_t = 10, requires = "rows")]
    top: usize,
}

impl Inspect {
    /// Tells whether there was nothing to refuse.
    pub(crate) fn run(&self) -> Result<bool> {
        if let Some(rows) = &self.rows {
            if !is_model(&self.file) {
                bail!("{}: --rows is for dictionaries, but this is no model", self.file.display());
            }
            let text = describe_units(&self.file, rows, &self.data, self.top, self.json)?;
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            return Ok(true);
        }
        if is_model(&self.file) {
            let text = describe_model(&self.file, self.json)?;
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            return Ok(true);
        }
        let data = survey(&self.file, &self.data.options())?;
        let values = data.is_dense();
        let summary = if values { Some(data.summary()?) } else { None };
        let check = data.check()?;
        let text = if self.json {
            let mut value = describe_json(&data, summary.as_ref())?;
            value["warnings"] = json!(check.warnings);
            value["refused"] = json!(check.refused);
            format!("{value:#}\n")
        } else {
            let mut text = describe(&data, summary.as_ref())?;
            for warning in &check.warnings {
                writeln!(text, "warning: {warning}")?;
            }
            if self.check {
                for refused in &check.refused {
                    writeln!(text, "training would refuse it: {refused}")?;
                }
                if check.refused.is_empty() {
                    writeln!(text, "training can take it")?;
                }
            }
            text
        };
        // A reader that has seen enough closes the pipe.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
        Ok(!self.check || check.refused.is_empty())
    }
}

/// What a file is, as text.
fn describe(data: &Data, summary: Option<&Summary>) -> Result<String> {
    let mut text = format!("{}: {}", data.path().display(), data.format.name());
    if let Some(packing) = data.packing {
        write!(text, ", packed by {}", packing.name())?;
    }
    text.push('\n');
    if data.entries.len() > 1 || (data.count() == 0 && !data.entries.is_empty()) {
        writeln!(text, "it holds {}:", count(data.entries.len(), "array"))?;
        for entry in data.entries.iter().take(LISTED) {
            writeln!(text, "  {}", entry.describe())?;
        }
        more(&mut text, data.entries.len(), "arrays")?;
    }
    if let Some(ratings) = data.ratings() {
        writeln!(
            text,
            "{}, {}, {}",
            count(ratings.users, "user"),
            count(ratings.items, "item"),
            count(ratings.entries.len(), "rating")
        )?;
        let levels: Vec<String> = ratings.levels.iter().take(LISTED).map(|&level| number(level)).collect();
        let rest = if ratings.levels.len() > LISTED { ", ..." } else { "" };
        writeln!(text, "{}: {}{rest}", count(ratings.levels.len(), "different rating"), levels.join(", "))?;
        let mut rows = vec![["user", "item", "rating"].map(str::to_owned).to_vec()];
        for entry in ratings.entries.iter().take(SHOWN[0]) {
            let (user, item) = (&ratings.user_names[entry.user as usize], &ratings.item_names[entry.item as usize]);
            rows.push(vec![user.clone(), item.clone(), number(ratings.value(entry))]);
        }
        writeln!(text, "first ratings:\n{}", table(&rows).trim_end())?;
        return Ok(text);
    }
    let Some(summary) = summary else { return Ok(text) };
    match data.sparse() {
        Some(matrix) => {
            let stored = matrix.stored();
            let words = matches!(data.format.name(), "svmlight" | "lda-c" | "uci");
            let (rows, columns) = if words { ("document", "word") } else { ("row", "column") };
            let [rows, columns] = [count(matrix.rows(), rows), count(matrix.columns(), columns)];
            writeln!(text, "{rows}, {columns}, {stored} entries stored")?;
            if let Some(base) = data.word_base() {
                writeln!(text, "columns are numbered from {}", if base == WordBase::Zero { 0 } else { 1 })?;
            }
        }
        None => {
            let shape = data.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
            let inner = if data.shape.len() > 1 { format!(" ({shape} each)") } else { String::new() };
            writeln!(text, "{}, {}{inner}", count(data.count(), "row"), count(data.width(), "column"))?;
        }
    }
    let pixels = if data.is_pixels() { ", which stand for 0 to 1" } else { "" };
    if data.is_uniform() {
        writeln!(text, "type: {}{pixels}", data.type_of(0))?;
    }
    if let Some(labels) = &data.labels {
        text.push_str(&classes(labels)?);
    }
    if let Some(test) = &data.test {
        writeln!(text, "test set: {}", count(test.count(), "row"))?;
    }
    for note in &data.notes {
        writeln!(text, "note: {note}")?;
    }
    for (found, what) in [(summary.missing, "missing"), (summary.nan, "NaN"), (summary.infinite, "infinite")] {
        if let Found { count, first: Some([row, column]) } = found {
            writeln!(text, "{count} {what}, the first in row {row}, column {}", data.column_name(column))?;
        }
    }
    let finite = summary.columns.iter().filter(|column| column.finite > 0);
    let least = finite.clone().map(|column| column.minimum).fold(f64::INFINITY, f64::min);
    let most = finite.map(|column| column.maximum).fold(f64::NEG_INFINITY, f64::max);
    if least <= most {
        writeln!(text, "values from {} to {}", number(least), number(most))?;
    }
    text.push_str(&columns(data, summary)?);
    text.push_str(&first_rows(data)?);
    Ok(text)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn more(text: &mut String, all: usize, what: &str) -> Result<()> {
    if all > LISTED {
        writeln!(text, "  ... {} more {what}", all - LISTED)?;
    }
    Ok(())
}

/// The classes with their numbers of rows.
fn classes(labels: &Labels) -> Result<String> {
    let mut counts = vec![0usize; labels.names.len()];
    labels.classes.iter().for_each(|&class| counts[class as usize] += 1);
    let listed: Vec<String> =
        labels.names.iter().zip(&counts).take(LISTED).map(|(name, n)| format!("{name} ({n})")).collect();
    let rest = if counts.len() > LISTED { ", ..." } else { "" };
    let what = if counts.len() == 1 { "class" } else { "classes" };
    Ok(format!("labels: {} {what}: {}{rest}\n", counts.len(), listed.join(", ")))
}

/// The columns with their ranges.
fn columns(data: &Data, summary: &Summary) -> Result<String> {
    let header = ["column", "type", "minimum", "maximum", "mean", "deviation"].map(str::to_owned).to_vec();
    let mut rows = vec![header];
    for (i, column) in summary.columns.iter().enumerate().take(LISTED) {
        let name = data.names.as_ref().map_or(i.to_string(), |names| names[i].clone());
        let mut row = vec![name, data.type_of(i).to_owned()];
        if column.finite > 0 {
            row.extend([column.minimum, column.maximum, column.mean, column.deviation()].map(number));
        }
        rows.push(row);
    }
    let mut text = format!("columns:\n{}", table(&rows));
    more(&mut text, summary.columns.len(), "columns")?;
    Ok(text)
}

/// The first rows as a table.
fn first_rows(data: &Data) -> Result<String> {
    let values = data.head(SHOWN[0])?;
    let width = data.width().min(SHOWN[1]);
    let mut rows: Vec<Vec<String>> = Vec::new();
    if let Some(names) = &data.names {
        rows.push(names[..width].to_vec());
    }
    for row in values.chunks_exact(data.width()) {
        let cell = |(column, &x): (usize, &f64)| if data.is_text(column) { "text".to_owned() } else { number(x) };
        let mut cells: Vec<String> = row[..width].iter().enumerate().map(cell).collect();
        if width < data.width() {
            cells.push("...".to_owned());
        }
        rows.push(cells);
    }
    Ok(format!("first rows:\n{}", table(&rows)))
}

/// The same as a JSON object.
fn describe_json(data: &Data, summary: Option<&Summary>) -> Result<Value> {
    let place = |found: Found| {
        let first = found.first.map(|[row, column]| json!({"row": row, "column": column}));
        json!({"count": found.count, "first": first})
    };
    let entries: Vec<Value> = data
        .entries
        .iter()
        .map(|entry| json!({"name": entry.name, "type": entry.element.map(|e| e.name()), "shape": entry.shape}))
        .collect();
    let mut value = json!({
        "file": data.path().display().to_string(),
        "format": data.format.name(),
        "packing": data.packing.map(|packing| packing.name()),
        "rows": data.count(),
        "columns": data.width(),
        "shape": data.shape,
        "entries": entries,
        "notes": data.notes,
        "test_rows": data.test.as_ref().map(|test| test.count()),
    });
    if let Some(labels) = &data.labels {
        value["classes"] = json!(labels.names);
    }
    if let Some(matrix) = data.sparse() {
        value["stored"] = json!(matrix.stored());
        value["word_base"] = json!(data.word_base().map(|base| if base == WordBase::Zero { 0 } else { 1 }));
    }
    if let Some(ratings) = data.ratings() {
        value["users"] = json!(ratings.users);
        value["items"] = json!(ratings.items);
        value["ratings"] = json!(ratings.entries.len());
        value["levels"] = json!(ratings.levels);
    }
    if let Some(summary) = summary {
        value["missing"] = place(summary.missing);
        value["nan"] = place(summary.nan);
        value["infinite"] = place(summary.infinite);
        let column = |(i, column): (usize, &strait_data::ColumnSummary)| {
            let finite = |x: f64| (column.finite > 0).then_some(x);
            json!({
                "name": data.names.as_ref().map(|names| &names[i]),
                "type": data.type_of(i),
                "text": data.is_text(i),
                "minimum": finite(column.minimum),
                "maximum": finite(column.maximum),
                "mean": finite(column.mean),
                "deviation": finite(column.deviation()),
            })
        };
        value["column_summaries"] = summary.columns.iter().enumerate().map(column).collect();
        let head = data.head(SHOWN[0])?;
        let rows: Vec<Vec<Option<f64>>> = head
            .chunks_exact(data.width())
            .map(|row| row.iter().map(|x| x.is_finite().then_some(*x)).collect())
            .collect();
        value["first_rows"] = json!(rows);
    }
    Ok(value)
}
