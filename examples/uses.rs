//! What the codes of a deep autoencoder are good for, on MNIST and beside those of PCA: naming digits by their neighbours,
//! finding images that are alike, by Euclidean distance and by a few bits (Salakhutdinov & Hinton 2007), and telling
//! images that are not what the net was trained on.
//!
//!     cargo run --release --example uses -- --model out/hinton2006/model.safetensors
//!     cargo run --release --example uses

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Measured, Member, Report, higher, lower, train};
use strait::data::Images;
use strait::hinton2006::SIZES;
use strait::models::{BinaryCodes, area_under_roc, medians, nearest, retrieval, threshold, vote};
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::FineTuned;

#[derive(Parser)]
#[command(about = "Uses the codes of a deep autoencoder", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// A net that strait has saved; without it one is trained
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The digit that is normal; all others are anomalies
    #[arg(long)]
    normal: Option<u8>,
    /// Where the results go
    #[arg(long, default_value = "out/uses")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers of the net that is trained, the code last.
    hidden: Vec<usize>,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    /// Images that are retrieved for each test image.
    retrieved: usize,
    /// The digit that is normal.
    normal: u8,
    /// The share of normal images that may be taken for anomalies.
    false_alarms: f64,
    pretrain: Pretrain,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            hidden: SIZES[1..].to_vec(),
            neighbours: 5,
            retrieved: 100,
            normal: 0,
            false_alarms: 0.05,
            pretrain: Pretrain { epochs: 3, initial_epochs: 1, ..Pretrain::default() },
            training: FineTune { epochs: 8, optimizer: Optimizer::adam(2e-3), ..FineTune::default() },
        }
    }
}

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training)
    }

    fn set_precision(&mut self, precision: Precision) {
        self.training.precision = precision;
        self.pretrain.precision = precision;
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.pretrain.seed = recipe.training.seed;
    recipe.normal = options.normal.unwrap_or(recipe.normal);
    if let Some(code) = options.member.code {
        recipe.hidden.pop();
        recipe.hidden.push(code);
    }
    recipe.pretrain.check()?;
    let mnist = Mnist::open(&options.member.common.data)?;
    let (training, test) = options.member.common.rows(&mnist);
    let given = options.model.as_ref().map(Autoencoder::load).transpose()?.map(|(net, _)| net);
    let sizes: Vec<usize> = std::iter::once(training.width).chain(recipe.hidden.iter().copied()).collect();
    strait::models::check_sizes(&sizes)?;
    if let Some(width) = given.as_ref().map(|net| net.sizes()[0]).filter(|&width| width != training.width) {
        bail!("--model: the net takes {width} values, but the images have {} pixels", training.width);
    }
    let normal = chosen(&mnist.train, training.count, |label| label == recipe.normal);
    if normal.len() < 4 * training.width {
        bail!("--normal {}: there are fewer than 4 training images of this digit", recipe.normal);
    }
    let device = options.member.begin(&options.out, &mut recipe)?;

    let (net, tuned) = match given {
        Some(net) => (net, FineTuned::default()),
        None => {
            let mut terminal = Terminal::new();
            let pretrained =
                recipe.pretrain.run(&device, &sizes, training)?.observe(|event| terminal.show(event)).train()?;
            let mut net = pretrained.stack.unroll();
            let tuned = match pretrained.stopped {
                true => FineTuned { stopped: true, ..FineTuned::default() },
                false => train(&device, &recipe.training, &mut net, training, test)?,
            };
            net.save(options.out.join("model.safetensors"))?;
            (net, tuned)
        }
    };
    let mut report = Report::new(&device, recipe.training.precision, &recipe, training.count, tuned);
    if !stopping() {
        let codes = search(&device, &recipe, &net, training, &mnist, &mut report.measured)?;
        draw_neighbours(options, &codes, &mnist)?;
    }
    if !stopping() {
        report.measured.extend(anomalies(&device, &recipe, &normal, &mnist.test, options)?);
    }
    report.finish(&options.out)
}

/// The pixels of the first images whose labels are wanted.
fn chosen(images: &Images, first: usize, wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let size = images.width * images.height;
    let pairs = images.pixels.chunks_exact(size).zip(&images.labels).take(first);
    pairs.filter(|(_, label)| wanted(**label)).flat_map(|(image, _)| image).copied().collect()
}

/// Neighbours by the net's codes, by those of PCA, by pixels and by bits; gives those by the codes.
fn search(
    device: &Device,
    recipe: &Recipe,
    net: &Autoencoder,
    training: Rows<'_>,
    mnist: &Mnist,
    measured: &mut Vec<Measured>,
) -> Result<Vec<Vec<u32>>> {
    let (test, size) = (mnist.test.rows(), net.code_size());
    let (train_labels, test_labels) = (&mnist.train.labels, &mnist.test.labels);
    let pca = Pca::fit(device, training, size)?;
    let narrow = |rows| -> Result<Vec<f32>> { Ok(pca.encode(rows)?.concat().iter().map(|&z| z as f32).collect()) };
    let ours = [net.encode(device, training)?, net.encode(device, test)?];
    let theirs = [narrow(training)?, narrow(test)?];
    let retrieved = recipe.retrieved.clamp(recipe.neighbours, training.count);
    let mut add = |name: &str, found: &[Vec<u32>], knn: Option<f64>, published: Option<f64>| -> Result<()> {
        if let Some(right) = knn {
            let what = format!("test digits that {} neighbours name, per cent, by {name}", recipe.neighbours);
            measured.push(higher(what, 100.0 * right, published));
        }
        let (precision, recall) = retrieval(found, train_labels, test_labels)?;
        let what = format!("of {retrieved} images found have the digit, per cent, by {name}");
        measured.push(higher(what, 100.0 * precision, None));
        measured.push(higher(
            format!("of all images of the digit are found, per cent, by {name}"),
            100.0 * recall,
            None,
        ));
        Ok(())
    };
    let mut codes = Vec::new();
    // What a PyTorch transcription of the paper's net, and PCA and pixels in double precision, give.
    for (name, published) in [("codes", Some(97.67)), ("PCA", Some(97.57)), ("pixels", Some(96.93))] {
        let [references, queries] = match name {
            "codes" => [Rows::numbers(&ours[0], size)?, Rows::numbers(&ours[1], size)?],
            "PCA" => [Rows::numbers(&theirs[0], size)?, Rows::numbers(&theirs[1], size)?],
            _ => [training, test],
        };
        let found = nearest(device, references, queries, retrieved)?;
        let voters: Vec<Vec<u32>> = found.iter().map(|found| found[..recipe.neighbours].to_vec()).collect();
        let published = published.filter(|_| size == 30 && recipe.neighbours == 5 && training.count == 60_000);
        add(name, &found, Some(vote(&voters, train_labels, test_labels)?), published)?;
        if name == "codes" {
            codes = found;
        }
    }
    for (name, [references, queries]) in [("bits of codes", &ours), ("bits of PCA", &theirs)] {
        let thresholds = medians(references, size)?;
        let [references, queries] = [references, queries].map(|codes| BinaryCodes::new(codes, &thresholds));
        add(&format!("{size} {name}"), &references?.nearest(&queries?, retrieved)?, None, None)?;
    }
    Ok(codes)
}

/// A small net that knows one digit only, and how it tells the others.
fn anomalies(
    device: &Device,
    recipe: &Recipe,
    normal: &[u8],
    test: &Images,
    options: &Options,
) -> Result<Vec<Measured>> {
    println!("\na net that knows the digit {} only", recipe.normal);
    let size = test.width * test.height;
    let all = Rows::bytes(normal, size)?;
    // Every fourth is held out, to choose the threshold by.
    let held_out = all.range(all.count - all.count / 4..all.count);
    let known = all.first(all.count - all.count / 4);
    let mut net = Autoencoder::glorot(&[size, 128, 16], recipe.training.seed)?;
    let training = FineTune { epochs: 4 * recipe.training.epochs, batch: 50, ..recipe.training.clone() };
    train(device, &training, &mut net, known, held_out)?;
    net.save(options.out.join("anomalies.safetensors"))?;
    let limit = threshold(&net.errors(device, held_out)?, recipe.false_alarms)?;
    let scores = |wanted: bool| -> Result<Vec<f32>> {
        let pixels = chosen(test, usize::MAX, |label| (label == recipe.normal) == wanted);
        if pixels.is_empty() {
            bail!("--normal {}: the test images must show this digit and others", recipe.normal);
        }
        Ok(net.errors(device, Rows::bytes(&pixels, size)?)?)
    };
    let (normal, anomalous) = (scores(true)?, scores(false)?);
    let above =
        |scores: &[f32]| 100.0 * scores.iter().filter(|&&score| score > limit).count() as f64 / scores.len() as f64;
    Ok(vec![
        higher("anomalies: area under the ROC curve", area_under_roc(&normal, &anomalous), None),
        higher("anomalies above the threshold, per cent", above(&anomalous), None),
        lower("normal test images above it, per cent", above(&normal), Some(100.0 * recipe.false_alarms)),
    ])
}

/// One test image of each digit with the training images whose codes are nearest.
fn draw_neighbours(options: &Options, found: &[Vec<u32>], mnist: &Mnist) -> Result<()> {
    let size = mnist.test.width * mnist.test.height;
    let image =
        |images: &Images, i: usize| images.pixels[i * size..][..size].iter().map(|&b| f32::from(b) / 255.0).collect();
    let queries = (0..10).filter_map(|digit| mnist.test.labels.iter().position(|&label| label == digit));
    let row = |query: usize| {
        let neighbours = found[query].iter().take(12).map(|&i| image(&mnist.train, i as usize));
        std::iter::once(image(&mnist.test, query)).chain(neighbours).collect::<Vec<Vec<f32>>>()
    };
    let rows: Vec<_> = queries.map(|query| LabelledRow { label: "", images: row(query) }).collect();
    Ok(labelled_rows(&options.out.join("neighbours.png"), mnist.test.width, &rows)?)
}
