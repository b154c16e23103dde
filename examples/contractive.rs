//! A contractive autoencoder (Rifai et al. 2011) on MNIST beside the same net without the penalty: how much their codes
//! change with the image, and what they are good for.
//!
//!     cargo run --release --example contractive

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, draw_filters, higher, lower, train};
use strait::models::{corrupt, nearest, vote};
use strait::prelude::*;
use strait::terminal::stopping;

/// The deviation of the noise by which codes are moved.
const NOISE: f32 = 0.1;

#[derive(Parser)]
#[command(about = "Trains a contractive autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// λ, the weight of the squared norm of the Jacobian
    #[arg(long)]
    weight: Option<f32>,
    /// Where the results go
    #[arg(long, default_value = "out/contractive")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
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
    recipe.weight = options.weight.unwrap_or(recipe.weight);
    let penalty = |weight: f32| Some(Penalty::Contractive { weight });
    let mnist = Mnist::open(&options.member.common.data)?;
    let (training, test) = options.member.common.rows(&mnist);
    let mut contractive = Autoencoder::glorot(&[training.width, recipe.code], recipe.training.seed)?;
    contractive.layers[0].activation = Activation::Logistic;
    let mut plain = contractive.clone();
    contractive.penalty = penalty(recipe.weight);
    recipe.training.check_for(&contractive)?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let tuned = train(&device, &recipe.training, &mut contractive, training, test)?;
    contractive.save(options.out.join("model.safetensors"))?;
    if !stopping() {
        println!("\nthe same net without the penalty");
        train(&device, &recipe.training, &mut plain, training, test)?;
    }
    let mut report = Report::new(&device, recipe.training.precision, &recipe, training.count, tuned);
    let noisy = corrupt(&device, test, Noise::Gaussian(NOISE), recipe.training.seed)?;
    let noisy = Rows::numbers(&noisy, test.width)?;
    let nets = [("contractive", "filters.png", &contractive), ("plain", "filters-plain.png", &plain)];
    for (name, file, net) in nets.into_iter().take(if stopping() { 1 } else { 2 }) {
        let [references, codes, moved] = [training, test, noisy].map(|rows| net.encode(&device, rows));
        let (references, codes, moved) = (references?, codes?, moved?);
        // The penalty is what it adds to the loss.
        let few = training.first(1000);
        let loss = |penalty| {
            let net = Autoencoder { penalty, ..net.clone() };
            Ok(recipe.training.gradient(&device, &net, few)?.0)
        };
        let norm: Result<f64> = loss(penalty(1.0)).and_then(|with| Ok(with - loss(None)?));
        report.measured.push(lower(format!("squared norm of the Jacobian, {name}"), norm?, None));
        let squares = codes.iter().zip(&moved).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
        let what = format!("squared change of codes by noise of deviation {NOISE}, {name}");
        report.measured.push(lower(what, squares / test.count as f64, None));
        report.measured.push(lower(format!("squared error per test image, {name}"), net.error(&device, test)?, None));
        let [references, codes] = [&references, &codes].map(|codes| Rows::numbers(codes, recipe.code));
        let found = nearest(&device, references?, codes?, recipe.neighbours)?;
        let right = 100.0 * vote(&found, &mnist.train.labels, &mnist.test.labels)?;
        let what = format!("test images that {} neighbours' codes name, per cent, {name}", recipe.neighbours);
        report.measured.push(higher(what, right, None));
        draw_filters(&options.out.join(file), &net.layers[0], mnist.test.width)?;
    }
    report.finish(&options.out)
}
