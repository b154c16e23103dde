//! A deep classifier of MNIST digits, pretrained (Hinton & Salakhutdinov 2006): 784-500-500-2000-10, whose hidden layers start
//! as a stack of RBMs; then its output weights learn, then all. Beside it the same net from random weights. With --study:
//! what pretraining by RBMs or by denoising autoencoders brings, by depth and over seeds (Bengio et al. 2006; Erhan et al. 2010).
//!
//!     cargo run --release --example classifier
//!     cargo run --release --example classifier -- --study --limit 10000
//!     cargo run --release --example classifier -- --recipe long

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use shared::{Learning, Measured, Member, Report, draw_filters, lower};
use strait::MemberRecipe;
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::FineTuned;

/// The digits.
const CLASSES: usize = 10;

#[derive(Parser)]
#[command(about = "Trains a pretrained deep classifier of digits", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Compare ways to start, by depth and over seeds
    #[arg(long)]
    study: bool,
    /// Where the results go
    #[arg(long, default_value = "out/classifier")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
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

impl shared::Recipe for Recipe {
    /// With noise on the inputs, which keeps the net from overfitting.
    fn named(name: &str) -> Option<Self> {
        let quick = Self::default();
        let rbms = Pretrain { epochs: 20, ..quick.rbms };
        let tuning = FineTune { epochs: 40, ..quick.training.tuning };
        let training = MemberRecipe { corruption: Some(Noise::Masking(0.25)), ..tuning.into() };
        (name == "long").then_some(Self { rbms, output_epochs: 5, training, ..quick })
    }

    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training.tuning)
    }

    fn set_precision(&mut self, precision: Precision) {
        self.rbms.precision = precision;
        (self.denoising.tuning.precision, self.training.tuning.precision) = (precision, precision);
    }
}

/// What a net is trained and tested on.
struct Digits<'a> {
    images: Rows<'a>,
    labelled: Rows<'a>,
    test: Rows<'a>,
    labelled_test: Rows<'a>,
    labels: &'a [u8],
}

impl Recipe {
    /// Trains a net on the lowest `depth` hidden layers; gives it with its epochs.
    fn train(
        &self,
        device: &Device,
        digits: &Digits<'_>,
        (start, depth, seed): (Start, usize, u64),
        show: &mut dyn FnMut(&Event) -> std::ops::ControlFlow<()>,
    ) -> Result<(Classifier, FineTuned)> {
        let hidden = &self.hidden[..depth];
        let sizes = [&[digits.images.width], hidden].concat();
        let mut net = match start {
            Start::Random => Classifier::glorot(&[&sizes[..], &[CLASSES]].concat(), Activation::Logistic, seed)?,
            Start::Rbms => {
                let rbms = Pretrain { seed, ..self.rbms.clone() };
                let stack = rbms.run(device, &sizes, digits.images)?.observe(&mut *show).train()?.stack.unroll();
                Classifier::on(&stack.layers[..stack.encoder], CLASSES, seed)?
            }
            Start::Denoising => {
                let tuning = FineTune { seed, ..self.denoising.tuning.clone() };
                let training = MemberRecipe { tuning, ..self.denoising.clone() };
                let stack = Stacked { hidden: hidden.to_vec(), training }
                    .run(device, digits.images)?
                    .observe(&mut *show)
                    .train()?;
                Classifier::on(&stack.layers, CLASSES, seed)?
            }
        };
        self.training.set_classifier(&mut net);
        let all = FineTune { seed, ..self.training.tuning.clone() };
        let output = FineTune { epochs: self.output_epochs, frozen: depth, ..all.clone() };
        if start != Start::Random && self.output_epochs > 0 && !stopping() {
            output.run(device, &mut net, digits.labelled)?.test(digits.labelled_test)?.observe(&mut *show).train()?;
        }
        if stopping() {
            return Ok((net, FineTuned { stopped: true, ..FineTuned::default() }));
        }
        // The same number of epochs, however a net starts.
        let first = if start == Start::Random { self.output_epochs } else { 0 };
        let all = FineTune { epochs: self.training.tuning.epochs + first, ..all };
        let tuned =
            all.run(device, &mut net, digits.labelled)?.test(digits.labelled_test)?.observe(&mut *show).train()?;
        Ok((net, tuned))
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    if let (Some(code), Some(last)) = (options.member.code, recipe.hidden.last_mut()) {
        *last = code;
    }
    recipe.rbms.check()?;
    let stack = Stacked { hidden: recipe.hidden.clone(), training: recipe.denoising.clone() };
    if options.study && recipe.seeds == 0 {
        anyhow::bail!("seeds = 0: the study takes at least one");
    }
    let mnist = Mnist::open(&options.member.common.data)?;
    let (images, test) = options.member.common.rows(&mnist);
    strait::models::check_sizes(&[&[images.width], &recipe.hidden[..]].concat())?;
    stack.check(images.width)?;
    let labels = &mnist.test.labels;
    let labelled = Labelled::new(images, &mnist.train.labels[..images.count], CLASSES)?;
    let labelled_test = Labelled::new(test, labels, CLASSES)?;
    let digits = Digits { images, labelled: labelled.rows(), test, labelled_test: labelled_test.rows(), labels };
    let device = options.member.begin(&options.out, &mut recipe)?;

    if options.study {
        return study(options, &recipe, &device, &digits);
    }
    let (depth, seed) = (recipe.hidden.len(), recipe.training.tuning.seed);
    let mut terminal = Terminal::new();
    let mut measured = Vec::new();
    let (net, tuned) = recipe.train(&device, &digits, (Start::Rbms, depth, seed), &mut |event| terminal.show(event))?;
    net.save(options.out.join("model.safetensors"))?;
    draw_filters(&options.out.join("filters.png"), &net.layers[0], mnist.test.width)?;
    let papers = recipe.hidden == [500, 500, 2000] && options.member.common.limit.is_none();
    let error = |net: &Classifier| -> Result<f64> { Ok(100.0 * net.error_rate(&device, digits.test, digits.labels)?) };
    let what = "test images read wrongly, per cent";
    measured.push(lower(format!("{what}, pretrained by RBMs"), error(&net)?, papers.then_some(1.2)));
    if !stopping() {
        println!("\nfrom random weights");
        let (random, _) =
            recipe.train(&device, &digits, (Start::Random, depth, seed), &mut |event| terminal.show(event))?;
        measured.push(lower(format!("{what}, from random weights"), error(&random)?, papers.then_some(1.6)));
    }
    let mut report = Report::new(&device, recipe.training.tuning.precision, &recipe, images.count, tuned);
    report.measured = measured;
    report.finish(&options.out)
}

/// Test errors by start and depth, one for each seed.
type Table = BTreeMap<(Start, usize), Vec<f64>>;

fn study(options: &Options, recipe: &Recipe, device: &Device, digits: &Digits<'_>) -> Result<()> {
    let mut table = Table::new();
    let mut show = |_: &Event| match stopping() {
        true => std::ops::ControlFlow::Break(()),
        false => std::ops::ControlFlow::Continue(()),
    };
    println!("per cent of the test images read wrongly, {} training images", digits.images.count);
    'all: for seed in 0..recipe.seeds as u64 {
        for depth in 1..=recipe.hidden.len() {
            for start in [Start::Random, Start::Rbms, Start::Denoising] {
                let seeded = (start, depth, recipe.training.tuning.seed.wrapping_add(seed));
                let (net, tuned) = recipe.train(device, digits, seeded, &mut show)?;
                if tuned.stopped {
                    break 'all;
                }
                let error = 100.0 * net.error_rate(device, digits.test, digits.labels)?;
                println!("seed {seed}, {depth} hidden layers, {}: {error:.2}", start.name());
                table.entry((start, depth)).or_default().push(error);
            }
        }
    }
    let mut report =
        Report::new(device, recipe.training.tuning.precision, recipe, digits.images.count, FineTuned::default());
    report.stopped = stopping();
    report.measured = table.iter().flat_map(|(&(start, depth), errors)| rows(start, depth, errors)).collect();
    report.finish(&options.out)?;
    plot(&options.out.join("study.svg"), &table, digits.images.count)
}

/// Mean and standard deviation.
fn moments(errors: &[f64]) -> (f64, f64) {
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let squares: f64 = errors.iter().map(|error| (error - mean).powi(2)).sum();
    (mean, (squares / (errors.len() as f64 - 1.0).max(1.0)).sqrt())
}

fn rows(start: Start, depth: usize, errors: &[f64]) -> [Measured; 2] {
    let (mean, deviation) = moments(errors);
    let what = format!("{depth} hidden layers, {}", start.name());
    let seeds = errors.len();
    [
        lower(format!("{what}: mean over {seeds} seeds of the test images read wrongly, per cent"), mean, None),
        lower(format!("{what}: its standard deviation"), deviation, None),
    ]
}

fn plot(path: &Path, table: &Table, images: usize) -> Result<()> {
    let all: Vec<f64> = table.values().flatten().copied().collect();
    let (low, high) = (all.iter().copied().fold(f64::INFINITY, f64::min), all.iter().copied().fold(0.0, f64::max));
    let depths = table.keys().map(|(_, depth)| *depth).max().unwrap_or(1);
    if all.is_empty() {
        return Ok(());
    }
    let area = SVGBackend::new(path, (640, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let margin = 0.1 * (high - low).max(0.1);
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("test images read wrongly, per cent ({images} training images)"), ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.7..depths as f64 + 0.3, low - margin..high + margin)?;
    let label = |x: &f64| if x.fract().abs() < 1e-9 { format!("{x:.0}") } else { String::new() };
    chart.configure_mesh().x_desc("hidden layers").x_labels(depths + 1).x_label_formatter(&label).draw()?;
    for (start, colour, shift) in [
        (Start::Random, RGBColor(110, 110, 110), -0.06),
        (Start::Rbms, RGBColor(214, 39, 40), 0.0),
        (Start::Denoising, BLUE, 0.06),
    ] {
        let of_start = || table.iter().filter(move |((other, _), _)| *other == start);
        let place = |depth: usize| depth as f64 + shift;
        let means = of_start().map(|((_, depth), errors)| (place(*depth), moments(errors).0));
        chart
            .draw_series(LineSeries::new(means, colour.stroke_width(2)))?
            .label(start.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(of_start().map(|((_, depth), errors)| {
            let (mean, deviation) = moments(errors);
            ErrorBar::new_vertical(place(*depth), mean - deviation, mean, mean + deviation, colour.filled(), 8)
        }))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()?;
    Ok(area.present()?)
}
