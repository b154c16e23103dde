//! Restricted Boltzmann machines on binary MNIST: one so small that its likelihood can be summed, trained by contrastive
//! divergence (Hinton 2002), with persistent chains (Tieleman 2008), with fast weights on top (Tieleman & Hinton 2009) and with
//! chains at several temperatures (Desjardins et al. 2010), its partition function also estimated by annealed importance
//! sampling (Salakhutdinov & Murray 2008); and a larger one, with its filters and what it believes in. While they learn, the
//! free energies of test images are watched beside those of training images.
//!
//!     cargo run --release --example rbm

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Measured, Member, Report, draw_filters, higher, lower, pictures};
use strait::models::Annealing;
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::{Chain, FineTuned};
use strait::{Rbm, data};

/// Fantasies of a kind that are drawn.
const DRAWN: usize = 12;

#[derive(Parser)]
#[command(about = "Trains restricted Boltzmann machines on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Hidden units of the machine whose likelihood is summed
    #[arg(long)]
    small: Option<usize>,
    /// Temperatures of annealed importance sampling
    #[arg(long)]
    temperatures: Option<usize>,
    /// Where the results go
    #[arg(long, default_value = "out/rbm")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// Hidden units of the machine that is summed, at most 25.
    small: usize,
    /// Hidden units of the larger one.
    code: usize,
    /// Temperatures of annealed importance sampling.
    temperatures: usize,
    /// Temperatures of the tempered chains, and the lowest of their inverses.
    temperatures_of_chains: usize,
    hottest: f32,
    /// Training of the small machine, with either kind of chain.
    summed: Pretrain,
    /// Training of the larger one.
    training: Pretrain,
}

impl Default for Recipe {
    fn default() -> Self {
        let binary = Pretrain { code: Units::Bernoulli, weight_cost: 0.0, ..Pretrain::default() };
        let slow = Pretrain { rate: 0.02, final_momentum: 0.5, ..binary.clone() };
        Self {
            small: 20,
            code: 500,
            temperatures: 10_000,
            temperatures_of_chains: 10,
            hottest: 0.5,
            summed: Pretrain { epochs: 20, ..slow.clone() },
            training: Pretrain { epochs: 20, chain: Chain::Persistent, ..slow },
        }
    }
}

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::Pretrain(&mut self.training)
    }

    fn set_precision(&mut self, precision: Precision) {
        (self.summed.precision, self.training.precision) = (precision, precision);
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

/// Pixels that are on or off.
fn binary(images: &data::Images, count: usize) -> Vec<u8> {
    let size = images.width * images.height;
    images.pixels[..count * size].iter().map(|&pixel| if pixel > 127 { 255 } else { 0 }).collect()
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    recipe.small = options.small.unwrap_or(recipe.small);
    recipe.temperatures = options.temperatures.unwrap_or(recipe.temperatures);
    if let Some(epochs) = options.member.common.epochs {
        recipe.summed.epochs = epochs;
    }
    recipe.summed.seed = options.member.common.seed.unwrap_or(recipe.summed.seed);
    recipe.summed.check().context("the recipe of the machine that is summed")?;
    let tempered = Chain::Tempered { chains: recipe.temperatures_of_chains, hottest: recipe.hottest };
    Pretrain { chain: tempered, ..recipe.summed.clone() }.check()?;
    if recipe.temperatures == 0 {
        bail!("--temperatures 0: there must be at least one");
    }
    if [&recipe.summed, &recipe.training]
        .iter()
        .any(|recipe| recipe.visible != Units::Bernoulli || recipe.code != Units::Bernoulli)
    {
        bail!("the recipe has machines of real-valued units, but likelihoods are those of binary ones");
    }
    if !(1..=25).contains(&recipe.small) {
        bail!("--small {}: a machine of 1 to 25 hidden units can be summed", recipe.small);
    }
    let mnist = Mnist::open(&options.member.common.data)?;
    let (images, test) = options.member.common.rows(&mnist);
    strait::models::check_sizes(&[images.width, recipe.code])?;
    let [pixels, test_pixels] = [binary(&mnist.train, images.count), binary(&mnist.test, test.count)];
    let (rows, test) = (Rows::bytes(&pixels, images.width)?, Rows::bytes(&test_pixels, images.width)?);
    let device = options.member.begin(&options.out, &mut recipe)?;

    let mut terminal = Terminal::new();
    let mut seconds = 0.0;
    let mut train = |recipe: &Pretrain, hidden: usize| -> Result<Option<Rbm>> {
        let trained = recipe
            .run(&device, &[rows.width, hidden], rows)?
            .held_out(test)?
            .observe(|event| terminal.show(event))
            .train()?;
        seconds += trained.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
        Ok(trained.stack.rbms.into_iter().next())
    };
    let annealing = Annealing { temperatures: recipe.temperatures, seed: recipe.training.seed, ..Annealing::default() };
    let mut measured: Vec<Measured> = Vec::new();
    for (name, chain) in [
        ("CD-1", Chain::Data),
        ("PCD-1", Chain::Persistent),
        ("FPCD-1", Chain::FastPersistent { rate: recipe.summed.rate }),
        ("tempered", tempered),
    ] {
        if stopping() {
            break;
        }
        println!("\n{name}, {} hidden units", recipe.small);
        let trained = train(&Pretrain { chain, ..recipe.summed.clone() }, recipe.small)?;
        let Some(rbm) = trained.filter(|_| !stopping()) else { break };
        let exact = rbm.log_partition(&device, None)?;
        // So small a machine leaves time for more and longer chains.
        let more = Annealing { temperatures: annealing.temperatures.saturating_mul(3), chains: 300, ..annealing };
        let estimate = rbm.annealed_partition(&device, rows, None, &more)?;
        let of_machine = format!("{} hidden units, {name}", recipe.small);
        let likelihood = -mean(&rbm.free_energies(&device, test)?) - exact;
        measured.push(higher(format!("log-likelihood of a test image in nats, {of_machine}"), likelihood, None));
        measured.push(lower(format!("ln Z, {of_machine}"), exact, None));
        let off = (estimate.log - exact).abs();
        measured.push(lower(format!("how far annealed importance sampling is off, {of_machine}"), off, None));
        let error = estimate.high - estimate.log;
        measured.push(lower(format!("three standard errors of that, upwards, {of_machine}"), error, None));
    }
    let large = if stopping() {
        None
    } else {
        println!("\n{} hidden units", recipe.code);
        train(&recipe.training, recipe.code)?
    };
    if let Some(rbm) = large.as_ref().filter(|_| !stopping()) {
        let of_machine = format!("{} hidden units", recipe.code);
        let estimate = rbm.annealed_partition(&device, rows, None, &annealing)?;
        let [known, unknown] = [rows.first(test.count), test].map(|rows| rbm.free_energies(&device, rows));
        let (known, unknown) = (mean(&known?), mean(&unknown?));
        let what = format!("log-likelihood of a test image in nats, estimated, {of_machine}");
        measured.push(higher(what, -unknown - estimate.log, None));
        let error = estimate.high - estimate.log;
        measured.push(lower(format!("three standard errors of ln Z, upwards, {of_machine}"), error, None));
        measured.push(lower(
            format!("free energy of test images over that of training images, {of_machine}"),
            unknown - known,
            None,
        ));
        let pseudo = rbm.pseudo_log_likelihood(&device, test, recipe.training.seed)?;
        measured.push(higher(format!("pseudo-log-likelihood of a test image in nats, {of_machine}"), pseudo, None));
        rbm.save(options.out.join("model.safetensors"))?;
        draw(options, &device, rbm, test, mnist.test.width, recipe.training.seed)?;
    }
    let mut report = Report::new(&device, recipe.training.precision, &recipe, rows.count, FineTuned::default());
    (report.seconds_train, report.stopped) = (seconds, stopping());
    report.measured = measured;
    report.finish(&options.out)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The weights of hidden units, and what becomes of test images in chains of Gibbs sampling.
fn draw(options: &Options, device: &Device, rbm: &Rbm, test: Rows<'_>, width: usize, seed: u64) -> Result<()> {
    draw_filters(&options.out.join("filters.png"), &rbm.up(), width)?;
    let starts = test.first(DRAWN);
    let mut rows = vec![LabelledRow { label: "test images", images: pictures(&starts.to_numbers(), test.width) }];
    for (label, steps) in
        [("1 step", 1), ("10 steps", 10), ("100 steps", 100), ("1000 steps", 1000), ("10000 steps", 10_000)]
    {
        let fantasies = rbm.fantasies(device, starts, steps, seed)?;
        rows.push(LabelledRow { label, images: pictures(&fantasies, test.width) });
    }
    Ok(labelled_rows(&options.out.join("fantasies.png"), width, &rows)?)
}
