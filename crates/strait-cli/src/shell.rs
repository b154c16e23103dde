//! `strait completions` and `strait man`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use strait::say;

use crate::Cli;

/// Prints a script that completes commands in a shell.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "the same as every command")]
    pub(crate) fn run(&self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "strait", &mut script);
        say!("{}", String::from_utf8_lossy(&script).trim_end());
        Ok(())
    }
}

/// Writes the manual pages, one for each command.
#[derive(Args)]
pub(crate) struct Man {
    /// The folder for them
    out: PathBuf,
}

impl Man {
    pub(crate) fn run(&self) -> Result<()> {
        let place = || self.out.display().to_string();
        std::fs::create_dir_all(&self.out).with_context(place)?;
        clap_mangen::generate_to(Cli::command(), &self.out).with_context(place)
    }
}
