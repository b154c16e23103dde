//! A classifier of MNIST digits on a stack of denoising autoencoders (Vincent et al. 2010): its layers first learn, one after
//! the other, to undo noise; then all of them learn the labels. Beside it the same net from random weights.
//!
//!     cargo run --release --example stacked_denoising
//!     cargo run --release --example stacked_denoising -- --recipe long

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

/// Misread digits of a kind that are drawn.
const DRAWN: usize = 12;

#[derive(Parser)]
#[command(about = "Trains a stack of denoising autoencoders and a classifier on it", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
}

#[derive(Clone, Serialize, Deserialize)]
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

impl experiment::Recipe for Recipe {
    /// Three layers of 1000 units, with the noise on the classifier's inputs as well, which keeps it from overfitting.
    fn named(name: &str) -> Option<Self> {
        let stack = Stacked::default();
        let corruption = stack.training.corruption;
        let classifier = FineTune { epochs: 40, ..FineTune::default() };
        let classifier = MemberRecipe { corruption, ..classifier.into() };
        (name == "long").then_some(Self { compare: false, stack, classifier })
    }

    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.classifier]
    }

    fn others(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.stack]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    options.member.set_code(&mut recipe.stack.hidden);
    let mnist = options.member.mnist()?;
    let (images, test) = options.member.rows(&mnist);
    recipe.stack.check(images.width).context("the recipe")?;
    let classes = mnist.classes();
    let labelled = Labelled::new(images, &mnist.train.labels[..images.count], classes)?;
    let labelled_test = Labelled::new(test, &mnist.test.labels, classes)?;
    let (device, mut run) = options.member.begin(&mut recipe, images.count)?;

    let stack = run.keep("stack", recipe.stack.run(&device, images)?).train()?;
    run.seconds_train += stack.epochs.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
    picture::encoder_filters(&run.path("filters.png"), &stack.layers[0], mnist.test.width)?;
    let (seed, tuning) = (recipe.classifier.tuning.seed, &recipe.classifier.tuning);
    let mut net = Classifier::on(&stack.layers, classes, seed)?;
    recipe.classifier.set_classifier(&mut net);
    let error = |net: &Classifier| -> Result<f64> { Ok(100.0 * net.error_rate(&device, test, &mnist.test.labels)?) };
    if !stopping() {
        run.train(tuning, &mut net, labelled.rows(), labelled_test.rows())?;
        // The published net has three layers of 1000 units.
        let published = (recipe.stack.hidden == [1000; 3] && options.member.common.limit.is_none()).then_some(1.28);
        run.lower("test images read wrongly, per cent, with the stack", error(&net)?).published(published);
    }
    net.save(run.path("model.safetensors"))?;
    if recipe.compare && !stopping() {
        let sizes = [&[images.width], &recipe.stack.hidden[..], &[classes]].concat();
        let mut random = Classifier::glorot(&sizes, Activation::Logistic, seed)?;
        recipe.classifier.set_classifier(&mut random);
        let heading = "the same net from random weights";
        run.compare(heading, tuning, &mut random, labelled.rows(), labelled_test.rows())?;
        run.lower("test images read wrongly, per cent, from random weights", error(&random)?);
    }
    run.finish()?;

    // For each digit some test images of it that are taken for others.
    let found = net.predict(&device, test)?;
    let misread = |digit: usize| {
        let misread = |&i: &usize| mnist.test.labels[i] as usize == digit && found[i] != digit;
        let images = mnist.test.select((0..found.len()).filter(misread).take(DRAWN));
        let mut pixels: Vec<f32> = images.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        pixels.resize(DRAWN * test.width, 0.0);
        (digit.to_string(), pixels)
    };
    let rows: Vec<_> = (0..classes).map(misread).collect();
    Ok(picture::labelled_rows(&run.path("mistakes.png"), mnist.test.shape(), &rows)?)
}
