//! Running the program as a user does.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a call has written, and its exit code.
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Outcome {
    /// Both streams.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A folder in which the program is called.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the temporary folder is writable");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Calls the program with arguments separated by blanks.
    pub(crate) fn call(&self, arguments: &str) -> Outcome {
        self.call_with(arguments, Stdio::null())
    }

    /// The same with a standard input.
    pub(crate) fn call_with(&self, arguments: &str, stdin: impl Into<Stdio>) -> Outcome {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let run = Command::new(env!("CARGO_BIN_EXE_strait"))
            .args(&arguments)
            .current_dir(self.folder.path())
            .stdin(stdin)
            .output()
            .expect("the program is built");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome { stdout: text(run.stdout), stderr: text(run.stderr), code: run.status.code() }
    }

    /// The same, which must succeed.
    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        let outcome = self.call(arguments);
        assert_eq!(outcome.code, Some(0), "strait {arguments}: {}", outcome.text());
        outcome
    }

    /// A table of a machine's sensors: four columns that two hidden causes move, and a class.
    pub(crate) fn sensors(&self, name: &str, rows: usize) -> PathBuf {
        let mut text = "machine,temperature,pressure,speed,current,state\n".to_owned();
        for i in 0..rows {
            let (a, b) = ((i as f64 * 0.7).sin(), (i as f64 * 0.31).cos());
            let state = if a > 0.0 { "on" } else { "off" };
            writeln!(
                text,
                "{},{:.3},{:.3},{:.3},{:.3},{state}",
                i % 7,
                20.0 + 3.0 * a,
                1e5 + 100.0 * b,
                50.0 + 4.0 * a - b,
                a * b
            )
            .expect("a string is writable");
        }
        self.write(name, &text)
    }
}
