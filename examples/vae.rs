//! A variational autoencoder (Kingma & Welling 2013; Rezende, Mohamed & Wierstra 2014) on MNIST: its evidence lower bound
//! by terms, an estimate of the likelihood, digits that it makes up, and the plane of its codes.
//!
//!     cargo run --release --example vae

use std::path::Path;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

/// The bound after 10 epochs with 400 hidden units and a code of 20 numbers, in nats for each test image.
const PUBLISHED: f64 = -105.0;

#[derive(Parser)]
#[command(about = "Trains a variational autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// Weight of the divergence of codes from their prior
    #[arg(long)]
    kl_weight: Option<f32>,
    /// Codes of each test image for the estimate of its likelihood
    #[arg(long)]
    samples: Option<usize>,
    /// Also train a model with a code of two numbers, and draw its plane
    #[arg(long)]
    map: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers, the code last.
    hidden: Vec<usize>,
    /// Codes of each test image for the estimate of its likelihood.
    samples: usize,
    training: MemberRecipe,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune {
            epochs: 10,
            batch: 128,
            optimizer: Optimizer::adam(1e-3),
            schedule: Schedule::Constant,
            ..FineTune::default()
        };
        Self { hidden: vec![400, 20], samples: 100, training: training.into() }
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
    recipe.training.kl_weight = options.kl_weight.unwrap_or(recipe.training.kl_weight);
    recipe.samples = options.samples.unwrap_or(recipe.samples).max(1);
    options.member.set_code(&mut recipe.hidden);
    let mnist = options.member.mnist()?;
    let (training, test) = options.member.rows(&mnist);
    let seed = recipe.training.tuning.seed;
    let sizes = [&[training.width], &recipe.hidden[..]].concat();
    let mut vae = Vae::glorot(&sizes, Activation::Relu, seed)?;
    recipe.training.set_vae(&mut vae);
    let (device, mut run) = options.member.begin(&mut recipe, training.count)?;

    run.train(&recipe.training.tuning, &mut vae, training, test)?;
    vae.save(run.path("model.safetensors"))?;
    let elbo = vae.elbo(&device, test, seed)?;
    run.higher("evidence lower bound, nats for each test image", elbo.total()).published(PUBLISHED);
    run.higher("its reconstruction, ln p(x|z)", elbo.reconstruction);
    run.lower("its divergence of q(z|x) from p(z)", elbo.divergence);
    if !stopping() {
        let mean = models::mean(&vae.log_likelihood(&device, test, recipe.samples, seed)?);
        run.higher(format!("ln p(x) from {} codes for each image", recipe.samples), mean);
    }
    run.finish()?;

    let digits = mnist.test.one_of_each();
    let codes = vae.encode(&device, digits.rows())?;
    let from_means = vae.decode(&device, Rows::numbers(&codes, vae.code_size())?)?;
    let rows = [("test images", digits.rows().to_numbers()), ("from means", from_means)];
    picture::labelled_rows(&run.path("reconstructions.png"), digits.shape(), &rows)?;
    draw_square(&run.path("samples.png"), &digits, &vae.sample(&device, 12 * 12, seed)?, 12)?;
    if options.map && !stopping() {
        let sizes = [&sizes[..sizes.len() - 1], &[2]].concat();
        let mut vae = Vae::glorot(&sizes, Activation::Relu, seed)?;
        run.compare("a model with a code of two numbers", &recipe.training.tuning, &mut vae, training, test)?;
        // What codes of two numbers from −2 to 2 stand for.
        let place = |i: usize| 4.0 * i as f32 / 19.0 - 2.0;
        let codes: Vec<f32> = (0..20 * 20).flat_map(|i| [place(i % 20), -place(i / 20)]).collect();
        draw_square(&run.path("plane.png"), &digits, &vae.decode(&device, Rows::numbers(&codes, 2)?)?, 20)?;
    }
    Ok(())
}

/// Draws images in rows of that many.
fn draw_square(path: &Path, digits: &Images, drawn: &[f32], side: usize) -> Result<()> {
    let [height, width] = digits.shape();
    let rows: Vec<_> = drawn.chunks(side * height * width).map(|row| ("", row.to_vec())).collect();
    Ok(picture::labelled_rows(path, [height, width], &rows)?)
}
