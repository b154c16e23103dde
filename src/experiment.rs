//! Experiments from the command line: options, a recipe in a file, and a report of the results.
//!
//! ```no_run
//! use clap::Parser;
//! use serde::{Deserialize, Serialize};
//! use strait::prelude::*;
//!
//! #[derive(Parser)]
//! struct Options {
//!     #[command(flatten)]
//!     member: MemberOptions,
//! }
//!
//! #[derive(Clone, Default, Serialize, Deserialize)]
//! struct Recipe {
//!     training: FineTune,
//! }
//!
//! impl experiment::Recipe for Recipe {
//!     fn trainings(&mut self) -> Vec<&mut dyn Training> {
//!         vec![&mut self.training]
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     experiment::main(run)
//! }
//!
//! fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut recipe: Recipe = options.member.recipe()?;
//!     let mnist = options.member.mnist()?;
//!     let (training, test) = options.member.rows(&mnist);
//!     let mut net = Autoencoder::glorot(&[784, 30], 1)?;
//!     let (device, mut run) = options.member.begin(&mut recipe, training.count)?;
//!     run.train(&recipe.training, &mut net, training, test)?;
//!     run.lower("squared error per test image", net.error(&device, test)?);
//!     Ok(run.finish()?)
//! }
//! ```

mod error;
mod options;
mod recipe;
mod report;
mod sets;

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use crate::models::write_atomically;
use crate::terminal::stopping;

pub use std::process::ExitCode;

pub use error::{Error, Result};
pub use options::{Common, MemberOptions};
pub use recipe::{Recipe, Training};
pub use report::{Experiment, Measured};
pub use sets::Sets;

pub use crate::data::DataArgs;

/// Parses the options, runs the experiment and prints its error, if any, in one sentence. The exit code after Ctrl-C is 130.
pub fn main<O: clap::Parser, E: Display>(run: impl FnOnce(&O) -> std::result::Result<(), E>) -> ExitCode {
    match run(&O::parse()) {
        // As shells report it of a process that Ctrl-C ended.
        Ok(()) if stopping() => ExitCode::from(130),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence, also where RUST_BACKTRACE is set.
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the folder for the results, and finds out before training whether files can be written there.
///
/// # Errors
/// [`Error::Out`] if they cannot.
pub fn prepare(out: &Path) -> Result<()> {
    let refused = |cause| Error::Out { folder: out.to_owned(), cause };
    std::fs::create_dir_all(out).map_err(refused)?;
    tempfile::tempfile_in(out).map_err(refused)?;
    Ok(())
}

/// Prints the recipe, and writes it into `recipe.toml` beside the results.
///
/// # Errors
/// If it cannot be written.
pub fn keep_recipe(out: &Path, recipe: &impl Serialize) -> Result<()> {
    let toml = toml::to_string_pretty(recipe).map_err(|error| Error::Unwritten(error.to_string()))?;
    println!("\n{toml}");
    Ok(write_atomically(&out.join("recipe.toml"), toml.as_bytes())?)
}
