//! The example, run as a user runs it.

#[path = "common/adapter.rs"]
mod adapter;
mod common;

use std::path::Path;
use std::process::Output;

use common::small_mnist;

fn run(arguments: &[&str]) -> Output {
    common::run("hinton2006", arguments)
}

/// A recipe for a small net.
fn recipe(folder: &Path) -> String {
    let mut recipe = strait::hinton2006::Recipe::quick();
    recipe.hidden = vec![64, 32, 12];
    recipe.pretrain.epochs = 4;
    recipe.finetune.epochs = 4;
    recipe.logistic_pca.epochs = 3;
    let path = folder.join("small.toml");
    std::fs::write(&path, toml::to_string(&recipe).expect("a recipe is TOML")).expect("the folder is writable");
    path.display().to_string()
}

/// Runs the example on a device in a precision; gives its results.
fn results(device: &str, precision: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, recipe) = (small_mnist(folder.path()), recipe(folder.path()));
    let out = folder.path().join("out");
    let shown = out.display().to_string();
    let run = run(&[
        "--device",
        device,
        "--precision",
        precision,
        "--data",
        &data,
        "--recipe",
        &recipe,
        "--out",
        &shown,
        "--limit",
        "300",
        "--map",
        "--ablate",
    ]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let printed = String::from_utf8_lossy(&run.stdout);
    for expected in ["logistic PCA", "13.87", "RBM 784-64  epoch 4/4", "fine-tuning  epoch 4/4"] {
        assert!(printed.contains(expected), "{expected} is missing from {printed}");
    }
    for picture in ["reconstructions.png", "filters.png", "codes2d.png"] {
        let bytes = std::fs::read(out.join(picture)).expect("the picture is there");
        assert!(bytes.starts_with(b"\x89PNG"), "{picture}");
    }
    let (net, notes) = strait::Autoencoder::load(out.join("model.safetensors")).expect("the model is there");
    assert_eq!(net.sizes(), [784, 64, 32, 12, 32, 64, 784]);
    let text = std::fs::read_to_string(out.join("results.json")).expect("the results are there");
    let results: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
    assert_eq!(notes["strait.test_error"].parse::<f64>().ok(), results["test_error"].as_f64());
    // The model in the file has the error that the run reported.
    let device = strait::Device::cpu().expect("threads start");
    let mnist = strait::Mnist::open(data).expect("it was read before");
    let error = net.error(&device, mnist.test.rows()).expect("it runs");
    let reported = results["test_error"].as_f64().expect("a number");
    assert!((error / reported - 1.0).abs() < 1e-4, "{error}, where {reported} was reported");
    results
}

#[test]
fn on_the_cpu() {
    let results = results("cpu", "f32");
    for layer in 0..3 {
        assert_eq!(results["pretrain"][layer].as_array().map(Vec::len), Some(4), "{results}");
    }
    let number = |name: &str| results[name].as_f64().unwrap_or_else(|| panic!("{name} in {results}"));
    assert!(number("test_error_pca") < number("test_error_no_pretraining"), "{results}");
    assert!(number("seconds_pretrain") > 0.0 && number("seconds_finetune") > 0.0 && number("train_error") > 0.0);
    assert_eq!((&results["precision"], &results["operands"]), (&"f32".into(), &"f32".into()));
    let last = &results["finetune"][3];
    assert_eq!(last["epoch"], 4);
    let error = last["test_error"].as_f64().expect("a number");
    assert!((error / number("test_error") - 1.0).abs() < 1e-5, "{results}");
}

#[test]
fn in_mixed_precision_with_the_same_result() {
    let [exact, mixed] = ["f32", "mixed"].map(|precision| results("cpu", precision));
    assert_eq!((&mixed["precision"], &mixed["operands"]), (&"mixed".into(), &"bf16".into()));
    let [exact, mixed] = [exact, mixed].map(|results| results["test_error"].as_f64().expect("a number"));
    assert!(mixed != exact && (mixed / exact - 1.0).abs() < 0.02, "{mixed} in mixed precision, {exact} in f32");
}

#[test]
fn through_wgpu_with_the_same_result() {
    let name = adapter::name();
    if adapter::open(Default::default()).is_none() {
        return;
    }
    let [on_cpu, on_gpu] =
        ["cpu", &name].map(|device| results(device, "f32")["test_error"].as_f64().expect("a number"));
    assert!((on_gpu / on_cpu - 1.0).abs() < 0.02, "{on_gpu} through wgpu, {on_cpu} on the CPU");
}

#[test]
fn wrong_input_gets_one_clear_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "hidden = [3]\nspeed = 9").expect("the folder is writable");
    let (folder, file) = (folder.path().display().to_string(), file.display().to_string());
    let under_a_file = format!("{file}/out");
    for (arguments, expected) in [
        (vec!["--data", &folder], "train-images-idx3-ubyte"),
        (vec!["--data", "absent"], "absent"),
        (vec!["--out", &under_a_file], "no file can be written there"),
        (vec!["--device", "no such gpu", "--out", &folder], "there is no adapter `no such gpu`"),
        (vec!["--device", "cpu:0", "--out", &folder], "a number of threads from 1 to 1024"),
        (vec!["--precision", "f8", "--out", &folder], "--precision f8: it must be auto, f32, mixed or split"),
        (vec!["--shift", "28", "--out", &folder], "the shift is 28"),
        (vec!["--recipe", &file], "no recipe"),
        (vec!["--recipe", "absent.toml"], "absent.toml"),
        (vec!["--code", "0"], "none of size 0"),
        (vec!["--epochs", "-3"], "--epochs"),
        (
            vec!["--epochs", "0", "--device", "cpu", "--limit", "20", "--pretrain-epochs", "1", "--out", &folder],
            "epochs is 0",
        ),
    ] {
        let run = run(&arguments);
        let message = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && message.contains(expected), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    }
}

/// Ctrl-C ends a run in the middle of an epoch; what there is is saved.
#[cfg(unix)]
#[test]
fn ctrl_c_saves_what_there_is() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, recipe) = (small_mnist(folder.path()), recipe(folder.path()));
    let out = folder.path().join("out");
    let arguments = ["--device", "cpu", "--data", &data, "--recipe", &recipe, "--epochs", "1000000", "--shift", "1"];
    let mut child = Command::new(common::example("hinton2006"))
        .args(arguments)
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example has been built");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("fine-tuning  epoch 2/1000000")), "it gets to fine-tuning");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is a kill command");
    assert!(sent.success());
    assert!(lines.any(|line| line.contains("stopped by a signal")), "it says so");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    strait::Autoencoder::load(out.join("model.safetensors")).expect("the model is there");
    let text = std::fs::read_to_string(out.join("results.json")).expect("the results are there");
    let results: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
    assert_eq!(results["stopped"], true);
    assert!(results["finetune"].as_array().is_some_and(|epochs| epochs.len() >= 2), "{results}");
    assert!(results["test_error_pca"].is_null(), "{results}");
}
