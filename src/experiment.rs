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
mod page;
mod recipe;
mod report;
mod sets;

use std::fmt::Display;
use std::path::Path;
use std::sync::OnceLock;

use serde::Serialize;

use crate::compute::Operands;
use crate::metrics::Metrics;
use crate::models::write_atomically;
use crate::terminal::stop_code;
use crate::train::{CheckpointOptions, Checkpoints};
use crate::{Device, Precision, say, warn};

pub use std::process::ExitCode;

pub use error::{Error, Result};
pub use options::{Common, MemberOptions};
pub use recipe::{Recipe, Training};
pub(crate) use report::JUDGED;
pub use report::{Experiment, Measured};
pub use sets::Sets;

pub use crate::data::DataArgs;

/// The exit code of a run that diverged.
const DIVERGED: u8 = 3;

/// The checkpoints of the experiment.
static CHECKPOINTS: OnceLock<Checkpoints> = OnceLock::new();

/// Lets [`main`] know of checkpoints.
fn watched(checkpoints: Checkpoints) -> Checkpoints {
    CHECKPOINTS.get_or_init(|| checkpoints.clone());
    checkpoints
}

/// Parses the options, runs the experiment and prints its error, if any, in one sentence. The exit code is 130 after Ctrl-C, 143 after
/// SIGTERM and 129 after SIGHUP; 3 if training diverged; 1 after other errors, and where the last checkpoint could not be written.
pub fn main<O, E>(run: impl FnOnce(&O) -> std::result::Result<(), E>) -> ExitCode
where
    O: clap::Parser,
    E: Display + AsRef<dyn std::error::Error + 'static>,
{
    exit_code(run(&O::parse()))
}

/// The exit code of a program with this result, whose error is printed in one sentence; see [`main`].
pub fn exit_code<E>(result: std::result::Result<(), E>) -> ExitCode
where
    E: Display + AsRef<dyn std::error::Error + 'static>,
{
    match result {
        Ok(()) => {
            if let Some(failed) = CHECKPOINTS.get().and_then(Checkpoints::failed) {
                warn!("Error: {failed}");
                return ExitCode::FAILURE;
            }
            // As shells report it of a process that a signal ended.
            stop_code().map_or(ExitCode::SUCCESS, ExitCode::from)
        }
        Err(error) => {
            // One sentence, also where RUST_BACKTRACE is set.
            warn!("Error: {error:#}");
            ExitCode::from(code_of(error.as_ref()))
        }
    }
}

/// The exit code of an error: 3 where training diverged, else 1.
pub fn code_of(error: &(dyn std::error::Error + 'static)) -> u8 {
    if diverged(error) { DIVERGED } else { 1 }
}

/// Whether an error, or what caused it, is that training diverged.
fn diverged(error: &(dyn std::error::Error + 'static)) -> bool {
    let is = |error: &(dyn std::error::Error + 'static)| {
        let own = match error.downcast_ref::<Error>() {
            Some(Error::Train(error)) => Some(error),
            _ => error.downcast_ref::<crate::train::Error>(),
        };
        matches!(own, Some(crate::train::Error::Diverged { .. }))
    };
    std::iter::successors(Some(error), |error| error.source()).any(is)
}

/// The checkpoints and the metrics in a folder; says where checkpoints of an earlier run went.
///
/// # Errors
/// As [`Checkpoints::open`].
pub fn keep(out: &Path, options: CheckpointOptions) -> Result<(Checkpoints, Metrics)> {
    let kept = Checkpoints::open(out, options)?;
    if let Some(moved) = kept.moved() {
        let moved = moved.display();
        say!("the checkpoints of an earlier run are in {moved} now; --resume would have gone on from them");
    }
    let metrics = Metrics::open(out, options.resume);
    let metrics = metrics.map_err(|cause| Error::Out { folder: out.to_owned(), cause })?;
    Ok((watched(kept), metrics))
}

/// The precision of that name on a device, `auto` without one. A device that multiplies in f32 only trains in f32, and says so.
///
/// # Errors
/// [`Error::Precision`] if there is none of that name.
pub fn precision(device: &Device, name: Option<&str>, said: Option<Precision>) -> Result<Precision> {
    let precision = match (name, said) {
        (None, Some(precision)) => precision,
        (name, _) => {
            let name = name.unwrap_or("auto");
            device.precision(name).ok_or_else(|| Error::Precision(name.to_owned()))?
        }
    };
    if precision != Precision::F32 && device.operands(precision) == Operands::F32 {
        warn!("{} multiplies in f32 only, so --precision {} is f32 there", device.describe(), precision.name());
        return Ok(Precision::F32);
    }
    Ok(precision)
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

/// Prints the recipe, and writes it into `recipe.toml` beside the results. That of a run that may go on is left as it is, since this one
/// may be refused; [`write_recipe`] writes it in the end.
///
/// # Errors
/// If it cannot be written.
pub fn keep_recipe(out: &Path, recipe: &impl Serialize, resume: bool) -> Result<()> {
    say!("\n{}", text_of(recipe)?);
    if resume && out.join(RECIPE).exists() { Ok(()) } else { write_recipe(out, recipe) }
}

/// Writes the recipe into `recipe.toml` beside the results.
///
/// # Errors
/// If it cannot be written.
pub fn write_recipe(out: &Path, recipe: &impl Serialize) -> Result<()> {
    write_as(out, RECIPE, recipe)
}

pub(crate) fn write_as(out: &Path, file: &str, recipe: &impl Serialize) -> Result<()> {
    Ok(write_atomically(&out.join(file), text_of(recipe)?.as_bytes())?)
}

fn text_of(recipe: &impl Serialize) -> Result<String> {
    toml::to_string(recipe).map_err(|error| Error::Unwritten(error.to_string()))
}

/// The recipe beside the results.
const RECIPE: &str = "recipe.toml";
