//! A deep belief net with labels on MNIST (Hinton, Osindero & Teh 2006): 784-500-500-2000, trained greedily, whose top machine
//! sees the labels beside the highest features. It reads digits by free energy, and draws them when a label is held.
//! (The paper goes on to fine-tune all weights by its up-down algorithm, which is not here.)
//!
//!     cargo run --release --example dbn

#[allow(dead_code, reason = "no example uses all of it")]
mod shared;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, higher, lower, pictures};
use strait::models::forward;
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::{Chain, FineTuned};
use strait::{Rbm, Stack};

/// The digits.
const CLASSES: usize = 10;

/// Digits of a kind that are drawn.
const DRAWN: usize = 12;

/// Digits of a kind that another net has to read.
const READ: usize = 100;

#[derive(Parser)]
#[command(about = "Trains a deep belief net with labels on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Where the results go
    #[arg(long, default_value = "out/dbn")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers; the last one's machine sees the labels.
    hidden: Vec<usize>,
    /// Steps of Gibbs sampling after which a digit is drawn.
    gibbs: usize,
    /// Training of the lower machines.
    training: Pretrain,
    /// Training of the top machine, in which digits are drawn: with persistent chains, which leave it no places far from the
    /// data to be caught in.
    top: Pretrain,
    /// Training of the net that has to read the digits that are drawn.
    reader: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            hidden: vec![500, 500, 2000],
            gibbs: 1000,
            top: Pretrain {
                epochs: 10,
                chain: Chain::Persistent,
                rate: 0.02,
                final_momentum: 0.5,
                gaussian_code: false,
                ..Pretrain::default()
            },
            training: Pretrain { epochs: 10, gaussian_code: false, ..Pretrain::default() },
            reader: FineTune { epochs: 8, ..FineTune::default() },
        }
    }
}

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::Pretrain(&mut self.training)
    }

    fn set_precision(&mut self, precision: Precision) {
        (self.training.precision, self.reader.precision) = (precision, precision);
        self.top.precision = precision;
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
    if let Some(epochs) = options.member.common.epochs {
        recipe.top.epochs = epochs;
    }
    recipe.top.seed = options.member.common.seed.unwrap_or(recipe.top.seed);
    recipe.top.check().context("the recipe of the top machine")?;
    recipe.reader.check().context("the recipe of the reader")?;
    let mnist = Mnist::open(&options.member.common.data)?;
    let (images, test) = options.member.common.rows(&mnist);
    let (labels, test_labels) = (&mnist.train.labels[..images.count], &mnist.test.labels);
    let sizes = [&[images.width], &recipe.hidden[..]].concat();
    strait::models::check_sizes(&sizes)?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let mut terminal = Terminal::new();
    let mut seconds = 0.0;
    let mut learn = |training: &Pretrain, sizes: &[usize], rows: Rows<'_>| -> Result<Stack> {
        let trained = training.fit(&device, sizes, rows, &mut |event| terminal.show(event))?;
        seconds += trained.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
        Ok(trained.stack)
    };
    // The lower machines know nothing of labels.
    let below = if sizes.len() > 2 {
        learn(&recipe.training, &sizes[..sizes.len() - 1], images)?
    } else {
        Stack { rbms: Vec::new() }
    };
    let lower_layers = below.unroll().layers;
    let (up, down) = lower_layers.split_at(below.rbms.len());
    let width = sizes[sizes.len() - 2];
    let features = forward(&device, up, None, &images)?;
    let top_rows = Labelled::new(Rows::numbers(&features, width)?, labels, CLASSES)?;
    let mut report = Report::new(&device, recipe.training.precision, &recipe, images.count, FineTuned::default());
    if stopping() {
        report.stopped = true;
        return report.finish(&options.out);
    }
    let top = learn(&recipe.top, &[width + CLASSES, sizes[sizes.len() - 1]], top_rows.rows())?;
    report.seconds_train = seconds;
    if let (Some(rbm), false) = (top.rbms.first(), stopping()) {
        let features = forward(&device, up, None, &test)?;
        let read = classify(&device, rbm, Rows::numbers(&features, width)?)?;
        let wrong = read.iter().zip(test_labels).filter(|(read, label)| **read != **label).count();
        let error = 100.0 * wrong as f64 / read.len() as f64;
        // Published after the up-down algorithm.
        report.measured.push(lower("test images read wrongly by free energy, per cent", error, Some(1.25)));

        println!("\na net that reads the digits that are drawn");
        let labelled = Labelled::new(images, labels, CLASSES)?;
        let mut reader = Classifier::glorot(&[images.width, 500, CLASSES], Activation::Relu, recipe.training.seed)?;
        recipe.reader.fit(&device, &mut reader, labelled.rows(), None, &mut |event| terminal.show(event))?;
        let (mut right, mut rows) = (0, Vec::new());
        // Any images will do to start from, since the label that is held moves the chain to its digit.
        let starts: Vec<f32> = features.iter().copied().cycle().take(READ * width).collect();
        for (digit, label) in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"].into_iter().enumerate() {
            let starts = Labelled::new(Rows::numbers(&starts, width)?, &[0; READ], CLASSES)?;
            let drawn = draw(&device, rbm, down, starts.rows(), (digit, &recipe))?;
            let read = reader.predict(&device, Rows::numbers(&drawn, images.width)?)?;
            right += read.iter().filter(|read| **read == digit).count();
            let images = pictures(&drawn[..DRAWN * images.width], images.width);
            rows.push(LabelledRow { label, images });
        }
        let share = 100.0 * right as f64 / (CLASSES * READ) as f64;
        report.measured.push(higher(
            "drawn digits that a net trained on real ones reads as their label, per cent",
            share,
            None,
        ));
        let known = 100.0 * (1.0 - reader.error_rate(&device, test, test_labels)?);
        report.measured.push(higher("test images that this net reads rightly, per cent", known, None));
        labelled_rows(&options.out.join("digits.png"), mnist.test.width, &rows)?;
    }
    report.stopped = stopping();
    report.finish(&options.out)
}

/// For each row of features the label with which its free energy is the lowest.
fn classify(device: &Device, rbm: &Rbm, features: Rows<'_>) -> Result<Vec<u8>> {
    let mut best = vec![(f64::INFINITY, 0); features.count];
    for class in 0..CLASSES as u8 {
        let labelled = Labelled::new(features, &vec![class; features.count], CLASSES)?;
        for (best, energy) in best.iter_mut().zip(rbm.free_energies(device, labelled.rows())?) {
            if energy < best.0 {
                *best = (energy, class);
            }
        }
    }
    Ok(best.into_iter().map(|(_, class)| class).collect())
}

/// Digits from the top machine's Gibbs chain with a label held, by way of the layers below.
fn draw(
    device: &Device,
    rbm: &Rbm,
    down: &[strait::Affine],
    starts: Rows<'_>,
    (digit, recipe): (usize, &Recipe),
) -> Result<Vec<f32>> {
    /// A bias that leaves a unit no choice.
    const HELD: f32 = 50.0;
    let width = rbm.visible_bias.len() - CLASSES;
    let mut held = rbm.clone();
    for (class, bias) in held.visible_bias[width..].iter_mut().enumerate() {
        *bias = if class == digit { HELD } else { -HELD };
    }
    let seed = recipe.training.seed.wrapping_add(digit as u64);
    let top = held.fantasies(device, starts, recipe.gibbs, seed)?;
    let features: Vec<f32> = top.chunks_exact(width + CLASSES).flat_map(|row| row[..width].to_vec()).collect();
    Ok(forward(device, down, None, &Rows::numbers(&features, width)?)?)
}
