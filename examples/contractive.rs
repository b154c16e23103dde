//! A contractive autoencoder (Rifai et al. 2011) on MNIST beside the same net without the penalty: how much their codes
//! change with the image, and what they are good for.
//!
//!     cargo run --release --example contractive

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

/// The deviation of the noise by which codes are moved.
const NOISE: f32 = 0.1;

#[derive(Parser)]
#[command(about = "Trains a contractive autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// λ, the weight of the squared norm of the Jacobian
    #[arg(long)]
    weight: Option<f32>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The size of the code, of logistic units.
    code: usize,
    /// λ, the weight of the squared norm of the Jacobian.
    weight: f32,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune { epochs: 15, optimizer: Optimizer::adam(1e-3), ..FineTune::default() };
        Self { code: 500, weight: 0.1, neighbours: 5, training }
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
    recipe.weight = options.weight.unwrap_or(recipe.weight);
    let penalty = |weight: f32| Some(Penalty::Contractive { weight });
    let mnist = options.member.mnist()?;
    let (training, test) = options.member.rows(&mnist);
    let mut contractive = Autoencoder::glorot(&[training.width, recipe.code], recipe.training.seed)?;
    contractive.layers[0].activation = Activation::Logistic;
    let mut plain = contractive.clone();
    contractive.penalty = penalty(recipe.weight);
    recipe.training.check_for(&contractive)?;
    let (device, mut run) = options.member.begin(&mut recipe, training.count)?;

    run.train(&recipe.training, &mut contractive, training, test)?;
    contractive.save(run.path("model.safetensors"))?;
    run.compare("the same net without the penalty", &recipe.training, &mut plain, training, test)?;
    let noisy = models::corrupt(&device, test, Noise::Gaussian(NOISE), recipe.training.seed)?;
    let noisy = Rows::numbers(&noisy, test.width)?;
    let nets = [("contractive", "filters.png", &contractive), ("plain", "filters-plain.png", &plain)];
    for (name, file, net) in nets.into_iter().take(if stopping() { 1 } else { 2 }) {
        // The penalty is what it adds to the loss.
        let loss = |penalty| -> Result<f64> {
            let net = Autoencoder { penalty, ..net.clone() };
            Ok(recipe.training.gradient(&device, &net, training.first(1000))?.0)
        };
        run.lower(format!("squared norm of the Jacobian, {name}"), loss(penalty(1.0))? - loss(None)?);
        let change = models::squared_error(&net.encode(&device, test)?, &net.encode(&device, noisy)?);
        let what = format!("squared change of codes by noise of deviation {NOISE}, {name}");
        run.lower(what, change / test.count as f64);
        run.lower(format!("squared error per test image, {name}"), net.error(&device, test)?);
        let labels: [&[u32]; 2] = [&mnist.train.labels, &mnist.test.labels];
        let right = net.knn_accuracy(&device, [training, test], labels, recipe.neighbours)?;
        let what = format!("test images that {} neighbours' codes name, per cent, {name}", recipe.neighbours);
        run.higher(what, 100.0 * right);
        picture::encoder_filters(&run.path(file), &net.layers[0], mnist.test.width)?;
    }
    Ok(run.finish()?)
}
