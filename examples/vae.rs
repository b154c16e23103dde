//! A variational autoencoder (Kingma & Welling 2013; Rezende, Mohamed & Wierstra 2014) on MNIST: its evidence lower bound
//! by terms, an estimate of the likelihood, digits that it makes up, and the plane of its codes.
//!
//!     cargo run --release --example vae

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, higher, lower, one_of_each, pictures, train};

use strait::MemberRecipe;
use strait::data::Images;
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::stopping;

/// The bound after 10 epochs with 400 hidden units and a code of 20 numbers, in nats for each test image.
const PUBLISHED: f64 = -105.0;

#[derive(Parser)]
#[command(about = "Trains a variational autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Weight of the divergence of codes from their prior
    #[arg(long)]
    kl_weight: Option<f32>,
    /// Codes of each test image for the estimate of its likelihood
    #[arg(long)]
    samples: Option<usize>,
    /// Also train a model with a code of two numbers, and draw its plane
    #[arg(long)]
    map: bool,
    /// Where the results go
    #[arg(long, default_value = "out/vae")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
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

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training.tuning)
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.training.kl_weight = options.kl_weight.unwrap_or(recipe.training.kl_weight);
    recipe.samples = options.samples.unwrap_or(recipe.samples).max(1);
    if let Some(code) = options.member.code {
        recipe.hidden.pop();
        recipe.hidden.push(code);
    }
    let mnist = Mnist::open(&options.member.common.data)?;
    let (training, test) = options.member.common.rows(&mnist);
    let sizes: Vec<usize> = std::iter::once(training.width).chain(recipe.hidden.iter().copied()).collect();
    let mut vae = Vae::glorot(&sizes, Activation::Relu, recipe.training.tuning.seed)?;
    recipe.training.set_vae(&mut vae);
    let device = options.member.begin(&options.out, &mut recipe)?;

    let tuned = train(&device, &recipe.training.tuning, &mut vae, training, test)?;
    vae.save(options.out.join("model.safetensors"))?;
    let seed = recipe.training.tuning.seed;
    let elbo = vae.elbo(&device, test, seed)?;
    let mut report = Report::new(&device, recipe.training.tuning.precision, &recipe, training.count, tuned);
    report.measured = vec![
        higher("evidence lower bound, nats for each test image", elbo.total(), Some(PUBLISHED)),
        higher("its reconstruction, ln p(x|z)", elbo.reconstruction, None),
        lower("its divergence of q(z|x) from p(z)", elbo.divergence, None),
    ];
    if !stopping() {
        let likelihoods = vae.log_likelihood(&device, test, recipe.samples, seed)?;
        let mean = likelihoods.iter().sum::<f64>() / likelihoods.len() as f64;
        report.measured.push(higher(format!("ln p(x) from {} codes for each image", recipe.samples), mean, None));
    }
    report.finish(&options.out)?;
    draw_reconstructions(&options.out.join("reconstructions.png"), &device, &vae, &mnist.test)?;
    draw_samples(&options.out.join("samples.png"), &device, &vae, mnist.test.width, seed)?;
    if options.map && !stopping() {
        println!("\na model with a code of two numbers");
        let sizes: Vec<usize> = sizes[..sizes.len() - 1].iter().copied().chain([2]).collect();
        let mut vae = Vae::glorot(&sizes, Activation::Relu, seed)?;
        train(&device, &recipe.training.tuning, &mut vae, training, test)?;
        draw_plane(&options.out.join("plane.png"), &device, &vae, mnist.test.width)?;
    }
    Ok(())
}

fn draw_reconstructions(path: &Path, device: &Device, vae: &Vae, test: &Images) -> Result<()> {
    let (pixels, size) = (one_of_each(test), test.width * test.height);
    let rows = Rows::bytes(&pixels, size)?;
    let codes = vae.encode(device, rows)?;
    let reconstructions = vae.decode(device, Rows::numbers(&codes, vae.code_size())?)?;
    let rows = [
        LabelledRow { label: "test images", images: pictures(&rows.to_numbers(), size) },
        LabelledRow { label: "from means", images: pictures(&reconstructions, size) },
    ];
    Ok(labelled_rows(path, test.width, &rows)?)
}

/// Digits that the model makes up.
fn draw_samples(path: &Path, device: &Device, vae: &Vae, width: usize, seed: u64) -> Result<()> {
    const SIDE: usize = 12;
    let size = vae.layers[0].inputs;
    let drawn = pictures(&vae.sample(device, SIDE * SIDE, seed)?, size);
    let rows: Vec<_> = drawn.chunks(SIDE).map(|row| LabelledRow { label: "", images: row.to_vec() }).collect();
    Ok(labelled_rows(path, width, &rows)?)
}

/// What codes of two numbers from −2 to 2 stand for.
fn draw_plane(path: &Path, device: &Device, vae: &Vae, width: usize) -> Result<()> {
    const SIDE: usize = 20;
    let place = |i: usize| 4.0 * i as f32 / (SIDE - 1) as f32 - 2.0;
    let codes: Vec<f32> = (0..SIDE * SIDE).flat_map(|i| [place(i % SIDE), -place(i / SIDE)]).collect();
    let drawn = pictures(&vae.decode(device, Rows::numbers(&codes, 2)?)?, vae.layers[0].inputs);
    let rows: Vec<_> = drawn.chunks(SIDE).map(|row| LabelledRow { label: "", images: row.to_vec() }).collect();
    Ok(labelled_rows(path, width, &rows)?)
}
