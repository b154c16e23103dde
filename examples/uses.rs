//! What the codes of a deep autoencoder are good for, on MNIST and beside those of PCA: naming digits by their neighbours,
//! finding images that are alike, by Euclidean distance and by a few bits (Salakhutdinov & Hinton 2007), and telling
//! images that are not what the net was trained on.
//!
//!     cargo run --release --example uses -- --model out/hinton2006/model.safetensors
//!     cargo run --release --example uses

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::hinton2006::SIZES;
use strait::models::{BinaryCodes, area_under_roc, medians, threshold};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Uses the codes of a deep autoencoder", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// A net that strait has saved; without it one is trained
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The digit that is normal; all others are anomalies
    #[arg(long)]
    normal: Option<u32>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers of the net that is trained, the code last.
    hidden: Vec<usize>,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    /// Images that are retrieved for each test image.
    retrieved: usize,
    /// The digit that is normal.
    normal: u32,
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

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }

    fn others(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.pretrain]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.pretrain.seed = recipe.training.seed;
    recipe.normal = options.normal.unwrap_or(recipe.normal);
    options.member.set_code(&mut recipe.hidden);
    let mnist = options.member.mnist()?;
    let (training, test) = options.member.rows(&mnist);
    let given = options.model.as_ref().map(Autoencoder::load).transpose()?.map(|(net, _)| net);
    let sizes = [&[training.width], &recipe.hidden[..]].concat();
    models::check_sizes(&sizes)?;
    if let Some(width) = given.as_ref().map(|net| net.sizes()[0]).filter(|&width| width != training.width) {
        bail!("--model: the net takes {width} values, but the images have {} pixels", training.width);
    }
    let normal = (0..training.count).filter(|&i| mnist.train.labels[i] == recipe.normal);
    let normal = mnist.train.select(normal);
    if normal.labels.len() < 4 {
        bail!("--normal {}: there are fewer than 4 training images of this digit", recipe.normal);
    }
    let (device, mut run) = options.member.begin(&mut recipe, training.count)?;

    let net = match given {
        Some(net) => net,
        None => {
            let mut net = run.pretrain(&recipe.pretrain, &sizes, training, None)?.unroll();
            run.train(&recipe.training, &mut net, training, test)?;
            net.save(run.path("model.safetensors"))?;
            net
        }
    };
    if !stopping() {
        let found = search(&mut run, &device, &recipe, &net, &mnist)?;
        draw_neighbours(&run.path("neighbours.png"), &found, &mnist)?;
    }
    if !stopping() {
        anomalies(&mut run, &device, &recipe, normal.rows(), &mnist.test)?;
    }
    Ok(run.finish()?)
}

/// Neighbours by the net's codes, by those of PCA, by pixels and by bits; gives those by the codes.
fn search(
    run: &mut Experiment<Recipe>,
    device: &Device,
    recipe: &Recipe,
    net: &Autoencoder,
    mnist: &Mnist,
) -> Result<Vec<Vec<u32>>> {
    let (training, test, size) = (mnist.train.rows().first(run.train_images), mnist.test.rows(), net.code_size());
    let (train_labels, test_labels) = (&mnist.train.labels, &mnist.test.labels);
    let pca = Pca::fit(device, training, size)?;
    let narrow = |rows| -> Result<Vec<f32>> { Ok(pca.encode(rows)?.concat().iter().map(|&z| z as f32).collect()) };
    let ours = [net.encode(device, training)?, net.encode(device, test)?];
    let theirs = [narrow(training)?, narrow(test)?];
    let retrieved = recipe.retrieved.clamp(recipe.neighbours, training.count);
    let report = |run: &mut Experiment<Recipe>, name: &str, found: &[Vec<u32>]| -> Result<()> {
        let (precision, recall) = models::retrieval(found, train_labels, test_labels)?;
        run.higher(format!("of {retrieved} images found have the digit, per cent, by {name}"), 100.0 * precision);
        run.higher(format!("of all images of the digit are found, per cent, by {name}"), 100.0 * recall);
        Ok(())
    };
    let whole = size == 30 && recipe.neighbours == 5 && training.count == 60_000;
    let mut by_codes = Vec::new();
    // What a PyTorch transcription of the paper's net, and PCA and pixels in double precision, give.
    for (name, published) in [("codes", 97.67), ("PCA", 97.57), ("pixels", 96.93)] {
        let [references, queries] = match name {
            "codes" => [Rows::numbers(&ours[0], size)?, Rows::numbers(&ours[1], size)?],
            "PCA" => [Rows::numbers(&theirs[0], size)?, Rows::numbers(&theirs[1], size)?],
            _ => [training, test],
        };
        let found = models::nearest(device, references, queries, retrieved)?;
        let voters: Vec<Vec<u32>> = found.iter().map(|found| found[..recipe.neighbours].to_vec()).collect();
        let right = 100.0 * models::vote(&voters, train_labels, test_labels)?;
        let what = format!("test digits that {} neighbours name, per cent, by {name}", recipe.neighbours);
        run.higher(what, right).published(whole.then_some(published));
        report(run, name, &found)?;
        if name == "codes" {
            by_codes = found;
        }
    }
    for (name, [references, queries]) in [("bits of codes", &ours), ("bits of PCA", &theirs)] {
        let thresholds = medians(references, size)?;
        let [references, queries] = [references, queries].map(|codes| BinaryCodes::new(codes, &thresholds));
        report(run, &format!("{size} {name}"), &references?.nearest(&queries?, retrieved)?)?;
    }
    Ok(by_codes)
}

/// A small net that knows one digit only, and how it tells the others.
fn anomalies(
    run: &mut Experiment<Recipe>,
    device: &Device,
    recipe: &Recipe,
    normal: Rows<'_>,
    test: &Images,
) -> Result<()> {
    // Every fourth is held out, to choose the threshold by.
    let (known, held_out) = (normal.count - normal.count / 4, normal.count);
    let (known, held_out) = (normal.first(known), normal.range(known..held_out));
    let mut net = Autoencoder::glorot(&[normal.width, 128, 16], recipe.training.seed)?;
    let training = FineTune { epochs: 4 * recipe.training.epochs, batch: 50, ..recipe.training.clone() };
    let heading = format!("a net that knows the digit {} only", recipe.normal);
    run.compare(&heading, &training, &mut net, known, held_out)?;
    net.save(run.path("anomalies.safetensors"))?;
    let limit = threshold(&net.errors(device, held_out)?, recipe.false_alarms)?;
    let scores = |wanted: bool| -> Result<Vec<f32>> {
        let wanted = |&i: &usize| (test.labels[i] == recipe.normal) == wanted;
        let images = test.select((0..test.labels.len()).filter(wanted));
        if images.labels.is_empty() {
            bail!("--normal {}: the test images must show this digit and others", recipe.normal);
        }
        Ok(net.errors(device, images.rows())?)
    };
    let (normal, anomalous) = (scores(true)?, scores(false)?);
    let above =
        |scores: &[f32]| 100.0 * scores.iter().filter(|&&score| score > limit).count() as f64 / scores.len() as f64;
    run.higher("anomalies: area under the ROC curve", area_under_roc(&normal, &anomalous));
    run.higher("anomalies above the threshold, per cent", above(&anomalous));
    run.lower("normal test images above it, per cent", above(&normal)).published(100.0 * recipe.false_alarms);
    Ok(())
}

/// One test image of each digit with the training images whose codes are nearest.
fn draw_neighbours(path: &Path, found: &[Vec<u32>], mnist: &Mnist) -> Result<()> {
    let row = |query: usize| {
        let neighbours = mnist.train.select(found[query].iter().take(12).map(|&i| i as usize));
        let images = [mnist.test.select([query]), neighbours].map(|images| images.rows().to_numbers());
        ("", images.concat())
    };
    let rows: Vec<_> = mnist.test.first_of_each().into_iter().map(row).collect();
    Ok(picture::labelled_rows(path, mnist.test.shape(), &rows)?)
}
