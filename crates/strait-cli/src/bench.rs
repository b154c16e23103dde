//! `strait bench`: what this machine can do, and how fast it trains.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use strait::compute::{Ceilings, Hardware};
use strait::data::{DataArgs, Options};
use strait::experiment::{Sets, precision};
use strait::hinton2006::{Recipe, SIZES};
use strait::train::{PretrainPlan, Run};
use strait::{Device, FineTune, Precision, Rows, curves, say, set_quiet};

/// Images of an epoch where no data are given: enough for seconds on a CPU.
const IMAGES: usize = 10_000;

/// The same on a software adapter, which takes minutes for them.
const FEW: usize = 500;

/// Measures products, memory and an epoch of the main job: pretraining, fine-tuning and encoding by 784-1000-500-250-30.
#[derive(Args)]
pub(crate) struct Bench {
    /// Rows to train on, all from 0 to 1; without them images of curves are drawn
    #[arg(long)]
    data: Option<std::path::PathBuf>,
    /// Train on the first N rows only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Rows of a minibatch
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// auto (a GPU if there is one, else the CPU), cpu, cpu:N, gpu, or the number or a part of the name of an adapter
    #[arg(long, default_value = "auto")]
    device: String,
    /// auto (the fastest that costs no accuracy on the device), f32, mixed or split
    #[arg(long)]
    precision: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: DataArgs,
}

/// The part that is no training.
const ENCODING: &str = "encoding";

/// A part of the main job, timed.
struct Timed {
    name: String,
    seconds: f64,
    /// Floating-point operations of its products.
    flops: f64,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<()> {
        set_quiet(self.json);
        let device = Device::named(&self.device)?;
        let precision = precision(&device, self.precision.as_deref(), None)?;
        let opened = self.data.as_ref().map(|path| Sets::open(path, &self.read.over(&Options::default()), 1));
        let sets = opened.transpose()?.map(|sets| sets.scaled(self.read.scale().unwrap_or_default())).transpose()?;
        let drawn = match sets {
            Some(_) => Vec::new(),
            None if device.hardware() == Hardware::SoftwareGpu => curves::images(FEW, 1),
            None => curves::images(IMAGES, 1),
        };
        let rows = match &sets {
            Some(sets) => sets.rows(None)?.0,
            None => Rows::bytes(&drawn, SIZES[0])?,
        };
        let rows = rows.first(self.limit.unwrap_or(usize::MAX).min(rows.count));
        let (batch, count) = (self.batch, rows.count);
        ensure!(batch > 0 && count >= batch, "--batch {batch}: expected 1 to {count}, the number of rows");
        let mut recipe = Recipe::quick().in_precision(precision);
        (recipe.pretrain.epochs, recipe.pretrain.batch) = (2, self.batch);
        recipe.pretrain.initial_epochs = 1;
        (recipe.finetune.epochs, recipe.finetune.batch) = (2, self.batch);
        let sizes = [&[rows.width], &SIZES[1..]].concat();
        // Refuses values that are not from 0 to 1 before anything is measured.
        let pretraining = recipe.pretrain.run(&device, &sizes, rows)?;
        say!("{}, {}", device.describe(), precision.name());
        let ceilings = Ceilings::measure(&device, precision)?;
        // Models are evaluated in f32 whatever they are trained in.
        let evaluation = match precision {
            Precision::F32 => ceilings,
            _ => Ceilings::measure(&device, Precision::F32)?,
        };
        say!("{ceilings}\n");
        let shown = if sets.is_some() { "rows" } else { "drawn images" };
        say!("an epoch of {} {shown}, batch {}:", rows.count, self.batch);
        let timed = measure(&device, pretraining, &recipe.finetune, (&sizes, rows))?;
        let total: f64 = timed.iter().map(|part| part.seconds).sum();
        for part in &timed {
            let ceiling = if part.name == ENCODING { evaluation } else { ceilings }.product_gflops;
            let share = 100.0 * part.flops * 1e-9 / ceiling / part.seconds;
            let speed = count as f64 / part.seconds;
            say!(
                "{:<24}{:>8.3} s {speed:>9.0} rows/s, products at {share:.0} % of their ceiling",
                part.name,
                part.seconds
            );
        }
        say!("{:<24}{total:>8.3} s", "together");
        if self.json {
            let part = |part: &Timed| serde_json::json!({ "name": part.name, "rows": count, "seconds": part.seconds, "flops": part.flops });
            let parts: Vec<_> = timed.iter().map(part).collect();
            let all = serde_json::json!({
                "device": device.describe(), "precision": precision.name(), "version": env!("CARGO_PKG_VERSION"),
                "ceilings": ceilings, "batch": self.batch, "parts": parts, "seconds": total,
            });
            set_quiet(false);
            say!("{all:#}");
        }
        Ok(())
    }
}

/// The second epoch of each part, as the first one warms up.
fn measure<'a>(
    device: &Device,
    pretraining: Run<'a, PretrainPlan<'a>>,
    finetune: &FineTune,
    (sizes, rows): (&[usize], Rows<'_>),
) -> Result<Vec<Timed>> {
    let trained = pretraining.train()?;
    let count = rows.count as f64;
    let mut timed = Vec::new();
    for (pair, epochs) in sizes.windows(2).zip(&trained.layers) {
        // Three products of rows with the weights, and two of statistics.
        let flops = 10.0 * count * (pair[0] * pair[1]) as f64;
        let name = format!("CD-1, {}-{}", pair[0], pair[1]);
        timed.push(Timed { name, seconds: epochs[epochs.len() - 1].seconds, flops });
    }
    let mut net = trained.stack.unroll();
    let all: f64 = net.layers.iter().map(|layer| layer.weight.len() as f64).sum();
    let tuned = finetune.run(device, &mut net, rows)?.train()?;
    // Forward, backward and the gradient; nothing is passed back behind the first layer.
    let flops = count * (6.0 * all - 2.0 * net.layers[0].weight.len() as f64);
    let seconds = tuned.epochs[tuned.epochs.len() - 1].seconds;
    timed.push(Timed { name: "fine-tuning, Adam".to_owned(), seconds, flops });
    let mut seconds = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        net.encode(device, rows)?;
        seconds = start.elapsed().as_secs_f64().min(seconds);
    }
    timed.push(Timed { name: ENCODING.to_owned(), seconds, flops: count * all });
    Ok(timed)
}
