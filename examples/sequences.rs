//! Autoencoders of sequences: the digits of MNIST read line by line into a code and written down again, and the sensors of a plant that is
//! made up, whose faults of five kinds are found by the errors of its reconstructions. A series of your own by `--series FILE`.
//!
//!     cargo run --release --example sequences

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::compute::Cell;
use strait::experiment::Sets;
use strait::models::{SequenceAutoencoder, SequenceShape, area_under_roc, knn_accuracy, mean, threshold};
use strait::plant::{Fault, SENSORS, series};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains autoencoders of sequences", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// lstm or gru
    #[arg(long)]
    cell: Option<String>,
    /// A long series whose rows are steps, in place of the plant
    #[arg(long, value_name = "FILE")]
    series: Option<PathBuf>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    cell: Cell,
    /// Units of the recurrent layers of images.
    units: Vec<usize>,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    training: FineTune,
    /// Steps of a window of the plant, and those between the starts of two.
    window: usize,
    stride: usize,
    /// Units of the recurrent layers of windows, and numbers of their codes.
    sensors: Vec<usize>,
    watching: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune { epochs: 8, optimizer: Optimizer::adam(5e-3), ..FineTune::default() };
        let watching = FineTune {
            objective: Objective::SquaredError,
            epochs: 30,
            batch: 50,
            optimizer: Optimizer::adam(2e-3),
            ..training.clone()
        };
        let (window, stride, sensors) = (32, 4, vec![32, 6]);
        Self { cell: Cell::Gru, units: vec![128], neighbours: 5, training, window, stride, sensors, watching }
    }
}

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training, &mut self.watching]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    if let Some(name) = &options.cell {
        recipe.cell = Cell::from_name(name).with_context(|| format!("--cell {name}: it is lstm or gru"))?;
    }
    options.member.set_code(&mut recipe.units);
    let mnist = options.member.mnist()?;
    let (images, test) = options.member.rows(&mnist);
    let (height, width) = (mnist.train.height, mnist.train.width);
    let (units, cell, seed) = (recipe.units[0], recipe.cell, recipe.training.seed);
    let shape = SequenceShape { cell, units, outputs: Activation::Logistic, ..SequenceShape::of(height, width) };
    let mut net = SequenceAutoencoder::new(shape, seed)?;
    let (device, mut run) = options.member.begin(&mut recipe, images.count)?;

    run.train(&recipe.training, &mut net, images, test)?;
    let model = Model::from(net.clone());
    model.save(run.path("model.safetensors"))?;
    run.lower("squared error per test image, read line by line", mean(&model.score(&device, test)?));
    let (known, asked) = (model.encode(&device, images)?, model.encode(&device, test)?);
    let codes = [Rows::numbers(&known, net.code_size())?, Rows::numbers(&asked, net.code_size())?];
    let labels = [&mnist.train.labels[..images.count], &mnist.test.labels[..test.count]];
    let right = knn_accuracy(&device, codes, labels, recipe.neighbours)?;
    run.higher(format!("{}-NN accuracy of the codes, per cent", recipe.neighbours), 100.0 * right);
    if !stopping() {
        match &options.series {
            Some(path) => own_series(path, &recipe, &device, &mut run)?,
            None => plant(&recipe, &device, &mut run)?,
        }
    }
    run.finish()?;
    let digits = mnist.test.one_of_each();
    let rows = [
        ("test images", digits.rows().to_numbers()),
        ("written line by line", model.reconstruct(&device, digits.rows())?),
    ];
    Ok(picture::labelled_rows(&run.path("reconstructions.png"), digits.shape(), &rows)?)
}

/// An autoencoder of windows with this many sensors.
fn watcher(recipe: &Recipe, features: usize) -> Result<SequenceAutoencoder> {
    let shape = SequenceShape {
        cell: recipe.cell,
        units: recipe.sensors[0],
        code: models::SequenceCode::Linear(recipe.sensors[1]),
        ..SequenceShape::of(recipe.window, features)
    };
    Ok(SequenceAutoencoder::new(shape, recipe.watching.seed)?)
}

/// Windows of a series, one after the other.
fn windows(numbers: &[f32], recipe: &Recipe) -> Vec<f32> {
    let (length, stride) = (recipe.window * SENSORS, recipe.stride * SENSORS);
    (0..=numbers.len() - length).step_by(stride).flat_map(|start| &numbers[start..start + length]).copied().collect()
}

/// Learns how the plant runs, and finds its faults.
fn plant(recipe: &Recipe, device: &Device, run: &mut Experiment<Recipe>) -> Result<()> {
    const DAYS: usize = 96;
    /// Series with a fault of each kind, and the step from which it is there.
    const SERIES: u64 = 20;
    const FROM: usize = 2 * DAYS;
    let seed = recipe.watching.seed;
    let known = windows(&series(60 * DAYS, seed, None), recipe);
    let held_out = windows(&series(20 * DAYS, seed + 1, None), recipe);
    let width = recipe.window * SENSORS;
    let [known, held_out] = [Rows::numbers(&known, width)?, Rows::numbers(&held_out, width)?];
    let mut net = watcher(recipe, SENSORS)?;
    run.train(&recipe.watching, &mut net, known, held_out)?;
    let mut loaded = Model::from(net).on(device)?.into_owned();
    let narrow = |scores: Vec<f64>| scores.into_iter().map(|score| score as f32).collect::<Vec<_>>();
    let normal = narrow(loaded.score(held_out)?);
    let limit = threshold(&normal, 0.01)?;
    run.lower(
        "squared error per window of the plant held out",
        normal.iter().map(|&x| f64::from(x)).sum::<f64>() / normal.len() as f64,
    );
    for fault in Fault::ALL {
        let (mut strange, mut delays) = (Vec::new(), Vec::new());
        for number in 0..SERIES {
            let numbers = windows(&series(4 * DAYS, seed + 100 + number, Some((fault, FROM))), recipe);
            let scores = narrow(loaded.score(Rows::numbers(&numbers, width)?)?);
            // The steps behind the last one of each window, as someone who watches sees them.
            let seen = scores.iter().enumerate().map(|(i, &score)| (i * recipe.stride + recipe.window, score));
            strange.extend(seen.clone().filter(|(end, _)| *end >= FROM + recipe.window).map(|(_, score)| score));
            let found = seen.filter(|(end, score)| *end > FROM && *score > limit).map(|(end, _)| end - FROM).next();
            delays.push(found.unwrap_or(4 * DAYS - FROM) as f64);
        }
        run.higher(format!("area under the ROC curve, {}", fault.name()), area_under_roc(&normal, &strange));
        run.lower(format!("steps until it is found, {}", fault.name()), mean(&delays));
    }
    Ok(())
}

/// Learns a series of the user's, and says where its end is strangest.
fn own_series(path: &Path, recipe: &Recipe, device: &Device, run: &mut Experiment<Recipe>) -> Result<()> {
    let read = DataOptions { window: Some(recipe.window), stride: Some(recipe.stride), ..DataOptions::default() };
    let sets = Sets::open(path, &read, recipe.watching.seed)?.scaled(strait::data::Scale::Standard)?;
    let (known, held_out) = sets.rows(None)?;
    let mut net = watcher(recipe, known.width / recipe.window)?;
    run.train(&recipe.watching, &mut net, known, held_out)?;
    let scores = Model::from(net).score(device, held_out)?;
    run.lower("squared error per window held out", mean(&scores));
    let strangest = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
    say!("the strangest window held out is number {strangest}: its error is {:.3}", scores[strangest]);
    Ok(())
}
