//! The examples of the members of the family, run as a user runs them.

mod common;

use std::path::Path;

use common::{run, small_mnist};
use serde_json::Value;

/// Each example with options for a small run, and the pictures that it draws.
const EXAMPLES: [(&str, &[&str], &[&str]); 19] = [
    ("dbn", &["--code", "30", "--gibbs", "20"], &["filters.png", "digits.png"]),
    ("documents", &["--code", "3", "--words", "100"], &["retrieval.svg"]),
    (
        "sparse_rbm",
        &["--code", "20"],
        &["filters.png", "filters-free.png", "filters-patches.png", "filters-second.png"],
    ),
    ("classifier", &["--code", "30"], &["filters.png"]),
    ("curves", &["--code", "3"], &["reconstructions.png", "filters.png"]),
    ("faces", &["--code", "5"], &["reconstructions.png", "filters.png"]),
    ("ratings", &["--code", "20"], &["errors.svg"]),
    ("rbm", &["--code", "30", "--small", "8", "--temperatures", "50"], &["filters.png", "fantasies.png"]),
    ("convolutional", &["--code", "3", "--kernel", "5"], &["reconstructions.png", "maps.png"]),
    ("stacked_denoising", &["--code", "30"], &["filters.png", "mistakes.png"]),
    ("contractive", &["--code", "20"], &["filters.png", "filters-plain.png"]),
    ("multimodal", &["--code", "12"], &["halves.png", "labels.png"]),
    ("uses", &["--code", "5"], &["neighbours.png"]),
    ("activations", &["--code", "60", "--top-k", "4"], &["directions.png"]),
    ("sequences", &["--code", "12", "--cell", "gru"], &["reconstructions.png"]),
    ("pca", &["--code", "5"], &["reconstructions.png", "components.png"]),
    (
        "denoising",
        &["--code", "30", "--noise", "gaussian", "--level", "0.3", "--tied"],
        &["denoised.png", "filters.png"],
    ),
    (
        "sparse",
        &["--code", "50", "--top-k", "5"],
        &["filters-k-sparse.png", "filters-l1.png", "filters-target.png", "filters-predictive.png"],
    ),
    ("vae", &["--code", "3", "--samples", "2", "--map"], &["reconstructions.png", "samples.png", "plane.png"]),
];

fn results(out: &Path) -> Value {
    let text = std::fs::read_to_string(out.join("results.json")).expect("the results are there");
    serde_json::from_str(&text).expect("they are JSON")
}

#[test]
fn examples_report_what_they_measure_and_draw_it() {
    for (name, options, pictures) in EXAMPLES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = small_mnist(folder.path());
        let fit = |out: &Path, more: &[&str]| {
            let out = out.display().to_string();
            let device = ["--device", "cpu", "--precision", "f32", "--data", &data, "--limit", "300", "--out", &out];
            let run = run(name, &[&device, more].concat());
            assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
            String::from_utf8_lossy(&run.stdout).into_owned()
        };
        let out = folder.path().join("out");
        let printed = fit(&out, &[&["--epochs", "2", "--seed", "3"], options].concat());
        let found = results(&out);
        let measured = found["measured"].as_array().expect("a list");
        assert!(!measured.is_empty(), "{found}");
        for result in measured {
            let what = result["what"].as_str().expect("a name");
            assert!(printed.contains(what), "{name} does not print `{what}`");
            assert!(result["value"].as_f64().is_some_and(f64::is_finite), "{name}: {result}");
            assert!(result["higher_is_better"].is_boolean(), "{name}: {result}");
        }
        assert_eq!(found["train_images"], 300);
        for picture in pictures {
            let bytes = std::fs::read(out.join(picture)).expect("the picture is there");
            let drawn =
                if picture.ends_with("svg") { bytes.starts_with(b"<svg") } else { bytes.starts_with(b"\x89PNG") };
            assert!(drawn, "{name}: {picture}");
        }
        // The recipe beside the results gives the same results again.
        let again = folder.path().join("again");
        let recipe = out.join("recipe.toml").display().to_string();
        fit(&again, &["--recipe", &recipe]);
        assert_eq!(results(&again)["measured"], found["measured"], "{name}");
    }
}

#[test]
fn wrong_input_gets_one_clear_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "speed = 9").expect("the folder is writable");
    let (folder, file) = (folder.path().display().to_string(), file.display().to_string());
    let under_a_file = format!("{file}/out");
    for (name, _, _) in EXAMPLES {
        // Some make their data up.
        let reads = match name {
            "activations" => Some("--rows"),
            "documents" => Some("--documents"),
            "faces" => Some("--faces"),
            "ratings" => Some("--ratings"),
            "curves" => None,
            _ => Some("--data"),
        };
        if let Some(option) = reads {
            let run = run(name, &[option, &folder]);
            let message = String::from_utf8_lossy(&run.stderr);
            assert!(!run.status.success() && message.contains(&*folder), "{name} {option}: {message}");
        }
        for (arguments, expected) in [
            (vec!["--out", &under_a_file], "no file can be written there"),
            (vec!["--device", "no such gpu", "--out", &folder], "there is no adapter `no such gpu`"),
            (vec!["--precision", "f8", "--out", &folder], "--precision f8: it must be auto, f32, mixed or split"),
            (vec!["--recipe", &file], "no recipe"),
            (vec!["--recipe", "absent.toml"], "absent.toml"),
            (vec!["--code", "0"], "none of them 0"),
            (vec!["--epochs", "0"], "epochs is 0"),
        ] {
            let run = run(name, &arguments);
            let message = String::from_utf8_lossy(&run.stderr);
            assert!(!run.status.success() && message.contains(expected), "{name} {arguments:?}: {message}");
            assert!(!message.contains("panicked"), "{name} {arguments:?}: {message}");
        }
    }
    for (name, arguments, expected) in [
        ("contractive", vec!["--weight", "-1"], "the weight of the penalty is -1"),
        ("sparse_rbm", vec!["--picture", &file, "--out", &folder], "this is no PNG picture"),
        ("sparse_rbm", vec!["--target", "1"], "the target of the sparsity is 1"),
        ("dbn", vec!["--gibbs", "0"], "a step of Gibbs sampling or more"),
        ("documents", vec!["--labels", &file], "it needs --documents as well"),
        ("documents", vec!["--documents", &file], "a-file"),
        ("documents", vec!["--words", "1"], "keep two words or more"),
        ("rbm", vec!["--small", "26"], "--small 26: a machine of 1 to 25 hidden units"),
        ("denoising", vec!["--noise", "brown"], "--noise brown: it must be masking, salt-and-pepper or gaussian"),
        ("denoising", vec!["--level", "1.5"], "a share must lie between 0 and 1"),
        ("sparse", vec!["--top-k", "1001"], "the 1001 largest numbers cannot be taken of a code of 1000"),
        ("activations", vec!["--rows", &file, "--out", &folder], "is not a number"),
        ("activations", vec!["--model", &file, "--out", &folder], "no valid safetensors file"),
        ("activations", vec!["--layer", "2"], "--model"),
        ("multimodal", vec!["--share", "0.6"], "--share 0.6: it must lie from 0 to 0.5"),
        ("uses", vec!["--model", "absent.safetensors"], "absent.safetensors"),
        ("uses", vec!["--normal", "10"], "--normal 10: there are fewer than 4 training images"),
        ("faces", vec!["--faces", &file], "neither a folder of pictures nor the Olivetti faces"),
        ("faces", vec!["--code", "626"], "--code 626: PCA of patches has 625 components at most"),
        ("faces", vec!["--limit", "0"], "there must be at least 1"),
        ("ratings", vec!["--ratings", &file], "all of them are 9, so that there is nothing to predict"),
        ("ratings", vec!["--limit", "0"], "there must be at least 1"),
    ] {
        let run = run(name, &arguments);
        let message = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn the_study_compares_ways_to_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (small_mnist(folder.path()), folder.path().join("out"));
    let recipe = folder.path().join("recipe.toml");
    std::fs::write(&recipe, "hidden = [20, 10]\nseeds = 2\n").expect("the folder is writable");
    let (shown, recipe) = (out.display().to_string(), recipe.display().to_string());
    let arguments = ["--study", "--device", "cpu", "--data", &data, "--limit", "200", "--recipe", &recipe];
    let run = run("classifier", &[&arguments[..], &["--epochs", "2", "--out", &shown]].concat());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // Three ways to start, at two depths: mean and deviation.
    assert_eq!(results(&out)["measured"].as_array().map(Vec::len), Some(12));
    let plot = std::fs::read_to_string(out.join("study.svg")).expect("the plot is there");
    assert!(plot.starts_with("<svg") && plot.contains("denoising"));
}
