//! Multimodal autoencoders (Ngiam et al. 2011) on MNIST: two inputs with one code, trained with one of them missing now and
//! then, so that either is reconstructed from the other: left and right halves of digits, and images and labels.
//!
//!     cargo run --release --example multimodal

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, higher, lower, train};
use strait::Missing;
use strait::data::Images;
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::stopping;
use strait::train::FineTuned;

/// Values that stand for each of ten labels: as many as give them weight beside the pixels.
const REPEATED: usize = 10;

#[derive(Parser)]
#[command(about = "Trains multimodal autoencoders on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// With what probability the first input is missing in training; the second one is with the same
    #[arg(long)]
    share: Option<f32>,
    /// Where the results go
    #[arg(long, default_value = "out/multimodal")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
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
        let width = mnist.train.width;
        let half = |images: &Images, columns: Range<usize>, image: usize| -> Vec<u8> {
            let start = image * images.width * images.height;
            (0..images.height).flat_map(|y| images.pixels[start + y * width..][columns.clone()].to_vec()).collect()
        };
        let rows = |images: &Images| -> Vec<u8> {
            let both = |i| [half(images, 0..width / 2, i), half(images, width / 2..width, i)].concat();
            (0..images.labels.len()).flat_map(both).collect()
        };
        let (first, size) = (mnist.train.height * (width / 2), mnist.train.height * width);
        Self { first, width: size, train: rows(&mnist.train), test: rows(&mnist.test) }
    }

    /// The images, then their labels.
    fn labelled(mnist: &Mnist) -> Self {
        let size = mnist.train.width * mnist.train.height;
        let rows = |images: &Images| -> Vec<u8> {
            let label =
                |label: u8| (0..10 * REPEATED).map(move |i| if i / REPEATED == usize::from(label) { 255 } else { 0 });
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

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training)
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.share = options.share.unwrap_or(recipe.share);
    if let Some(code) = options.member.code {
        recipe.hidden.pop();
        recipe.hidden.push(code);
    }
    if !(0.0..=0.5).contains(&recipe.share) {
        bail!("--share {}: it must lie from 0 to 0.5, since never both inputs are missing", recipe.share);
    }
    let mnist = Mnist::open(&options.member.common.data)?;
    let (halves, labelled) = (Pairs::halves(&mnist), Pairs::labelled(&mnist));
    let net = |pairs: &Pairs| -> Result<Autoencoder> {
        let sizes: Vec<usize> = std::iter::once(pairs.width).chain(recipe.hidden.iter().copied()).collect();
        let mut net = Autoencoder::glorot(&sizes, recipe.training.seed)?;
        // Rectified units learn the deep net without pretraining.
        for i in (0..net.layers.len() - 1).filter(|&i| i + 1 != net.encoder) {
            net.layers[i].activation = Activation::Relu;
        }
        Ok(net)
    };
    let nets = [net(&halves)?, net(&halves)?, net(&labelled)?];
    let device = options.member.begin(&options.out, &mut recipe)?;

    let limit = options.member.common.limit.unwrap_or(usize::MAX);
    let mut all = FineTuned::default();
    let mut learn = |title: &str, mut net: Autoencoder, pairs: &Pairs, share: f32| -> Result<Autoencoder> {
        println!("\n{title}");
        let missing = Noise::Missing(Missing { first: pairs.first as u32, share });
        net.corruption = (share > 0.0).then_some(missing);
        let (rows, test) =
            (Rows::bytes(&pairs.train, pairs.width)?.first(limit), Rows::bytes(&pairs.test, pairs.width)?);
        if !stopping() {
            let tuned = train(&device, &recipe.training, &mut net, rows, test)?;
            all.stopped |= tuned.stopped;
            all.epochs.extend(tuned.epochs);
        }
        Ok(net)
    };
    let [with, without, labels] = nets;
    let with = learn("halves, one of them missing now and then", with, &halves, recipe.share)?;
    let without = learn("halves, both always there", without, &halves, 0.0)?;
    let labels = learn("images and labels", labels, &labelled, recipe.share)?;
    with.save(options.out.join("halves.safetensors"))?;
    labels.save(options.out.join("labels.safetensors"))?;

    let right = halves.first..halves.width;
    let completed = halves.complete(&device, &with, right.clone())?;
    let mean: Vec<f32> = Rows::bytes(&halves.train, halves.width)?.mean().iter().map(|&m| m as f32).collect();
    let means = mean.repeat(halves.test.len() / halves.width);
    let read = labelled.complete(&device, &labels, labelled.first..labelled.width)?;
    let mut report = Report::new(&device, recipe.training.precision, &recipe, mnist.train.labels.len().min(limit), all);
    let what = "squared error of right halves from left ones";
    let alone = halves.complete(&device, &without, right.clone())?;
    report.measured = vec![
        lower(format!("{what}, trained with halves missing"), halves.error(&completed, right.clone()), None),
        lower(format!("{what}, trained with both"), halves.error(&alone, right.clone()), None),
        lower("squared error of the mean right half", halves.error(&means, right), None),
        higher("labels read off images alone, per cent", 100.0 * named(&read, &labelled, &mnist.test.labels), None),
    ];
    report.finish(&options.out)?;
    draw(options, &device, &mnist.test, &halves, &completed, &labelled, &labels)
}

/// The share of rows whose reconstructed label is theirs.
fn named(found: &[f32], pairs: &Pairs, labels: &[u8]) -> f64 {
    let label = |row: &[f32]| {
        let votes = row[pairs.first..].chunks_exact(REPEATED).map(|part| part.iter().sum::<f32>());
        votes.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(label, _)| label)
    };
    let right =
        found.chunks_exact(pairs.width).zip(labels).filter(|(row, digit)| label(row) == Some(usize::from(**digit)));
    right.count() as f64 / labels.len() as f64
}

fn draw(
    options: &Options,
    device: &Device,
    test: &Images,
    halves: &Pairs,
    completed: &[f32],
    labelled: &Pairs,
    labels: &Autoencoder,
) -> Result<()> {
    let half = test.width / 2;
    // Halves side by side again.
    let join = |row: &[f32]| -> Vec<f32> {
        let (left, right) = row.split_at(halves.first);
        left.chunks(half).zip(right.chunks(test.width - half)).flat_map(|(l, r)| [l, r].concat()).collect()
    };
    let chosen: Vec<usize> = (0..10).filter_map(|digit| test.labels.iter().position(|&label| label == digit)).collect();
    let truth = |i: usize| -> Vec<f32> {
        halves.test[i * halves.width..][..halves.width].iter().map(|&b| f32::from(b) / 255.0).collect()
    };
    let given = |i: usize| [&truth(i)[..halves.first], &vec![0.0; halves.width - halves.first]].concat();
    let found = |i: usize| {
        [&truth(i)[..halves.first], &completed[i * halves.width + halves.first..][..halves.width - halves.first]]
            .concat()
    };
    let row = |of: &dyn Fn(usize) -> Vec<f32>| chosen.iter().map(|&i| join(&of(i))).collect::<Vec<_>>();
    let rows = [
        LabelledRow { label: "left halves", images: row(&given) },
        LabelledRow { label: "completed", images: row(&found) },
        LabelledRow { label: "test images", images: row(&truth) },
    ];
    labelled_rows(&options.out.join("halves.png"), test.width, &rows)?;
    let mut alone = vec![0u8; 10 * labelled.width];
    for (digit, row) in alone.chunks_exact_mut(labelled.width).enumerate() {
        row[labelled.first + digit * REPEATED..][..REPEATED].fill(255);
    }
    let drawn = labels.reconstruct(device, Rows::bytes(&alone, labelled.width)?)?;
    let images = drawn.chunks_exact(labelled.width).map(|row| row[..labelled.first].to_vec()).collect();
    let rows = [LabelledRow { label: "from labels", images }];
    Ok(labelled_rows(&options.out.join("labels.png"), test.width, &rows)?)
}
