//! `benches/on-device` with stand-ins for the programs: what it records, and what it says about wrong input.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A bench: a device and a table of one row, which goes to the file that its last argument names.
const BENCH: &str = r#"echo "Made-up GPU (Vulkan, maker 1.2), mixed"
for out; do :; done
echo '{"ceilings": {"product_gflops": 3, "copy_gigabytes_per_second": 2, "empty_operation_microseconds": 1},
  "rows": [{"work": "work", "seconds": 0.25, "gflops": 500, "loss": 7}]}' >"$out""#;
/// Two tests, one of which fails.
const CONFORMANCE: &str = r#"case "$*" in
  *--list) echo "cpu_conforms: test"; echo "gpu_conforms_in_chosen_tiles: test"
    echo "gpu_conforms_in_large_fragments: test";;
  *fragments*) echo "thread panicked at main.rs:1:" >&2; echo "tensor: it differs" >&2; exit 101;;
esac"#;
const RECIPE: &str = r#"for out; do :; done
mkdir -p "$out"
echo '{"seconds_pretrain": 1, "seconds_finetune": 2, "test_error": 2.9}' >"$out/results.json""#;
const NO_GPU: &str = "echo 'Error: no GPU was found' >&2; exit 1";

/// The script's programs, the bench `operations` as given.
fn programs(folder: &Path, operations: &str) {
    let all = [("operations", operations), ("training", BENCH), ("conformance", CONFORMANCE), ("hinton2006", RECIPE)];
    for (name, text) in all {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("the folder is writable");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it can be made a program");
    }
    std::fs::write(folder.join("build.json"), r#"{"strait": "0.0.0", "commit": "abc"}"#).expect("it is writable");
}

/// Runs the script; nothing where there is no Python.
fn run(folder: &Path, out: &Path) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/on-device");
    let mut command = Command::new("python3");
    command.args([&script, Path::new("run"), folder]).arg("--out").arg(out);
    match command.args(["--quick", "--python", "no-such-python"]).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: benches/on-device was not tested, because python3 cannot be run: {error}");
            None
        }
    }
}

#[test]
fn every_part_is_recorded_though_one_fails() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    programs(folder.path(), BENCH);
    let out = folder.path().join("out.json");
    let Some(output) = run(folder.path(), &out) else {
        return;
    };
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_str(&std::fs::read_to_string(&out).expect("it is there")).expect("it is JSON");
    for (key, value) in [("device", "Made-up GPU"), ("driver", "maker 1.2"), ("strait", "0.0.0"), ("commit", "abc")] {
        assert_eq!(found[key], value, "{key}");
    }
    let figures = found["figures"].as_array().expect("a list");
    for part in ["recipe", "streaming", "training", "products", "members", "conformance"] {
        let figure = figures.iter().find(|figure| figure["part"] == part);
        let figure = figure.unwrap_or_else(|| panic!("{part} is missing from {figures:?}"));
        assert!(
            figure["command"].is_string() && figure["seconds"].is_number() && figure["unit"].is_string(),
            "{figure}"
        );
        assert!(printed.contains(&format!("| {part} | ")), "{part} is missing from {printed}");
    }
    assert_eq!(figures.iter().find(|figure| figure["part"] == "streaming").expect("it is there")["value"], 250.0);
    let failures = found["failures"].as_array().expect("a list");
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["message"], "tensor: it differs");
    assert!(printed.contains("failed: conformance, conforms in large fragments"), "{printed}");
    assert!(printed.contains("PyTorch: no-such-python: No such file or directory"), "{printed}");
}

#[test]
fn wrong_input_is_named_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out.json");
    let says = |out: &Path, expected: &str| {
        if let Some(output) = run(folder.path(), out) {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or_default();
            assert!(!output.status.success() && last.contains(expected), "{said}");
        }
    };
    says(&out, "has no conformance: fill it with `benches/on-device build FOLDER` first");
    programs(folder.path(), NO_GPU);
    says(&out, "on-device: no GPU was found");
    programs(folder.path(), BENCH);
    says(&folder.path().join("build.json/out.json"), "build.json/out.json: Not a directory");
}
