//! What the suites share: options, measurement by criterion, the printed table and the JSON file.

pub(crate) mod ceilings;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use criterion::{BenchmarkId, Criterion};
use serde::Serialize;
use strait::{Device, Precision};

/// The options of a suite.
#[derive(Parser)]
pub(crate) struct Options {
    /// Measure only what has this in its name
    pub(crate) filter: Option<String>,
    /// The filter is a whole name
    #[arg(long)]
    exact: bool,
    /// auto, cpu, gpu, or the number or a part of the name of an adapter
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Write the rows of the table to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Seconds of measurement for each row
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// f32, mixed, split, or auto for the device's fastest: the precision of the products
    #[arg(long, default_value = "f32")]
    precision: String,
    /// Measure without criterion: N repetitions after one to warm up, as `benches/compare` asks for
    #[arg(long, value_name = "N")]
    pub(crate) once: Option<u64>,
    /// Training images; 60000 for all of them
    #[arg(long, default_value_t = 6000)]
    pub(crate) images: usize,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a repetition of some work does.
#[derive(Clone, Default)]
pub(crate) struct Work {
    /// What is done.
    pub(crate) name: String,
    /// Multiplications and additions of its products.
    pub(crate) flops: f64,
    /// Bytes that it reads and writes at least.
    pub(crate) bytes: f64,
    /// Training steps.
    pub(crate) steps: f64,
    /// Rows trained on or encoded.
    pub(crate) rows: f64,
}

/// A measured row of the table, per repetition.
#[derive(Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) device: String,
    pub(crate) precision: &'static str,
    pub(crate) seconds: f64,
    /// Half the distance between the quartiles, as a share of the median.
    pub(crate) spread: f64,
    pub(crate) gflops: f64,
    pub(crate) gigabytes_per_second: f64,
    /// The time that the arithmetic alone takes at the measured ceiling, as a share of the time.
    pub(crate) share_of_product_ceiling: f64,
    pub(crate) share_of_copy_ceiling: f64,
    #[serde(flatten)]
    pub(crate) notes: Notes,
}

/// What training tells beside its time.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Notes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds_per_step: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) images_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dispatches_per_step: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host_microseconds_per_step: Option<f64>,
    /// The error of the last repetition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host_megabytes: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_megabytes: Option<f64>,
}

/// A running suite.
pub(crate) struct Suite {
    pub(crate) options: Options,
    pub(crate) device: Device,
    pub(crate) precision: Precision,
    pub(crate) ceilings: ceilings::Ceilings,
    criterion: Criterion,
    rows: Vec<Row>,
}

impl Suite {
    /// Opens the device and measures its ceilings.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let options = Options::parse();
        let device = Device::named(&options.device)?;
        let precision = device
            .precision(&options.precision)
            .with_context(|| format!("--precision {}: it must be auto, f32, mixed or split", options.precision))?;
        println!("{}, {}", device.describe(), precision.name());
        let ceilings = ceilings::Ceilings::measure(&device)?;
        println!("{ceilings}\n");
        let criterion = Criterion::default()
            .without_plots()
            .sample_size(10)
            .warm_up_time(Duration::from_secs_f64(0.3 * options.seconds))
            .measurement_time(Duration::from_secs_f64(options.seconds));
        Ok(Self { options, device, precision, ceilings, criterion, rows: Vec::new() })
    }

    /// Whether the options ask for this work.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let exact = self.options.exact;
        self.options.filter.as_ref().is_none_or(|filter| if exact { name == filter } else { name.contains(filter) })
    }

    /// Measures work; `run` does it that often and tells how long it took, beside what it notes.
    pub(crate) fn measure(&mut self, work: &Work, mut run: impl FnMut(u64) -> (Duration, Notes)) {
        if !self.wants(&work.name) {
            return;
        }
        let mut samples = Vec::new();
        let mut notes = Notes::default();
        let mut sample = |count: u64| {
            let (time, noted) = run(count);
            notes = noted;
            samples.push(time.as_secs_f64() / count as f64);
            time
        };
        match self.options.once {
            Some(count) => {
                sample(count);
            }
            None => {
                let mut group = self.criterion.benchmark_group("strait");
                let id = BenchmarkId::from_parameter(&work.name);
                group.bench_function(id, |bencher| bencher.iter_custom(&mut sample));
                group.finish();
            }
        }
        // The last ten are criterion's samples; those before warmed up.
        let keep = samples.len().min(10);
        let samples = samples.split_off(samples.len() - keep);
        self.add(work, samples, notes);
    }

    /// Adds a row of the table: the seconds that repetitions of some work took, at least one.
    pub(crate) fn add(&mut self, work: &Work, mut samples: Vec<f64>, mut notes: Notes) {
        samples.sort_by(f64::total_cmp);
        let quantile = |q: f64| samples[((samples.len() - 1) as f64 * q).round() as usize];
        let seconds = quantile(0.5);
        if work.steps > 0.0 {
            notes.seconds_per_step = Some(seconds / work.steps);
        }
        if work.rows > 0.0 {
            notes.images_per_second = Some(work.rows / seconds);
        }
        let (gflops, gigabytes) = (work.flops / seconds * 1e-9, work.bytes / seconds * 1e-9);
        self.rows.push(Row {
            work: work.name.clone(),
            device: self.device.describe(),
            precision: self.precision.name(),
            seconds,
            spread: 0.5 * (quantile(0.75) - quantile(0.25)) / seconds,
            gflops,
            gigabytes_per_second: gigabytes,
            share_of_product_ceiling: gflops / self.ceilings.product_gflops(),
            share_of_copy_ceiling: gigabytes / self.ceilings.copy_gigabytes_per_second(),
            notes,
        });
        // A run that is cut short leaves the rows that it has; `finish` reports a file that cannot be written.
        let _ = self.write();
    }

    /// Writes the table where the options say.
    fn write(&self) -> anyhow::Result<()> {
        let Some(path) = &self.options.json else {
            return Ok(());
        };
        let all = serde_json::json!({ "ceilings": self.ceilings, "rows": self.rows });
        strait::models::write_atomically(path, serde_json::to_string_pretty(&all)?.as_bytes())
            .with_context(|| format!("--json {}", path.display()))
    }

    /// Prints the table, and writes it where the options say.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        println!(
            "\n{:<58}{:>11}{:>8}{:>9}{:>8}{:>9}{:>8}{:>11}{:>10}{:>10}",
            "work", "ms", "spread", "GFLOP/s", "GB/s", "products", "copy", "images/s", "dispatches", "host us"
        );
        for row in &self.rows {
            let optional = |value: Option<f64>, digits: usize| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
            };
            println!(
                "{:<58}{:>11.4}{:>7.1}%{:>9.1}{:>8.1}{:>8.0}%{:>7.0}%{:>11}{:>10}{:>10}",
                row.work,
                1e3 * row.seconds,
                100.0 * row.spread,
                row.gflops,
                row.gigabytes_per_second,
                100.0 * row.share_of_product_ceiling,
                100.0 * row.share_of_copy_ceiling,
                optional(row.notes.images_per_second, 0),
                optional(row.notes.dispatches_per_step, 0),
                optional(row.notes.host_microseconds_per_step, 1),
            );
        }
        self.write()
    }
}
