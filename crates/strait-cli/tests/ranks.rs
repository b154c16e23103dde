//! Training on several processes that `mpirun` starts.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const STRAIT: &str = env!("CARGO_BIN_EXE_strait");

/// Through the network of this machine instead of its memory.
const TCP: [&str; 6] = ["--mca", "btl", "self,tcp", "--mca", "btl_tcp_if_include", "lo"];

/// A folder with rows, and jobs of three kinds on them.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let rows = |scale: f64| {
            let mut text = String::new();
            for row in 0..230u32 {
                let value = |column: u32| {
                    let phase = f64::from(row * (column % 4 + 1)) * 0.37 + f64::from(column);
                    (scale * 0.5 * (1.0 + phase.sin())).to_string()
                };
                text.push_str(&(0..12).map(value).collect::<Vec<_>>().join(","));
                text.push('\n');
            }
            text
        };
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it can be written");
        file("rows.csv", &rows(1.0));
        file("others.csv", &rows(0.5));
        file("stack.toml", "kind = \"stack\"\nhidden = [8, 5]\n[pretrain]\nepochs = 3\nbatch = 50\n");
        file("autoencoder.toml", "kind = \"autoencoder\"\nhidden = [8, 3]\n[training]\nepochs = 3\nbatch = 50\n");
        file(
            "dictionary.toml",
            "kind = \"dictionary\"\nhidden = [24]\ntop-k = 3\n[training]\nepochs = 3\nbatch = 50\n",
        );
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn model(&self, out: &str) -> Vec<u8> {
        std::fs::read(self.path(out).join("model.safetensors")).expect("there is a model")
    }

    /// The arguments that train a job into a folder.
    fn training(&self, job: &str, out: &str, more: &[&str]) -> Vec<String> {
        let job = self.path(&format!("{job}.toml")).display().to_string();
        let data = self.path("rows.csv").display().to_string();
        let out = self.path(out).display().to_string();
        let fixed = ["train", &job, "--data", &data, "--out", &out, "--device", "cpu:1", "--precision", "f32"];
        fixed.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
    }
}

/// `mpirun` with this number of local processes. The caller appends arguments.
fn mpirun(ranks: usize, options: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    // Containers run as root, which Open MPI wants to be told; and there may be more ranks than cores.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.args(["--oversubscribe", "--bind-to", "none"]).args(options).args(["-np", &ranks.to_string(), STRAIT]);
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("it can be started")
}

fn succeeds(command: Command) -> String {
    let output = output(command);
    let text = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{text}");
    text
}

/// The exit code of one that fails, and what it says.
fn fails(command: Command) -> (Option<i32>, String) {
    let output = output(command);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it succeeded: {text}");
    (output.status.code(), text)
}

fn alone(arguments: &[String]) -> String {
    let mut command = Command::new(STRAIT);
    command.args(arguments);
    succeeds(command)
}

fn on_ranks(ranks: usize, options: &[&str], arguments: &[String]) -> Command {
    let mut command = mpirun(ranks, options);
    command.args(arguments).arg("--mpi");
    command
}

#[test]
fn shards_give_the_same_file_on_any_number_of_ranks() {
    let folder = Folder::new();
    for job in ["stack", "autoencoder", "dictionary"] {
        let one = format!("{job}-one");
        alone(&folder.training(job, &one, &["--shards", "8"]));
        for (ranks, options) in [(1, &[][..]), (2, &[]), (4, &[]), (2, &TCP)] {
            let out = format!("{job}-{ranks}-{}", options.len());
            succeeds(on_ranks(ranks, options, &folder.training(job, &out, &["--shards", "8"])));
            assert!(folder.model(&one) == folder.model(&out), "{job} on {ranks} ranks {options:?}");
        }
    }
}

#[test]
fn without_shards_ranks_differ_by_rounding() {
    let folder = Folder::new();
    let error = |out: &str| {
        let text = std::fs::read_to_string(folder.path(out).join("metrics.csv")).expect("there are metrics");
        let last = text.lines().last().expect("there is a line").to_owned();
        last.split(',').nth(3).expect("there is an error").parse::<f64>().expect("it is a number")
    };
    alone(&folder.training("autoencoder", "one", &[]));
    for more in [&[][..], &["--round-sums"]] {
        succeeds(on_ranks(3, &[], &folder.training("autoencoder", "three", more)));
        let apart = (error("three") / error("one") - 1.0).abs();
        assert!(apart < if more.is_empty() { 1e-6 } else { 1e-3 }, "{more:?}: {apart}");
    }
}

#[test]
fn ranks_that_would_train_something_else_are_told_so() {
    let folder = Folder::new();
    let with_other = |other: Vec<String>| {
        let mut command = on_ranks(1, &[], &folder.training("autoencoder", "run", &[]));
        command.args([":", "-np", "1", STRAIT]).args(other).arg("--mpi");
        fails(command)
    };
    let (code, text) = with_other(folder.training("autoencoder", "run", &["--epochs", "5"]));
    let expected = "rank 1 would train something else than rank 0: recipe.epochs is 5 there, 3 on rank 0";
    assert!(code == Some(1) && text.contains(expected), "{code:?}: {text}");
    let mut data = folder.training("autoencoder", "run", &[]);
    let others = folder.path("others.csv").display().to_string();
    data[3] = others;
    let (code, text) = with_other(data);
    assert!(code == Some(1) && text.contains("the values of training-set are others"), "{code:?}: {text}");
    assert!(!folder.path("run").join("model.safetensors").exists());
}

#[test]
fn shards_that_cannot_be_shared_are_refused() {
    let folder = Folder::new();
    let (_, text) = fails(on_ranks(3, &[], &folder.training("autoencoder", "run", &["--shards", "8"])));
    assert!(text.contains("8 shards cannot be shared by 3 ranks"), "{text}");
    let (_, text) = fails(on_ranks(2, &[], &folder.training("autoencoder", "run", &["--shards", "6"])));
    assert!(text.contains("6 shards: the number must be a power of two"), "{text}");
}

#[test]
fn the_rank_whose_rows_are_not_finite_is_named() {
    let folder = Folder::new();
    let mut rows = std::fs::read_to_string(folder.path("rows.csv")).expect("it is there");
    rows.push_str(&["3e38"; 12].join(","));
    std::fs::write(folder.path("rows.csv"), rows).expect("it can be written");
    let more = ["--scale", "none", "--set", "training.objective=squared-error", "--set", "output=linear"];
    let (code, text) = fails(on_ranks(2, &[], &folder.training("autoencoder", "run", &more)));
    assert!(code == Some(3) && text.contains("in the rows of rank "), "{code:?}: {text}");
}

/// Processes of `strait` that this one has started, by way of others.
fn descendants(of: u32) -> Vec<u32> {
    let children = |pid: u32| {
        let file = format!("/proc/{pid}/task/{pid}/children");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    };
    let mut found = children(of);
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    found.retain(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(STRAIT)));
    found
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} took more than a minute");
}

/// Starts training of many epochs, and waits for its first checkpoint.
fn started(folder: &Folder, ranks: usize, out: &str) -> Child {
    let more = ["--shards", "8", "--epochs", "400", "--checkpoint-epochs", "1"];
    let mut command = on_ranks(ranks, &[], &folder.training("autoencoder", out, &more));
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it can be started");
    let checkpoint = folder.path(out).join("checkpoints");
    wait_for("a checkpoint", || checkpoint.read_dir().is_ok_and(|files| files.count() > 0));
    child
}

#[test]
#[cfg(target_os = "linux")]
fn a_rank_that_is_killed_ends_the_run_which_goes_on_with_another_number() {
    let folder = Folder::new();
    let child = started(&folder, 2, "killed");
    let ranks = descendants(child.id());
    assert_eq!(ranks.len(), 2);
    Command::new("kill").args(["-9", &ranks[1].to_string()]).status().expect("kill is there");
    let output = child.wait_with_output().expect("it ends");
    assert!(!output.status.success());
    let _ = std::io::stderr().write_all(&output.stderr);
    let more = ["--shards", "8", "--epochs", "400"];
    let resumed = folder.training("autoencoder", "killed", &[&more[..], &["--resume"]].concat());
    let text = succeeds(on_ranks(4, &[], &resumed));
    assert!(text.contains("goes on from"), "{text}");
    alone(&folder.training("autoencoder", "whole", &more));
    assert!(folder.model("killed") == folder.model("whole"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_to_one_rank_ends_all_of_them_with_a_checkpoint() {
    let folder = Folder::new();
    let child = started(&folder, 2, "stopped");
    let ranks = descendants(child.id());
    Command::new("kill").args(["-TERM", &ranks[1].to_string()]).status().expect("kill is there");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
    let more = ["--shards", "8", "--epochs", "400"];
    alone(&folder.training("autoencoder", "stopped", &[&more[..], &["--resume"]].concat()));
    alone(&folder.training("autoencoder", "whole", &more));
    assert!(folder.model("stopped") == folder.model("whole"));
}
