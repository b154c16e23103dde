//! Multimodal autoencoders (Ngiam et al. 2011) on MNIST: two inputs with one code, trained with one of them missing now and
//! then, so that either is reconstructed from the other: left and right halves of digits, and images and labels.
//!
//!     cargo run --release --example multimodal

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

/// Values that stand for each of ten labels: as many as give them weight beside the pixels.
const REPEATED: usize = 10;

#[derive(Parser)]
#[command(about = "Trains multimodal autoencoders on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// With what probability the first input is missing in training; the second one is with the same
    #[arg(long)]
    share: Option<f32>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers, the code last.
    hidden: Vec<usize>,
    /// With what probability either input is missing.
    share: f32,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune { epochs: 12, optimizer: Optimizer::adam(1e-3), ..FineTune::default() };
        Self { hidden: vec![500, 250, 64], share: 0.33, training }
    }
}

/// The places of the pixels of left halves, then those of right ones, and how many the left ones are.
fn by_halves(images: &Images) -> (usize, Vec<usize>) {
    let [height, width] = images.shape();
    let (left, right): (Vec<_>, Vec<_>) = (0..height * width).partition(|pixel| pixel % width < width / 2);
    (left.len(), [left, right].concat())
}

/// Rows of two parts.
struct Pairs {
    first: usize,
    width: usize,
    train: Vec<u8>,
    test: Vec<u8>,
}

impl Pairs {
    /// The left halves of the images, then the right ones.
    fn halves(mnist: &Mnist) -> Self {
        let (first, order) = by_halves(&mnist.train);
        let image = |image: &[u8]| order.iter().map(|&pixel| image[pixel]).collect::<Vec<_>>();
        let rows = |images: &Images| images.pixels.chunks_exact(order.len()).flat_map(image).collect();
        Self { first, width: order.len(), train: rows(&mnist.train), test: rows(&mnist.test) }
    }

    /// The images, then their labels.
    fn labelled(mnist: &Mnist) -> Self {
        let size = mnist.train.rows().width;
        let label = |digit: u32| (0..10).flat_map(move |class| [if class == digit { 255 } else { 0 }; REPEATED]);
        let rows = |images: &Images| {
            let pairs = images.pixels.chunks_exact(size).zip(&images.labels);
            pairs.flat_map(|(image, &digit)| image.iter().copied().chain(label(digit))).collect()
        };
        Self { first: size, width: size + 10 * REPEATED, train: rows(&mnist.train), test: rows(&mnist.test) }
    }

    /// The test rows with 0 in these columns, and what the net makes of them.
    fn complete(&self, device: &Device, net: &Autoencoder, missing: Range<usize>) -> Result<Vec<f32>> {
        let mut given = self.test.clone();
        given.chunks_exact_mut(self.width).for_each(|row| row[missing.clone()].fill(0));
        Ok(net.reconstruct(device, Rows::bytes(&given, self.width)?)?)
    }

    /// The squared error of these columns, for each test row.
    fn error(&self, found: &[f32], columns: Range<usize>) -> f64 {
        let pairs = found.chunks_exact(self.width).zip(self.test.chunks_exact(self.width));
        let square = |(x, y): (&f32, &u8)| (f64::from(*x) - f64::from(*y) / 255.0).powi(2);
        let of_row =
            |(x, y): (&[f32], &[u8])| x[columns.clone()].iter().zip(&y[columns.clone()]).map(square).sum::<f64>();
        pairs.map(of_row).sum::<f64>() / (self.test.len() / self.width) as f64
    }
}

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.share = options.share.unwrap_or(recipe.share);
    options.member.set_code(&mut recipe.hidden);
    if !(0.0..=0.5).contains(&recipe.share) {
        bail!("--share {}: it must lie from 0 to 0.5, since never both inputs are missing", recipe.share);
    }
    let mnist = options.member.mnist()?;
    let (images, _) = options.member.rows(&mnist);
    let (halves, labelled) = (Pairs::halves(&mnist), Pairs::labelled(&mnist));
    let net = |pairs: &Pairs, share: f32| -> Result<Autoencoder> {
        let mut net = Autoencoder::glorot(&[&[pairs.width], &recipe.hidden[..]].concat(), recipe.training.seed)?;
        // Rectified units learn the deep net without pretraining.
        for i in (0..net.layers.len() - 1).filter(|&i| i + 1 != net.encoder) {
            net.layers[i].activation = Activation::Relu;
        }
        let missing = Noise::Missing(Missing { first: pairs.first as u32, share });
        net.corruption = (share > 0.0).then_some(missing);
        Ok(net)
    };
    let mut with = net(&halves, recipe.share)?;
    let mut without = net(&halves, 0.0)?;
    let mut labels = net(&labelled, recipe.share)?;
    let (device, mut run) = options.member.begin(&mut recipe, images.count)?;

    for (heading, net, pairs) in [
        ("halves, one of them missing now and then", &mut with, &halves),
        ("halves, both always there", &mut without, &halves),
        ("images and labels", &mut labels, &labelled),
    ] {
        say!("\n{heading}");
        let (rows, test) = (Rows::bytes(&pairs.train, pairs.width)?, Rows::bytes(&pairs.test, pairs.width)?);
        run.train(&recipe.training, net, rows.first(images.count), test)?;
    }
    with.save(run.path("halves.safetensors"))?;
    labels.save(run.path("labels.safetensors"))?;

    let right = halves.first..halves.width;
    let completed = halves.complete(&device, &with, right.clone())?;
    let alone = halves.complete(&device, &without, right.clone())?;
    let mean: Vec<f32> = Rows::bytes(&halves.train, halves.width)?.mean().iter().map(|&m| m as f32).collect();
    let means = mean.repeat(mnist.test.labels.len());
    let read = labelled.complete(&device, &labels, labelled.first..labelled.width)?;
    let what = "squared error of right halves from left ones";
    run.lower(format!("{what}, trained with halves missing"), halves.error(&completed, right.clone()));
    run.lower(format!("{what}, trained with both"), halves.error(&alone, right.clone()));
    run.lower("squared error of the mean right half", halves.error(&means, right));
    let found = 100.0 * named(&read, &labelled, &mnist.test.labels);
    run.higher("labels read off images alone, per cent", found);
    run.finish()?;

    draw_halves(&run.path("halves.png"), &mnist.test, &halves, &completed)?;
    let mut given = vec![0u8; 10 * labelled.width];
    for (digit, row) in given.chunks_exact_mut(labelled.width).enumerate() {
        row[labelled.first + digit * REPEATED..][..REPEATED].fill(255);
    }
    let drawn = labels.reconstruct(&device, Rows::bytes(&given, labelled.width)?)?;
    let images = drawn.chunks_exact(labelled.width).flat_map(|row| &row[..labelled.first]).copied().collect();
    let rows = [("from labels", images)];
    Ok(picture::labelled_rows(&run.path("labels.png"), mnist.test.shape(), &rows)?)
}

/// The share of rows whose reconstructed label is theirs.
fn named(found: &[f32], pairs: &Pairs, labels: &[u32]) -> f64 {
    let label = |row: &[f32]| {
        let votes = row[pairs.first..].chunks_exact(REPEATED).map(|part| part.iter().sum::<f32>());
        votes.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(label, _)| label)
    };
    let right = found.chunks_exact(pairs.width).zip(labels).filter(|(row, digit)| label(row) == Some(**digit as usize));
    right.count() as f64 / labels.len() as f64
}

/// Left halves of one image of each digit, what the net makes of them, and the images.
fn draw_halves(path: &Path, test: &Images, halves: &Pairs, completed: &[f32]) -> Result<()> {
    let (first, order) = by_halves(test);
    let all = Rows::bytes(&halves.test, halves.width)?.to_numbers();
    // The left halves with right halves of these rows, as images.
    let joined = |rows: &[f32]| -> Vec<f32> {
        let image = |i: usize| {
            let mut image = vec![0.0; order.len()];
            for (place, &pixel) in order.iter().enumerate() {
                let source = if place < first { &all[..] } else { rows };
                image[pixel] = source[i * order.len() + place];
            }
            image
        };
        test.first_of_each().into_iter().flat_map(image).collect()
    };
    let nothing = vec![0.0; all.len()];
    let rows = [("left halves", joined(&nothing)), ("completed", joined(completed)), ("test images", joined(&all))];
    Ok(picture::labelled_rows(path, test.shape(), &rows)?)
}
