//! Encoding the rows of a file, from memory and from the file itself, with the memory that it takes:
//!
//!     cargo bench --bench files -- MODEL FILE [memory|file|pca|train-memory|train-file] [--repetitions N]
//!
//! For `pca`, MODEL is the number of components. For `train-memory` and `train-file` it is the number of rows, which are trained on as by
//! `hinton2006 --pretrain-epochs 1 --epochs 2`: kept by the device as a whole, or in parts from the mapped file.
//!
//! Prints one line of JSON: the shortest time and the largest anonymous memory (`RssAnon`, Linux). `benches/files.py` makes the files,
//! runs this and its peers in turn, and writes the table.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use strait::compute::{Backend, Buffer, Cpu, Execution, Hardware, Operands, Program, Tensor};
use strait::data::{ByteValues, Options, open};
use strait::prelude::*;

fn main() -> Result<()> {
    // Cargo adds --bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (mut plain, mut repetitions) = (Vec::new(), 1);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--repetitions" => repetitions = rest.next().context("--repetitions: a number")?.parse()?,
            _ => plain.push(argument.as_str()),
        }
    }
    let [model, file, rest @ ..] = &plain[..] else {
        println!("files: needs a model and a file");
        return Ok(());
    };
    let mode = rest.first().copied().unwrap_or("file");
    let device = Device::named("cpu")?;
    let stop = AtomicBool::new(false);
    let most = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                most.fetch_max(anonymous(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let run = || -> Result<f64> {
            let mut best = f64::INFINITY;
            for _ in 0..repetitions {
                best = best.min(once(&device, model, file, mode)?);
            }
            Ok(best)
        };
        let best = run();
        stop.store(true, Ordering::Relaxed);
        let (seconds, anonymous) = (best?, most.load(Ordering::Relaxed));
        println!("{{\"mode\": \"{mode}\", \"seconds\": {seconds:.3}, \"rss_anon_mb\": {anonymous}}}");
        Ok(())
    })
}

/// The time of one run.
fn once(device: &Device, model: &str, file: &str, mode: &str) -> Result<f64> {
    let options = Options { bytes: ByteValues::Pixels, ..Options::default() };
    if mode == "pca" {
        let components = model.parse().context("with pca, MODEL is a number of components")?;
        let data = open(file, &options)?;
        let start = Instant::now();
        let pca = Pca::fit_data(device, &data, components)?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("variance along the components {:.4}", pca.variances.iter().sum::<f64>());
        return Ok(seconds);
    }
    if let Some(place) = mode.strip_prefix("train-") {
        let data = open(file, &options)?;
        let rows = data.rows()?.first(model.parse().context("to train, MODEL is a number of rows")?);
        let kept;
        let (device, rows) = if place == "memory" {
            kept = rows.to_numbers();
            (Device::new(Large(Cpu::new()?)), Rows::numbers(&kept, rows.width)?)
        } else {
            (device.clone(), rows)
        };
        let start = Instant::now();
        let pretrain = Pretrain { epochs: 1, ..Pretrain::default() };
        let mut net = pretrain.fit(&device, &[rows.width, 1000, 500, 250, 30], rows)?.stack.unroll();
        let tune = FineTune { epochs: 2, ..FineTune::default() };
        let tuned = tune.run(&device, &mut net, rows)?.train()?;
        eprintln!("loss {:?}", tuned.epochs.last().map(|epoch| epoch.train_loss));
        return Ok(start.elapsed().as_secs_f64());
    }
    let model = Model::open(model)?;
    let mut loaded = model.on(device)?;
    let mut sum = 0.0;
    let seconds = match mode {
        "memory" => {
            let data = open(file, &options)?;
            let numbers = data.rows()?.to_numbers();
            let rows = Rows::numbers(&numbers, data.width())?;
            let start = Instant::now();
            sum += model.encode(device, rows)?.iter().map(|&x| f64::from(x)).sum::<f64>();
            start.elapsed().as_secs_f64()
        }
        "file" => {
            let start = Instant::now();
            let data = open(file, &options)?;
            loaded.encode_data(&data, |codes| {
                sum += codes.iter().map(|&x| f64::from(x)).sum::<f64>();
                Ok(())
            })?;
            start.elapsed().as_secs_f64()
        }
        other => bail!("{other}: it must be memory, file or pca"),
    };
    eprintln!("sum of the codes {sum:.3}");
    Ok(seconds)
}

/// The CPU with room for any training set.
struct Large(Cpu);

impl Backend for Large {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn hardware(&self) -> Hardware {
        self.0.hardware()
    }

    fn largest_tensor(&self) -> Option<u64> {
        Some(1 << 40)
    }

    fn operands(&self, precision: Precision) -> Operands {
        self.0.operands(precision)
    }

    fn fastest(&self) -> Precision {
        self.0.fastest()
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> strait::compute::Result<Box<dyn Execution>> {
        self.0.load(program, shared)
    }
}

/// Anonymous memory in megabytes, where Linux tells it.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
