//! A linear autoencoder finds what principal component analysis computes (Baldi & Hornik 1989): on MNIST, its error against
//! PCA's, and the angles between the two spaces while it is trained.
//!
//!     cargo run --release --example pca

use std::path::Path;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains a linear autoencoder on MNIST and compares it with PCA", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
}

#[derive(Clone, Serialize, Deserialize)]
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
    recipe.code = options.member.code.unwrap_or(recipe.code);
    let mnist = options.member.mnist()?;
    let (train, test) = options.member.rows(&mnist);
    let mut net = Autoencoder::linear(train.width, recipe.code, recipe.training.seed)?;
    let (device, mut run) = options.member.begin(&mut recipe, train.count)?;

    let pca = Pca::fit(&device, train, recipe.code)?;
    // Shorter runs, to see the spaces approach each other; the last one is the recipe's, and is reported.
    let all = recipe.training.epochs;
    let mut lengths: Vec<usize> = [20, 10, 4, 2, 1].iter().map(|part| all.div_ceil(*part)).collect();
    lengths.dedup();
    let mut table = Vec::new();
    for epochs in lengths.into_iter().take_while(|_| !stopping()) {
        say!("\n{epochs} of {all} epochs");
        let part = FineTune { epochs, ..recipe.training.clone() };
        net = Autoencoder::linear(train.width, recipe.code, recipe.training.seed)?;
        (run.seconds_train, run.epochs) = (0.0, Vec::new());
        run.train(&part, &mut net, train, test)?;
        table.push((epochs, pca.principal_angles(&net.layers[1])?));
    }
    net.save(run.path("model.safetensors"))?;
    let (error, expected) = (net.error(&device, test)?, pca.error(test)?);
    // Double precision, computed elsewhere.
    let known = (recipe.code == 30 && options.member.common.limit.is_none()).then_some(13.8663);
    run.lower("squared error per test image, PCA", expected).published(known);
    run.lower("squared error per test image, linear autoencoder", error).published(known);
    run.lower("how much more that is, per cent", 100.0 * (error / expected - 1.0)).published(0.0);
    for (epochs, angles) in &table {
        let largest = angles.last().copied().unwrap_or(f64::NAN);
        let what = format!("largest principal angle after {epochs} epochs, degrees");
        run.lower(what, largest).published((*epochs == all).then_some(0.0));
    }
    run.finish()?;

    let digits = mnist.test.one_of_each();
    let rows = [
        ("test images", digits.rows().to_numbers()),
        ("autoencoder", net.reconstruct(&device, digits.rows())?),
        ("PCA", pca.reconstruct(digits.rows())?),
    ];
    picture::labelled_rows(&run.path("reconstructions.png"), digits.shape(), &rows)?;
    draw_components(&run.path("components.png"), &net, &pca, digits.width)
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
    Ok(picture::filters(path, width, &drawn)?)
}
