//! What checkpoints cost training, with the paper's net and Adam (34 MB):
//!
//!     cargo bench --bench checkpoints -- [--device NAME] [--epochs N]
//!
//! Compares handing the state to the writer thread with a memory copy of the same size, and epochs of fine-tuning on MNIST at batch 1000
//! with a checkpoint after each with epochs without, in turn.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use strait::Program;
use strait::hinton2006::SIZES;
use strait::prelude::*;
use strait::train::{CheckpointOptions, Checkpoints};

fn main() -> Result<()> {
    // Cargo adds --bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let option =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let device = Device::named(option("--device").map_or("cpu", String::as_str))?;
    let epochs: usize = option("--epochs").map_or(Ok(5), |epochs| epochs.parse()).context("--epochs: a number")?;
    println!("{}", device.describe());
    hand_over(&device)?;
    whole_epochs(&device, epochs)
}

/// The shortest time of several.
fn shortest(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..30 {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn hand_over(device: &Device) -> Result<()> {
    let net = Autoencoder::glorot(&SIZES, 1)?;
    let mut program = Program::default();
    let mut tensors = Vec::new();
    for (number, layer) in net.layers.iter().enumerate() {
        for (what, rows, cols) in [("weight", layer.inputs, layer.outputs), ("bias", 1, layer.outputs)] {
            tensors.push(program.parameter(format!("{number}.{what}"), rows, cols));
            for moment in ["first", "second"] {
                tensors.push(program.parameter(format!("{number}.{what}.{moment}"), rows, cols));
            }
        }
    }
    let mut execution = device.load(program)?;
    // Pages are mapped when they are first written.
    for tensor in &tensors {
        execution.write(*tensor, &vec![0.5; tensor.len()])?;
    }
    let mut values = Vec::new();
    execution.read_into(&tensors, &mut values)?;
    let read = shortest(|| Ok(execution.read_into(&tensors, &mut values)?))?;
    let numbers: usize = values.iter().map(Vec::len).sum();
    let (from, mut to) = (vec![1.0f32; numbers], vec![0.0f32; numbers]);
    let copied = shortest(|| {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&to);
        Ok(())
    })?;
    println!(
        "{:.1} MB: handed over in {:.2} ms, copied in {:.2} ms, ratio {:.2}",
        4e-6 * numbers as f64,
        1e3 * read,
        1e3 * copied,
        read / copied
    );
    Ok(())
}

fn whole_epochs(device: &Device, epochs: usize) -> Result<()> {
    let mnist = Mnist::open("data/mnist")?;
    let rows = mnist.train.rows();
    let recipe =
        FineTune { epochs: usize::MAX >> 32, batch: 1000, schedule: Schedule::Constant, ..FineTune::default() };
    let folder = tempfile::tempdir()?;
    let every = CheckpointOptions { every: Duration::MAX, epochs: Some(1), ..CheckpointOptions::default() };
    let kept = Checkpoints::open(folder.path(), every)?;
    let mut nets = [Autoencoder::glorot(&SIZES, 1)?, Autoencoder::glorot(&SIZES, 1)?];
    let [plain, keeping] = &mut nets;
    let mut plain = recipe.run(device, plain, rows)?;
    let mut keeping = recipe.run(device, keeping, rows)?.checkpoints(&kept, "net");
    // Both in turn, so that neither has the better moments.
    let (mut without, mut with) = (f64::INFINITY, f64::INFINITY);
    let (mut sum_without, mut sum_with) = (0.0, 0.0);
    for epoch in 0..=epochs {
        let start = Instant::now();
        plain.epoch()?;
        let first = start.elapsed().as_secs_f64();
        let start = Instant::now();
        keeping.epoch()?;
        let second = start.elapsed().as_secs_f64();
        if epoch > 0 {
            (without, with) = (without.min(first), with.min(second));
            (sum_without, sum_with) = (sum_without + first, sum_with + second);
        }
    }
    let each = epochs as f64;
    println!(
        "an epoch at batch 1000: {:.3} s, with a checkpoint after it {:.3} s, ratio {:.4} (shortest), {:.4} (mean of {epochs})",
        without,
        with,
        with / without,
        (sum_with / each) / (sum_without / each)
    );
    Ok(())
}
