//! A linear autoencoder finds what principal component analysis computes (Baldi & Hornik 1989): on MNIST, its error against
//! PCA's, and the angles between the two spaces while it is trained.
//!
//!     cargo run --release --example pca

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, lower, one_of_each, pictures};
use strait::data::Images;
use strait::picture::{LabelledRow, filters, labelled_rows};
use strait::prelude::*;
use strait::terminal::stopping;
use strait::train::FineTuned;

#[derive(Parser)]
#[command(about = "Trains a linear autoencoder on MNIST and compares it with PCA", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Where the results go
    #[arg(long, default_value = "out/pca")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The size of the code.
    code: usize,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune {
            epochs: 20,
            optimizer: Optimizer::adam(4e-3),
            objective: Objective::SquaredError,
            ..FineTune::default()
        };
        Self { code: 30, training }
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
    recipe.code = options.member.code.unwrap_or(recipe.code);
    let mnist = Mnist::open(&options.member.common.data)?;
    let (train, test) = options.member.common.rows(&mnist);
    let mut net = Autoencoder::linear(train.width, recipe.code, recipe.training.seed)?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let pca = Pca::fit(&device, train, recipe.code)?;
    // Shorter runs, to see the spaces approach each other; the last one is the recipe's.
    let all = recipe.training.epochs;
    let mut lengths: Vec<usize> = [20, 10, 4, 2, 1].iter().map(|part| all.div_ceil(*part)).collect();
    lengths.dedup();
    let (mut tuned, mut table) = (FineTuned::default(), Vec::new());
    for epochs in lengths.into_iter().take_while(|_| !stopping()) {
        println!("\n{epochs} of {all} epochs");
        let part = FineTune { epochs, ..recipe.training.clone() };
        net = Autoencoder::linear(train.width, recipe.code, recipe.training.seed)?;
        tuned = shared::train(&device, &part, &mut net, train, test)?;
        let angles = pca.principal_angles(&net.layers[1])?;
        table.push((epochs, angles));
    }
    net.save(options.out.join("model.safetensors"))?;
    let (error, expected) = (net.error(&device, test)?, pca.error(test)?);
    let mut report = Report::new(&device, recipe.training.precision, &recipe, train.count, tuned);
    // Double precision, computed elsewhere.
    let known = (recipe.code == 30 && options.member.common.limit.is_none()).then_some(13.8663);
    report.measured = vec![
        lower("squared error per test image, PCA", expected, known),
        lower("squared error per test image, linear autoencoder", error, known),
        lower("how much more that is, per cent", 100.0 * (error / expected - 1.0), Some(0.0)),
    ];
    for (epochs, angles) in &table {
        let largest = angles.last().copied().unwrap_or(f64::NAN);
        let published = (*epochs == all).then_some(0.0);
        report.measured.push(lower(
            format!("largest principal angle after {epochs} epochs, degrees"),
            largest,
            published,
        ));
    }
    report.finish(&options.out)?;
    draw_reconstructions(&options.out.join("reconstructions.png"), &device, &net, &pca, &mnist.test)?;
    draw_components(&options.out.join("components.png"), &net, &pca, mnist.test.width)
}

fn draw_reconstructions(path: &Path, device: &Device, net: &Autoencoder, pca: &Pca, test: &Images) -> Result<()> {
    let (pixels, size) = (one_of_each(test), test.width * test.height);
    let rows = Rows::bytes(&pixels, size)?;
    let rows = [
        LabelledRow { label: "test images", images: pictures(&rows.to_numbers(), size) },
        LabelledRow { label: "autoencoder", images: pictures(&net.reconstruct(device, rows)?, size) },
        LabelledRow { label: "PCA", images: pca.encode(rows)?.iter().map(|code| pca.decode(code)).collect() },
    ];
    Ok(labelled_rows(path, test.width, &rows)?)
}

/// The first principal components, and below them what the autoencoder's space holds of each: its projection.
fn draw_components(path: &Path, net: &Autoencoder, pca: &Pca, width: usize) -> Result<()> {
    let shown = pca.components.len().min(20);
    let narrow = |component: &Vec<f64>| component.iter().map(|&x| x as f32).collect::<Vec<_>>();
    let mut drawn: Vec<Vec<f32>> = pca.components[..shown].iter().map(narrow).collect();
    drawn.resize(20, vec![0.0; pca.mean.len()]);
    let (encoder, decoder) = (&net.layers[0], &net.layers[1]);
    for component in &pca.components[..shown] {
        let code = |unit: usize| {
            let weights = encoder.weight.iter().skip(unit).step_by(encoder.outputs);
            weights.zip(component).map(|(&w, x)| f64::from(w) * x).sum::<f64>() as f32
        };
        let code: Vec<f32> = (0..encoder.outputs).map(code).collect();
        let pixel = |c: usize| code.iter().enumerate().map(|(u, z)| z * decoder.weight[u * decoder.outputs + c]).sum();
        drawn.push((0..decoder.outputs).map(pixel).collect());
    }
    Ok(filters(path, width, &drawn)?)
}
