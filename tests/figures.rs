//! Figures in documents are those of recorded runs.
//!
//! A figure stands between `<!--NAME: what, decimals-->` and `<!---->`, where NAME is a file under `benches/results/figures` and `what` one of
//! its results. `STRAIT_WRITE_FIGURES=1 cargo test --test figures` writes them anew; `benches/record` makes the files.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// What ends a figure.
const END: &str = "<!---->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents with figures.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md")];
    for folder in ["docs", "docs/guide/src"] {
        let entries = std::fs::read_dir(root().join(folder)).expect("the documents");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        all.extend(paths.filter(|path| path.extension().is_some_and(|x| x == "md")));
    }
    all
}

/// A recorded run.
fn record(name: &str) -> Value {
    let path = root().join("benches/results/figures").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The figure that a comment names.
fn figure(comment: &str) -> String {
    let (name, rest) = comment.split_once(": ").unwrap_or_else(|| panic!("`{comment}` names no file"));
    let (what, decimals) = rest.rsplit_once(", ").unwrap_or_else(|| panic!("`{comment}` names no decimals"));
    let decimals: usize = decimals.parse().unwrap_or_else(|_| panic!("`{comment}`: no number of decimals"));
    let record = record(name);
    let measured = record["measured"].as_array().unwrap_or_else(|| panic!("{name} has no results"));
    let found = measured.iter().find(|result| result["what"] == what);
    let value = found.and_then(|result| result["value"].as_f64()).unwrap_or_else(|| panic!("{name} has no `{what}`"));
    format!("{value:.decimals$}").replace('-', "−")
}

#[test]
fn documents_say_what_was_measured() {
    let write = std::env::var_os("STRAIT_WRITE_FIGURES").is_some();
    let mut found = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document");
        let mut made = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("<!--") {
            made.push_str(before);
            let (comment, after) = after.split_once("-->").expect("a comment ends");
            let (said, after) = after.split_once(END).unwrap_or_else(|| panic!("{comment} has no end"));
            let wanted = figure(comment);
            if !write {
                assert_eq!(said, wanted, "{}: {comment}", path.display());
            }
            made.push_str(&format!("<!--{comment}-->{wanted}{END}"));
            found += 1;
            rest = after;
        }
        made.push_str(rest);
        if write && made != text {
            std::fs::write(&path, made).expect("a document is writable");
        }
    }
    assert!(found > 20, "{found} figures");
}

#[test]
fn records_say_where_they_are_from() {
    for entry in std::fs::read_dir(root().join("benches/results/figures")).expect("the records") {
        let path = entry.expect("an entry").path();
        let record = record(&path.file_stem().expect("a name").to_string_lossy());
        for field in ["command", "device", "date", "version", "measured"] {
            assert!(!record[field].is_null(), "{} has no `{field}`", path.display());
        }
        assert!(record.get("recipe").is_some(), "{} has no recipe", path.display());
    }
}
