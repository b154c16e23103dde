//! Running the program as a user does.

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
        let line = |i: usize| {
            let (a, b) = ((i as f64 * 0.7).sin(), (i as f64 * 0.31).cos());
            let state = if a > 0.0 { "on" } else { "off" };
            let [temperature, pressure, speed, current] = [20.0 + 3.0 * a, 1e5 + 100.0 * b, 50.0 + 4.0 * a - b, a * b];
            format!("{},{temperature:.3},{pressure:.3},{speed:.3},{current:.3},{state}\n", i % 7)
        };
        let text: String = (0..rows).map(line).collect();
        self.write(name, &format!("machine,temperature,pressure,speed,current,state\n{text}"))
    }

    /// A table of plants' measures, and perhaps their species.
    pub(crate) fn table(&self, name: &str, rows: usize, species: bool) -> PathBuf {
        let line = |i: usize| {
            let (a, b) = ((i as f64 * 0.7).sin(), (i as f64 * 0.31).cos());
            let label = if !species {
                ""
            } else if a > 0.0 {
                ",rose"
            } else {
                ",oak"
            };
            format!("{:.3},{:.3},{:.3}{label}\n", 5.0 + a, 3.0 + b, 1.0 + a * b)
        };
        let text: String = (0..rows).map(line).collect();
        self.write(name, &format!("length,width,height{}\n{text}", if species { ",species" } else { "" }))
    }
}
