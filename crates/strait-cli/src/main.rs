//! The program `strait`.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage.

mod inspect;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Deep autoencoders and Boltzmann machines.
#[derive(Parser)]
#[command(name = "strait", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Describe a data file: its format, rows, columns, values and labels
    Inspect(inspect::Inspect),
}

fn main() -> ExitCode {
    let Command::Inspect(inspect) = Cli::parse().command;
    match inspect.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("strait: {error:#}");
            ExitCode::FAILURE
        }
    }
}
