//! `strait inspect` as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Standard output, standard error and the exit code of a call.
fn strait(arguments: &[&str]) -> (String, String, Option<i32>) {
    let run = Command::new(env!("CARGO_BIN_EXE_strait")).args(arguments).stdin(Stdio::null()).output();
    let run = run.expect("the program is built");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    (text(run.stdout), text(run.stderr), run.status.code())
}

fn data(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(file).display().to_string()
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the temporary folder is writable");
    path
}

#[test]
fn files_are_described() {
    for (file, expected) in [
        ("csv/pandas-header.csv", &["csv", "7 rows, 5 columns", "first rows:"][..]),
        ("csv/pandas-text.csv", &["text"]),
        ("csv/pandas-missing.csv", &["missing, the first in row"]),
        ("csv/pandas-inf.csv", &["infinite, the first in row"]),
        ("npz/keras.npz", &["`x_train`", "test set"]),
        ("safetensors/several.safetensors", &["it holds"]),
        ("svmlight/sklearn-comment-zero.svmlight", &["numbered from 0"]),
        ("ratings/ratings.csv", &["4 users, 4 items, 6 ratings"]),
        ("pictures/rgb.png", &["5 x 6 each"]),
    ] {
        let (text, error, code) = strait(&["inspect", &data(file)]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{file}");
        for part in expected {
            assert!(text.contains(part), "{part} is not in what is said of {file}:\n{text}");
        }
    }
}

#[test]
fn what_training_would_refuse_is_an_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = write(&folder, "good.csv", "a,b\n1,2\n3,5\n");
    let gap = write(&folder, "gap.csv", "a,b\n1,\n3,5\n");
    let cut = write(&folder, "cut.csv", "a,b\n1,2\n1,2,3\n");
    for (path, options, code, expected) in [
        (&good, &["--check"][..], 0, "training can take it"),
        (&gap, &[], 0, "1 missing, the first in row 0, column `b`"),
        (&gap, &["--check"], 1, "training would refuse it: 1 values are missing, the first in row 0, column `b`"),
        (&cut, &[], 1, "line 3: 3 cells, but the lines before have 2"),
        (&good, &["--columns", "c"], 1, "it has no column `c`"),
        (&good, &["--format", "xml"], 2, "no such format"),
    ] {
        let arguments = [&["inspect", path.to_str().expect("a path in UTF-8")][..], options].concat();
        let (text, error, found) = strait(&arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {text}{error}");
        assert!(format!("{text}{error}").contains(expected), "{expected} is not in: {text}{error}");
    }
}

#[test]
fn the_same_as_json() {
    let (text, _, code) = strait(&["inspect", &data("csv/pandas-header.csv"), "--json"]);
    assert_eq!(code, Some(0));
    let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((&value["rows"], &value["columns"], &value["format"]), (&7.into(), &5.into(), &"csv".into()));
}
