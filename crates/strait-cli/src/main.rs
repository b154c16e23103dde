//! The program `strait`.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage, 3 training diverged; 130, 143 and 129 after SIGINT, SIGTERM and SIGHUP.

mod apply;
mod bench;
mod cores;
mod devices;
mod evaluate;
mod export;
mod import;
mod init;
mod inspect;
mod inspect_model;
mod inspect_units;
#[cfg(feature = "pictures")]
mod map;
mod nearest;
mod opened;
mod ranks;
mod report;
mod sample;
mod shell;
mod table;
mod target;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use strait::experiment::exit_code;

/// Deep autoencoders and Boltzmann machines: train, encode, score, sample.
#[derive(Parser)]
#[command(name = "strait", version, about, allow_negative_numbers = true)]
struct Cli {
    /// Tell on standard error what is decided on the way: formats, devices, programs, checkpoints
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model by a job or by flags
    Train(Box<train::Train>),
    /// Print a commented job to begin with
    Init(init::Init),
    /// Write the codes of rows
    Encode(apply::Encode),
    /// Write the rows that codes stand for
    Decode(apply::Decode),
    /// Write the reconstructions of rows
    Reconstruct(apply::Reconstruct),
    /// Write how strange each row is to a model, and which are anomalies
    Score(apply::Score),
    /// Write the class of each row
    Classify(apply::Classify),
    /// Write rows that are drawn from a model
    Sample(sample::Sample),
    /// Write the rows of a data set whose codes are nearest to those of others
    Nearest(nearest::Nearest),
    /// Measure a model on a data set
    Eval(evaluate::Evaluate),
    /// Draw the codes of a data set as a map
    #[cfg(feature = "pictures")]
    Map(map::Map),
    /// Describe a data file, a model or a checkpoint
    Inspect(Box<inspect::Inspect>),
    /// Write a model in a format of other programs
    Export(export::Export),
    /// Make a model from another program's
    Import(import::Import),
    /// List the devices that can train
    Devices(devices::Devices),
    /// Measure how fast a device computes and trains
    Bench(bench::Bench),
    /// Write a page that shows runs side by side
    Report(report::Report),
    /// Print a script that completes commands in a shell
    Completions(shell::Completions),
    /// Write the manual pages
    Man(shell::Man),
}

fn main() -> ExitCode {
    let Cli { verbose, command } = Cli::parse();
    if verbose {
        let events = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
        // A closed standard error ends nothing: nor do events that could not be written.
        events.with_writer(std::io::stderr).without_time().log_internal_errors(false).init();
    }
    let result = match command {
        Command::Train(train) => train.run(),
        Command::Init(init) => init.run(),
        Command::Encode(encode) => encode.run(),
        Command::Decode(decode) => decode.run(),
        Command::Reconstruct(reconstruct) => reconstruct.run(),
        Command::Score(score) => score.run(),
        Command::Classify(classify) => classify.run(),
        Command::Sample(sample) => sample.run(),
        Command::Nearest(nearest) => nearest.run(),
        Command::Eval(evaluate) => evaluate.run(),
        #[cfg(feature = "pictures")]
        Command::Map(map) => map.run(),
        Command::Inspect(inspect) => match inspect.run() {
            Ok(true) => Ok(()),
            // It has said what is wrong.
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
        Command::Export(export) => export.run(),
        Command::Import(import) => import.run(),
        Command::Devices(devices) => devices.run(),
        Command::Bench(bench) => bench.run(),
        Command::Report(report) => report.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    exit_code(result)
}
