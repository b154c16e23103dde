//! Runs that are killed, signalled and cut off from their terminal, as a user's are.

#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::small_mnist;
use strait::compute::philox::Stream;
use tempfile::TempDir;

/// A small job in a temporary folder.
struct Job {
    folder: TempDir,
    data: String,
    recipe: PathBuf,
}

impl Job {
    fn new(epochs: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = small_mnist(folder.path());
        let mut recipe = strait::hinton2006::Recipe::quick();
        recipe.hidden = vec![64, 32, 12];
        recipe.pretrain.epochs = 6;
        recipe.finetune.epochs = epochs;
        recipe.finetune.schedule = strait::Schedule::Constant;
        recipe.logistic_pca.epochs = 1;
        let path = folder.path().join("small.toml");
        std::fs::write(&path, toml::to_string(&recipe).expect("a recipe is TOML")).expect("the folder is writable");
        Self { folder, data, recipe: path }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self) -> Vec<String> {
        let recipe = self.recipe.display().to_string();
        let arguments = ["--device", "cpu:1", "--data", &self.data, "--checkpoint-minutes", "0", "--recipe", &recipe];
        arguments.map(str::to_owned).to_vec()
    }

    fn command(&self, out: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(common::example("hinton2006"));
        command.args(self.arguments()).arg("--out").arg(out).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn spawn(&self, out: &Path, more: &[&str]) -> Child {
        self.command(out, more).spawn().expect("the example has been built")
    }

    /// Goes on to the end.
    fn finish(&self, out: &Path) -> Output {
        let mut command = vec!["--out".to_owned(), out.display().to_string(), "--resume".to_owned()];
        command.extend(self.arguments());
        common::run("hinton2006", &command.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The files that must not depend on what happened, and the results without times.
fn results(out: &Path) -> (Vec<Vec<u8>>, serde_json::Value) {
    fn timeless(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                fields.retain(|name, _| !name.contains("seconds"));
                fields.values_mut().for_each(timeless);
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(timeless),
            _ => {}
        }
    }
    let files = ["model.safetensors", "pretrained.safetensors", "filters.png", "recipe.toml"];
    let read = |file: &str| std::fs::read(out.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut json: serde_json::Value = serde_json::from_slice(&read("results.json")).expect("it is JSON");
    timeless(&mut json);
    (files.map(read).into(), json)
}

/// How many runs are killed: 20, or as many as `STRAIT_KILLS` says.
fn kills() -> usize {
    std::env::var("STRAIT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[test]
fn killed_runs_go_on_to_the_same_files() {
    let job = Job::new(12);
    let start = Instant::now();
    let whole = job.out("whole");
    assert!(job.finish(&whole).status.success());
    let (took, expected) = (start.elapsed(), results(&whole));
    let mut stream = Stream::new(23, 0);
    let mut lost = 0;
    for kill in 0..kills() {
        let out = job.out(&format!("killed-{kill}"));
        // Up to three times, at moments that are spread over the whole run.
        for _ in 0..=stream.next_word() % 3 {
            let mut child = job.spawn(&out, &["--resume"]);
            std::thread::sleep(took.mul_f64(f64::from(stream.next_word()) / f64::from(u32::MAX)));
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
        let finished = job.finish(&out);
        let said = String::from_utf8_lossy(&finished.stderr).into_owned() + &String::from_utf8_lossy(&finished.stdout);
        assert!(finished.status.success() && !said.contains("panicked"), "kill {kill}: {said}");
        if results(&out) != expected {
            lost += 1;
            println!("kill {kill} ends in other files: {said}");
        }
        std::fs::remove_dir_all(&out).expect("it is ours");
    }
    println!("{} of {} killed runs end in the files of a run that was not", kills() - lost, kills());
    assert_eq!(lost, 0);
}

#[test]
fn signals_end_a_run_with_its_checkpoint_its_model_and_their_code() {
    let job = Job::new(1_000_000);
    let mut number = 0;
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        for stage in ["RBM 64-32  epoch 2/6", "fine-tuning  epoch 2/"] {
            number += 1;
            let out = job.out(&format!("signal-{number}"));
            let mut child = job.command(&out, &[]).stdout(Stdio::piped()).spawn().expect("the example has been built");
            let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
            assert!(lines.any(|line| line.contains(stage)), "{stage}");
            let sent = Instant::now();
            send(&child, signal);
            assert!(lines.any(|line| line.contains("--resume goes on")), "it says so");
            assert_eq!(child.wait().expect("it ends").code(), Some(code), "{signal} in {stage}");
            assert!(sent.elapsed() < Duration::from_secs(10), "{signal} in {stage}: {:?}", sent.elapsed());
            let (net, _) = strait::Autoencoder::load(out.join("model.safetensors")).expect("the model is there");
            assert_eq!(net.sizes()[0], 784);
            let stage = if stage.starts_with("RBM") { "pretraining" } else { "fine-tuning" };
            let checkpoint = out.join(format!("checkpoints/{stage}.safetensors"));
            strait::Model::open(&checkpoint).expect("the checkpoint opens as a model");
        }
    }
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    let job = Job::new(1_000_000);
    let out = job.out("twice");
    let mut child = job.command(&out, &[]).stdout(Stdio::piped()).spawn().expect("the example has been built");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("RBM 784-64  epoch 1/6")), "it begins");
    send(&child, "TERM");
    send(&child, "TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn a_closed_output_ends_nothing() {
    let job = Job::new(2);
    let out = job.out("closed");
    let mut command = job.command(&out, &[]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the example has been built");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(out.join("results.json").exists());
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(sent.expect("there is a kill command").success());
}
