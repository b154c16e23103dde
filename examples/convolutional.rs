//! A convolutional autoencoder on MNIST: convolutions that halve the image, their transposes that enlarge it again, a code
//! that is a map of 4 x 4 pixels. Beside it PCA and a fully connected net with codes of the same size.
//!
//!     cargo run --release --example convolutional

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, higher, lower, one_of_each, pictures, train};
use strait::data::Images;
use strait::models::{forward, nearest, vote};
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::stopping;

#[derive(Parser)]
#[command(about = "Trains a convolutional autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Pixels of an edge of the windows
    #[arg(long)]
    kernel: Option<usize>,
    /// Where the results go
    #[arg(long, default_value = "out/convolutional")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The filters of each convolution; the last ones are the channels of the code.
    filters: Vec<usize>,
    /// Pixels of an edge of the windows.
    kernel: usize,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune { epochs: 12, optimizer: Optimizer::adam(2e-3), ..FineTune::default() };
        Self { filters: vec![16, 8, 8], kernel: 3, neighbours: 5, training }
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
    recipe.kernel = options.kernel.unwrap_or(recipe.kernel);
    if let (Some(code), Some(last)) = (options.member.code, recipe.filters.last_mut()) {
        *last = code;
    }
    let mnist = Mnist::open(&options.member.common.data)?;
    let (images, test) = options.member.common.rows(&mnist);
    let seed = recipe.training.seed;
    let shape = [mnist.train.height, mnist.train.width, 1];
    let mut net = Autoencoder::convolutional(shape, &recipe.filters, recipe.kernel, seed)?;
    let mut dense = Autoencoder::glorot(&[images.width, net.code_size()], seed)?;
    dense.layers[0].activation = Activation::Relu;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let tuned = train(&device, &recipe.training, &mut net, images, test)?;
    let notes = [("strait.test_error".to_owned(), net.error(&device, test)?.to_string())].into();
    net.save_with(options.out.join("model.safetensors"), &SaveOptions { notes, ..SaveOptions::default() })?;
    if !stopping() {
        println!("\na fully connected net");
        train(&device, &recipe.training, &mut dense, images, test)?;
    }
    let code = net.code_size();
    let pca = Pca::fit(&device, images, code)?;
    let mut report = Report::new(&device, recipe.training.precision, &recipe, images.count, tuned);
    // The tutorial's figure for codes of 128 numbers.
    let published = (code == 128 && options.member.common.limit.is_none()).then_some(0.094);
    if let Some(loss) = report.epochs.last().and_then(|epoch| epoch.test_loss) {
        report.measured.push(lower("cross-entropy per test pixel", loss / test.width as f64, published));
    }
    let nets = [("convolutional", &net), ("fully connected", &dense)];
    for (name, net) in nets.into_iter().take(if stopping() { 1 } else { 2 }) {
        let parameters = format!("{name}, {} parameters", net.parameters());
        report.measured.push(lower(
            format!("squared error per test image, {parameters}"),
            net.error(&device, test)?,
            None,
        ));
        let [references, queries] = [images, test].map(|rows| net.encode(&device, rows));
        let (references, queries) = (references?, queries?);
        let [references, queries] = [&references, &queries].map(|codes| Rows::numbers(codes, code));
        let found = nearest(&device, references?, queries?, recipe.neighbours)?;
        let right = vote(&found, &mnist.train.labels, &mnist.test.labels)?;
        let what = format!("test images that {} neighbours' codes name, per cent, {name}", recipe.neighbours);
        report.measured.push(higher(what, 100.0 * right, None));
    }
    report.measured.push(lower("squared error per test image, PCA", pca.error(test)?, None));
    report.finish(&options.out)?;
    draw_reconstructions(&options.out.join("reconstructions.png"), &device, [&net, &dense], &pca, &mnist.test)?;
    draw_maps(&options.out.join("maps.png"), &device, &net, &mnist.test)
}

fn draw_reconstructions(
    path: &Path,
    device: &Device,
    [net, dense]: [&Autoencoder; 2],
    pca: &Pca,
    test: &Images,
) -> Result<()> {
    let (pixels, size) = (one_of_each(test), test.width * test.height);
    let rows = Rows::bytes(&pixels, size)?;
    let rows = [
        LabelledRow { label: "test images", images: pictures(&rows.to_numbers(), size) },
        LabelledRow { label: "convolutional", images: pictures(&net.reconstruct(device, rows)?, size) },
        LabelledRow { label: "connected", images: pictures(&dense.reconstruct(device, rows)?, size) },
        LabelledRow { label: "PCA", images: pca.encode(rows)?.iter().map(|code| pca.decode(code)).collect() },
    ];
    Ok(labelled_rows(path, test.width, &rows)?)
}

/// What the first convolution's filters see in one image of each digit, each map as bright as it can be.
fn draw_maps(path: &Path, device: &Device, net: &Autoencoder, test: &Images) -> Result<()> {
    let (pixels, size) = (one_of_each(test), test.width * test.height);
    let rows = Rows::bytes(&pixels, size)?;
    let first = &net.layers[0];
    let filters = first.bias.len().min(20);
    let width = first.convolution.map_or(test.width, |convolution| convolution.window.steps()[1]);
    let maps = forward(device, &net.layers[..1], None, &rows)?;
    let map = |row: &[f32], filter: usize| -> Vec<f32> {
        let values: Vec<f32> = row.iter().skip(filter).step_by(first.bias.len()).copied().collect();
        let top = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        values.iter().map(|x| x / top).collect()
    };
    let drawn = maps.chunks_exact(first.outputs).zip(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let rows = drawn.map(|(row, label)| LabelledRow { label, images: (0..filters).map(|f| map(row, f)).collect() });
    Ok(labelled_rows(path, width, &rows.collect::<Vec<_>>())?)
}
