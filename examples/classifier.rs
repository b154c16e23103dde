//! A deep classifier of MNIST digits, pretrained (Hinton & Salakhutdinov 2006): 784-500-500-2000-10, whose hidden layers start
//! as a stack of RBMs; then its output weights learn, then all. Beside it the same net from random weights. With --study:
//! what pretraining by RBMs or by denoising autoencoders brings, by depth and over seeds (Bengio et al. 2006; Erhan et al. 2010).
//!
//!     cargo run --release --example classifier
//!     cargo run --release --example classifier -- --study --limit 10000
//!     cargo run --release --example classifier -- --recipe long

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::plot::{Line, Plot};
use strait::prelude::*;
use strait::train::FineTuned;

#[derive(Parser)]
#[command(about = "Trains a pretrained deep classifier of digits", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// Compare ways to start, by depth and over seeds
    #[arg(long)]
    study: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers.
    hidden: Vec<usize>,
    /// The seeds of the study, which counts them from the training's own.
    seeds: usize,
    /// Epochs in which the output weights alone learn, where the layers below are pretrained.
    output_epochs: usize,
    /// The RBMs.
    rbms: Pretrain,
    /// The denoising autoencoders.
    denoising: MemberRecipe,
    training: MemberRecipe,
}

impl Default for Recipe {
    fn default() -> Self {
        let denoising = FineTune { epochs: 5, ..FineTune::default() };
        Self {
            hidden: vec![500, 500, 2000],
            seeds: 5,
            output_epochs: 2,
            rbms: Pretrain { epochs: 5, code: Units::Bernoulli, ..Pretrain::default() },
            denoising: MemberRecipe { corruption: Some(Noise::Masking(0.25)), ..denoising.into() },
            training: FineTune { epochs: 12, ..FineTune::default() }.into(),
        }
    }
}

/// How a net starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    Random,
    Rbms,
    Denoising,
}

impl Start {
    fn name(self) -> &'static str {
        match self {
            Self::Random => "random weights",
            Self::Rbms => "RBMs",
            Self::Denoising => "denoising",
        }
    }
}

impl experiment::Recipe for Recipe {
    /// With noise on the inputs, which keeps the net from overfitting.
    fn named(name: &str) -> Option<Self> {
        let quick = Self::default();
        let rbms = Pretrain { epochs: 20, ..quick.rbms };
        let tuning = FineTune { epochs: 40, ..quick.training.tuning };
        let training = MemberRecipe { corruption: Some(Noise::Masking(0.25)), ..tuning.into() };
        (name == "long").then_some(Self { rbms, output_epochs: 5, training, ..quick })
    }

    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }

    fn others(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.rbms, &mut self.denoising]
    }
}

/// What a net is trained and tested on.
struct Digits<'a> {
    images: Rows<'a>,
    labelled: Rows<'a>,
    test: Rows<'a>,
    labelled_test: Rows<'a>,
    labels: &'a [u32],
    classes: usize,
}

impl Digits<'_> {
    /// The test error of a net, per cent.
    fn error(&self, device: &Device, net: &Classifier) -> Result<f64> {
        Ok(100.0 * net.error_rate(device, self.test, self.labels)?)
    }
}

/// Shows nothing, but hears signals.
fn quiet() -> impl FnMut(&Event) -> ControlFlow<()> {
    |_| if stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

impl Recipe {
    /// Trains a net on the lowest `depth` hidden layers; gives it with its epochs.
    fn train<S: FnMut(&Event) -> ControlFlow<()>>(
        &self,
        run: &Experiment<Recipe>,
        device: &Device,
        digits: &Digits<'_>,
        (start, depth, seed): (Start, usize, u64),
        show: fn() -> S,
    ) -> Result<(Classifier, FineTuned)> {
        let hidden = &self.hidden[..depth];
        let sizes = [&[digits.images.width], hidden].concat();
        let mut net = match start {
            Start::Random => Classifier::glorot(&[&sizes[..], &[digits.classes]].concat(), Activation::Logistic, seed)?,
            Start::Rbms => {
                let rbms = Pretrain { seed, ..self.rbms.clone() };
                let stack = rbms.run(device, &sizes, digits.images)?;
                let stack = run.keep_with("pretraining", stack, show()).train()?.stack.unroll();
                Classifier::on(&stack.layers[..stack.encoder], digits.classes, seed)?
            }
            Start::Denoising => {
                let tuning = FineTune { seed, ..self.denoising.tuning.clone() };
                let training = MemberRecipe { tuning, ..self.denoising.clone() };
                let stack = Stacked { hidden: hidden.to_vec(), training };
                let layers = run.keep_with("stack", stack.run(device, digits.images)?, show()).train()?.layers;
                Classifier::on(&layers, digits.classes, seed)?
            }
        };
        self.training.set_classifier(&mut net);
        let all = FineTune { seed, ..self.training.tuning.clone() };
        let output = FineTune { epochs: self.output_epochs, frozen: depth, ..all.clone() };
        let mut tune = |recipe: FineTune| -> Result<FineTuned> {
            let tuning = recipe.run(device, &mut net, digits.labelled)?.test(digits.labelled_test)?;
            Ok(run.keep_with("training", tuning, show()).train()?)
        };
        if start != Start::Random && self.output_epochs > 0 && !stopping() {
            tune(output)?;
        }
        // The same number of epochs, however a net starts.
        let first = if start == Start::Random { self.output_epochs } else { 0 };
        let tuned = match stopping() {
            true => FineTuned { stopped: true, ..FineTuned::default() },
            false => tune(FineTune { epochs: self.training.tuning.epochs + first, ..all })?,
        };
        Ok((net, tuned))
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    options.member.set_code(&mut recipe.hidden);
    let stack = Stacked { hidden: recipe.hidden.clone(), training: recipe.denoising.clone() };
    if options.study && recipe.seeds == 0 {
        bail!("seeds = 0: the study takes at least one");
    }
    let mnist = options.member.mnist()?;
    let (images, test) = options.member.rows(&mnist);
    models::check_sizes(&[&[images.width], &recipe.hidden[..]].concat())?;
    stack.check(images.width)?;
    let labels = &mnist.test.labels;
    let classes = mnist.classes();
    let labelled = Labelled::new(images, &mnist.train.labels[..images.count], classes)?;
    let labelled_test = Labelled::new(test, labels, classes)?;
    let digits =
        Digits { images, labelled: labelled.rows(), test, labelled_test: labelled_test.rows(), labels, classes };
    let (device, mut run) = options.member.begin(&mut recipe, images.count)?;

    if options.study {
        return study(&mut run, &recipe, &device, &digits);
    }
    let (depth, seed) = (recipe.hidden.len(), recipe.training.tuning.seed);
    let (net, tuned) = recipe.train(&run, &device, &digits, (Start::Rbms, depth, seed), progress)?;
    run.add_epochs(tuned.epochs);
    net.save(run.path("model.safetensors"))?;
    picture::encoder_filters(&run.path("filters.png"), &net.layers[0], mnist.test.width)?;
    let papers = recipe.hidden == [500, 500, 2000] && options.member.common.limit.is_none();
    let what = "test images read wrongly, per cent";
    let error = digits.error(&device, &net)?;
    run.lower(format!("{what}, pretrained by RBMs"), error).published(papers.then_some(1.2));
    if !stopping() {
        say!("\nfrom random weights");
        let (random, _) = recipe.train(&run, &device, &digits, (Start::Random, depth, seed), progress)?;
        let error = digits.error(&device, &random)?;
        run.lower(format!("{what}, from random weights"), error).published(papers.then_some(1.6));
    }
    Ok(run.finish()?)
}

/// Test errors by start and depth, one for each seed.
type Table = BTreeMap<(Start, usize), Vec<f64>>;

fn study(run: &mut Experiment<Recipe>, recipe: &Recipe, device: &Device, digits: &Digits<'_>) -> Result<()> {
    let mut table = Table::new();
    say!("per cent of the test images read wrongly, {} training images", digits.images.count);
    'all: for seed in 0..recipe.seeds as u64 {
        for depth in 1..=recipe.hidden.len() {
            for start in [Start::Random, Start::Rbms, Start::Denoising] {
                let seeded = (start, depth, recipe.training.tuning.seed.wrapping_add(seed));
                let (net, tuned) = recipe.train(run, device, digits, seeded, quiet)?;
                if tuned.stopped {
                    break 'all;
                }
                let error = digits.error(device, &net)?;
                say!("seed {seed}, {depth} hidden layers, {}: {error:.2}", start.name());
                table.entry((start, depth)).or_default().push(error);
            }
        }
    }
    for (&(start, depth), errors) in &table {
        let (mean, deviation) = moments(errors);
        let (what, seeds) = (format!("{depth} hidden layers, {}", start.name()), errors.len());
        run.lower(format!("{what}: mean over {seeds} seeds of the test images read wrongly, per cent"), mean);
        run.lower(format!("{what}: its standard deviation"), deviation);
    }
    run.finish()?;
    draw(&run.path("study.svg"), &table, digits.images.count)
}

/// Mean and standard deviation.
fn moments(errors: &[f64]) -> (f64, f64) {
    let mean = models::mean(errors);
    let squares: f64 = errors.iter().map(|error| (error - mean).powi(2)).sum();
    (mean, (squares / (errors.len() as f64 - 1.0).max(1.0)).sqrt())
}

fn draw(path: &Path, table: &Table, images: usize) -> Result<()> {
    let all = || table.values().flatten().copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let depths = table.keys().map(|(_, depth)| *depth).max().unwrap_or(1);
    if table.is_empty() {
        return Ok(());
    }
    let margin = 0.1 * (high - low).max(0.1);
    let line = |(start, colour, shift): (Start, _, f64)| {
        let of_start = table.iter().filter(|((other, _), _)| *other == start);
        let (points, deviations) = of_start
            .map(|((_, depth), errors)| {
                let (mean, deviation) = moments(errors);
                ([*depth as f64 + shift, mean], deviation)
            })
            .unzip();
        Line { name: start.name().to_owned(), colour, points, deviations }
    };
    let lines =
        [(Start::Random, plot::GREY, -0.06), (Start::Rbms, plot::RED, 0.0), (Start::Denoising, plot::BLUE, 0.06)];
    let plot = Plot {
        title: &format!("test images read wrongly, per cent ({images} training images)"),
        labels: ["hidden layers", ""],
        ranges: [0.7..depths as f64 + 0.3, low - margin..high + margin],
        log: false,
    };
    Ok(plot.save(path, &lines.map(line))?)
}
