//! Files that other tools wrote, against what is in them: `tests/data` at the root of the repository says how each was made.

use std::path::{Path, PathBuf};

use serde_json::Value;
use strait_data::{ByteValues, Data, Format, Options, open, survey};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data")
}

/// Files of which strait has other thoughts than their descriptions.
const OTHERWISE: [(&str, &str); 6] = [
    ("pandas-named-index.csv", "an index that has a name is a column"),
    ("old.csv.lzma", "a format that xz replaced in 2009; refused"),
    ("duckdb-v2-far-integers.parquet", "the crate parquet refuses differences of more than 32 bits, as pyarrow does"),
    ("pyarrow-nested-list.parquet", "lists of lists are refused"),
    ("p.tiff", "the crate tiff refuses palettes"),
    ("combined_data_1.txt", "the Netflix prize's form is refused"),
];

/// All files that have a description beside them.
fn described() -> Vec<(PathBuf, Value)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is part of the repository") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = format!("{}.json", path.display());
            if let Ok(text) = std::fs::read_to_string(name) {
                found.push((path, serde_json::from_str(&text).expect("a description is JSON")));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// A number as the descriptions write it.
fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().expect("inf or -inf"),
        value => value.as_f64().unwrap_or(f64::NAN),
    }
}

fn same(found: f64, wanted: f64, tolerance: f64) -> bool {
    found == wanted || (found.is_nan() && wanted.is_nan()) || (found - wanted).abs() <= tolerance
}

/// Compares rows as they are in the file.
fn rows(data: &Data, wanted: &Value) -> Result<(), String> {
    let values = wanted["values"].as_array().ok_or("no values")?;
    let width = wanted["columns"].as_u64().ok_or("no columns")? as usize;
    if let (Some(height), Some(across)) = (wanted["height"].as_u64(), wanted["width"].as_u64()) {
        // A picture is a row.
        if data.shape != [height as usize, across as usize] || data.count() != 1 {
            return Err(format!("{data:?} of the shape {:?}", data.shape));
        }
    } else if [data.count(), data.width()] != [values.len(), width] {
        return Err(format!("{data:?}, but expected {} x {width}", values.len()));
    }
    // Pixels of 16 bits are rounded to single precision.
    let least = if wanted.get("mode").is_some() { 1e-7 } else { 1e-15 };
    let tolerance = wanted["tolerance"].as_f64().unwrap_or(0.0).max(least);
    let found = data.head(values.len()).map_err(|error| error.to_string())?;
    for (r, row) in values.iter().enumerate() {
        for (c, value) in row.as_array().ok_or("no row")?.iter().enumerate() {
            let (found, wanted) = (found[r * width + c], number(value));
            if !same(found, wanted, tolerance) {
                return Err(format!("row {r}, column {c}: {found}, but expected {wanted}"));
            }
        }
    }
    if let (Some(names), Some(found)) = (wanted["names"].as_array(), &data.names) {
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        if names != *found {
            return Err(format!("names {found:?}, but expected {names:?}"));
        }
    } else if wanted["names"].is_array() {
        return Err(format!("no names, but expected {}", wanted["names"]));
    }
    Ok(())
}

fn ratings(path: &Path, wanted: &Value) -> Result<(), String> {
    let mut options = Options { format: Some(Format::Ratings), ..Options::default() };
    if wanted.get("repeated").is_some() {
        let refused = survey(path, &options).err().ok_or("a repeated rating is not refused")?.to_string();
        if !refused.contains("line 5") || !refused.contains("line 3") {
            return Err(refused);
        }
        return Ok(());
    }
    options.max_bytes = 1 << 20;
    let data = survey(path, &options).map_err(|error| error.to_string())?;
    let found = data.ratings().ok_or("no ratings")?;
    let sizes = [found.users, found.items].map(|size| size as u64);
    if Some(sizes[0]) != wanted["users"].as_u64() || Some(sizes[1]) != wanted["items"].as_u64() {
        return Err(format!("users and items {sizes:?}, but expected {} and {}", wanted["users"], wanted["items"]));
    }
    let all: Vec<Value> = found
        .entries
        .iter()
        .map(|entry| {
            let (user, item) = (&found.user_names[entry.user as usize], &found.item_names[entry.item as usize]);
            serde_json::json!([user, item, found.value(entry)])
        })
        .collect();
    if Value::Array(all.clone()) == wanted["ratings"] { Ok(()) } else { Err(format!("{all:?}")) }
}

/// Arrays of a file that has several: each by its name.
fn arrays(path: &Path, wanted: &serde_json::Map<String, Value>) -> Result<(), String> {
    for (name, array) in wanted {
        let options = Options { array: Some(name.clone()), bytes: ByteValues::Numbers, ..Options::default() };
        let data = survey(path, &options).map_err(|error| format!("{name}: {error}"))?;
        let found = data.head(data.count()).map_err(|error| error.to_string())?;
        let mut values = Vec::new();
        let mut stack = vec![&array["values"]];
        while let Some(value) = stack.pop() {
            match value.as_array() {
                Some(inner) => stack.extend(inner.iter().rev()),
                None => values.push(number(value)),
            }
        }
        let equal = found.len() == values.len() && found.iter().zip(&values).all(|(a, b)| same(*a, *b, 1e-15));
        if !equal {
            return Err(format!("{name}: {found:?}, but expected {values:?}"));
        }
    }
    Ok(())
}

fn compare(path: &Path, wanted: &Value) -> Result<(), String> {
    let kind = path.strip_prefix(folder()).expect("it is in the folder").components().next().expect("a kind");
    let kind = kind.as_os_str().to_string_lossy().into_owned();
    if OTHERWISE.iter().any(|(name, _)| path.ends_with(name)) {
        return Ok(());
    }
    if wanted["refused"] == true {
        let opened = open(path, &Options::default());
        return match opened.and_then(|data| data.rows().map(|_| ()).map(|()| data)) {
            Ok(data) => Err(format!("{data:?}, but expected an error: {}", wanted["why"])),
            Err(_) => Ok(()),
        };
    }
    if wanted.get("ratings").is_some() {
        return ratings(path, wanted);
    }
    if let Some(variables) = wanted.get("variables").or(wanted.get("arrays")).and_then(Value::as_object)
        && wanted.get("values").is_none()
    {
        return arrays(path, variables);
    }
    let bytes = if kind == "pictures" { ByteValues::Pixels } else { ByteValues::Numbers };
    let data = survey(path, &Options { bytes, ..Options::default() }).map_err(|error| error.to_string())?;
    rows(&data, wanted)?;
    if let (Some(wanted), Some(found)) = (wanted["labels"].as_array(), &data.labels) {
        let wanted: Vec<String> = wanted
            .iter()
            .map(|label| match label {
                Value::String(text) => text.clone(),
                Value::Array(labels) => labels.iter().map(Value::to_string).collect::<Vec<_>>().join(","),
                other => other.to_string(),
            })
            .collect();
        let found: Vec<&String> = found.classes.iter().map(|&class| &found.names[class as usize]).collect();
        let equal = found.len() == wanted.len()
            && found
                .iter()
                .zip(&wanted)
                .all(|(a, b)| *a == b || (a.parse::<f64>() == b.parse::<f64>() && a.parse::<f64>().is_ok()));
        if !equal {
            return Err(format!("labels {found:?}, but expected {wanted:?}"));
        }
    }
    Ok(())
}

#[test]
fn files_of_other_tools_are_read_right_or_refused() {
    let files = described();
    assert!(files.len() > 300, "{} files", files.len());
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|(path, wanted)| compare(path, wanted).err().map(|error| format!("{}: {error}", path.display())))
        .collect();
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}
