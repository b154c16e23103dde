//! A convolutional autoencoder on MNIST: convolutions that halve the image, their transposes that enlarge it again, a code
//! that is a map of 4 x 4 pixels. Beside it PCA and a fully connected net with codes of the same size.
//!
//!     cargo run --release --example convolutional

use std::path::Path;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains a convolutional autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// Pixels of an edge of the windows
    #[arg(long)]
    kernel: Option<usize>,
}

#[derive(Clone, Serialize, Deserialize)]
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
    recipe.kernel = options.kernel.unwrap_or(recipe.kernel);
    options.member.set_code(&mut recipe.filters);
    let mnist = options.member.mnist()?;
    let (images, test) = options.member.rows(&mnist);
    let seed = recipe.training.seed;
    let shape = [mnist.train.height, mnist.train.width, 1];
    let mut net = Autoencoder::convolutional(shape, &recipe.filters, recipe.kernel, seed)?;
    let mut dense = Autoencoder::glorot(&[images.width, net.code_size()], seed)?;
    dense.layers[0].activation = Activation::Relu;
    let (device, mut run) = options.member.begin(&mut recipe, images.count)?;

    run.train(&recipe.training, &mut net, images, test)?;
    let notes = [("strait.test_error".to_owned(), net.error(&device, test)?.to_string())].into();
    net.save_with(run.path("model.safetensors"), &SaveOptions { notes, ..SaveOptions::default() })?;
    run.compare("a fully connected net", &recipe.training, &mut dense, images, test)?;
    // A code wider than the image has no PCA to compare with.
    let pca = (net.code_size() <= images.width).then(|| Pca::fit(&device, images, net.code_size())).transpose()?;
    // The tutorial's figure for codes of 128 numbers.
    let published = (net.code_size() == 128 && options.member.common.limit.is_none()).then_some(0.094);
    if let Some(loss) = run.epochs.last().and_then(|epoch| epoch.test_loss) {
        run.lower("cross-entropy per test pixel", loss / test.width as f64).published(published);
    }
    let nets = [("convolutional", &net), ("fully connected", &dense)];
    for (name, net) in nets.into_iter().take(if stopping() { 1 } else { 2 }) {
        let what = format!("squared error per test image, {name}, {} parameters", net.parameters());
        run.lower(what, net.error(&device, test)?);
        let labels: [&[u32]; 2] = [&mnist.train.labels, &mnist.test.labels];
        let right = net.knn_accuracy(&device, [images, test], labels, recipe.neighbours)?;
        let what = format!("test images that {} neighbours' codes name, per cent, {name}", recipe.neighbours);
        run.higher(what, 100.0 * right);
    }
    match &pca {
        Some(pca) => {
            run.lower("squared error per test image, PCA", pca.error(test)?);
        }
        None => say!(
            "a code of {} numbers is wider than the image, so that PCA has no error to compare with",
            net.code_size()
        ),
    }
    run.finish()?;

    let digits = mnist.test.one_of_each();
    let mut rows = vec![
        ("test images", digits.rows().to_numbers()),
        ("convolutional", net.reconstruct(&device, digits.rows())?),
        ("connected", dense.reconstruct(&device, digits.rows())?),
    ];
    if let Some(pca) = pca {
        rows.push(("PCA", pca.reconstruct(digits.rows())?));
    }
    picture::labelled_rows(&run.path("reconstructions.png"), digits.shape(), &rows)?;
    draw_maps(&run.path("maps.png"), &device, &net, &digits)
}

/// What the first convolution's filters see in one image of each digit, each map as bright as it can be.
fn draw_maps(path: &Path, device: &Device, net: &Autoencoder, digits: &Images) -> Result<()> {
    let first = &net.layers[0];
    let filters = first.bias.len();
    let shape = first.convolution.map_or(digits.shape(), |convolution| convolution.window.steps());
    let maps = models::forward(device, &net.layers[..1], None, &digits.rows())?;
    let map = |row: &[f32], filter: usize| -> Vec<f32> {
        let values: Vec<f32> = row.iter().skip(filter).step_by(filters).copied().collect();
        let top = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        values.iter().map(|x| x / top).collect()
    };
    let row = |row| (0..filters.min(20)).flat_map(|filter| map(row, filter)).collect();
    let rows = maps.chunks_exact(first.outputs).zip(&digits.labels).map(|(maps, digit)| (digit.to_string(), row(maps)));
    Ok(picture::labelled_rows(path, shape, &rows.collect::<Vec<_>>())?)
}
