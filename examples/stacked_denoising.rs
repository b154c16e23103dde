//! A classifier of MNIST digits on a stack of denoising autoencoders (Vincent et al. 2010): its layers first learn, one after
//! the other, to undo noise; then all of them learn the labels. Beside it the same net from random weights.
//!
//!     cargo run --release --example stacked_denoising
//!     cargo run --release --example stacked_denoising -- --recipe long

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, draw_filters, lower, train};
use strait::MemberRecipe;
use strait::data::Images;
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::FineTuned;

/// The digits.
const CLASSES: usize = 10;

/// Misread digits of a kind that are drawn.
const DRAWN: usize = 12;

#[derive(Parser)]
#[command(about = "Trains a stack of denoising autoencoders and a classifier on it", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Where the results go
    #[arg(long, default_value = "out/stacked_denoising")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// Whether the same net is trained from random weights as well.
    compare: bool,
    /// The denoising autoencoders.
    stack: Stacked,
    /// The training of the classifier.
    classifier: MemberRecipe,
}

impl Default for Recipe {
    fn default() -> Self {
        let mut stack = Stacked { hidden: vec![500; 3], ..Stacked::default() };
        stack.training.tuning.epochs = 6;
        let classifier = FineTune { epochs: 10, ..FineTune::default() }.into();
        Self { compare: true, stack, classifier }
    }
}

impl shared::Recipe for Recipe {
    /// Three layers of 1000 units, with the noise on the classifier's inputs as well, which keeps it from overfitting.
    fn named(name: &str) -> Option<Self> {
        let stack = Stacked::default();
        let corruption = stack.training.corruption;
        let classifier = FineTune { epochs: 40, ..FineTune::default() };
        let classifier = MemberRecipe { corruption, ..classifier.into() };
        (name == "long").then_some(Self { compare: false, stack, classifier })
    }

    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.classifier.tuning)
    }

    fn set_precision(&mut self, precision: Precision) {
        (self.stack.training.tuning.precision, self.classifier.tuning.precision) = (precision, precision);
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    if let (Some(code), Some(last)) = (options.member.code, recipe.stack.hidden.last_mut()) {
        *last = code;
    }
    let seed = &mut recipe.stack.training.tuning.seed;
    *seed = options.member.common.seed.unwrap_or(*seed);
    let mnist = Mnist::open(&options.member.common.data)?;
    let (images, test) = options.member.common.rows(&mnist);
    recipe.stack.check(images.width).context("the recipe")?;
    let labels = &mnist.train.labels[..images.count];
    let labelled = [Labelled::new(images, labels, CLASSES)?, Labelled::new(test, &mnist.test.labels, CLASSES)?];
    let [labelled, labelled_test] = [labelled[0].rows(), labelled[1].rows()];
    let device = options.member.begin(&options.out, &mut recipe)?;

    let mut terminal = Terminal::new();
    let stack = recipe.stack.run(&device, images)?.observe(|event| terminal.show(event)).train()?;
    draw_filters(&options.out.join("filters.png"), &stack.layers[0], mnist.test.width)?;
    let seed = recipe.classifier.tuning.seed;
    let mut net = Classifier::on(&stack.layers, CLASSES, seed)?;
    recipe.classifier.set_classifier(&mut net);
    let mut tuned = FineTuned { stopped: true, ..FineTuned::default() };
    let mut measured = Vec::new();
    if !stopping() {
        tuned = train(&device, &recipe.classifier.tuning, &mut net, labelled, labelled_test)?;
        let error = 100.0 * net.error_rate(&device, test, &mnist.test.labels)?;
        // The published net has three layers of 1000 units.
        let published = (recipe.stack.hidden == [1000; 3] && options.member.common.limit.is_none()).then_some(1.28);
        measured.push(lower("test images read wrongly, per cent, with the stack", error, published));
    }
    net.save(options.out.join("model.safetensors"))?;
    if recipe.compare && !stopping() {
        println!("\nthe same net from random weights");
        let sizes = [&[images.width], &recipe.stack.hidden[..], &[CLASSES]].concat();
        let mut random = Classifier::glorot(&sizes, Activation::Logistic, seed)?;
        recipe.classifier.set_classifier(&mut random);
        train(&device, &recipe.classifier.tuning, &mut random, labelled, labelled_test)?;
        let error = 100.0 * random.error_rate(&device, test, &mnist.test.labels)?;
        measured.push(lower("test images read wrongly, per cent, from random weights", error, None));
    }
    let mut report = Report::new(&device, recipe.classifier.tuning.precision, &recipe, images.count, tuned);
    report.seconds_train += stack.epochs.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
    report.measured = measured;
    report.finish(&options.out)?;
    draw_mistakes(&options.out.join("mistakes.png"), &device, &net, &mnist.test)
}

/// For each digit some test images of it that are taken for others.
fn draw_mistakes(path: &Path, device: &Device, net: &Classifier, test: &Images) -> Result<()> {
    let (size, found) = (test.width * test.height, net.predict(device, test.rows())?);
    let image = |i: usize| test.pixels[i * size..][..size].iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let rows = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"].iter().enumerate().map(|(digit, label)| {
        let misread = |&i: &usize| usize::from(test.labels[i]) == digit && found[i] != digit;
        let mut images: Vec<Vec<f32>> = (0..found.len()).filter(misread).take(DRAWN).map(image).collect();
        images.resize(DRAWN, vec![0.0; size]);
        LabelledRow { label, images }
    });
    Ok(labelled_rows(path, test.width, &rows.collect::<Vec<_>>())?)
}
