//! A denoising autoencoder (Vincent et al. 2008, 2010) on MNIST beside the same net trained without noise: what each makes
//! of noisy digits, the filters that each learns, and what its codes are good for.
//!
//!     cargo run --release --example denoising

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, draw_filters, higher, lower, one_of_each, pictures, train};
use strait::MemberRecipe;
use strait::compute::Missing;
use strait::models::{corrupt, nearest, vote};
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::stopping;

#[derive(Parser)]
#[command(about = "Trains a denoising autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// masking, salt-and-pepper or gaussian
    #[arg(long)]
    noise: Option<String>,
    /// The share of the pixels that the noise changes, or its standard deviation
    #[arg(long)]
    level: Option<f32>,
    /// Let the decoder's weights stay those of the encoder, transposed
    #[arg(long)]
    tied: bool,
    /// Where the results go
    #[arg(long, default_value = "out/denoising")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The size of the code, of logistic units.
    code: usize,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    /// The noise that the net learns to undo.
    noise: Noise,
    /// Training with the noise, and without it.
    training: MemberRecipe,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune { epochs: 15, optimizer: Optimizer::adam(1e-3), ..FineTune::default() };
        Self { code: 500, neighbours: 5, noise: Noise::Masking(0.5), training: training.into() }
    }
}

impl Recipe {
    /// The recipe with what the options change of its noise.
    fn with_noise(mut self, name: Option<&str>, level: Option<f32>) -> Result<Self> {
        let old = match self.noise {
            Noise::Masking(level) | Noise::SaltAndPepper(level) | Noise::Gaussian(level) => level,
            Noise::Missing(missing) => missing.share,
        };
        let level = level.unwrap_or(old);
        self.noise = match (name, self.noise) {
            (Some("masking"), _) | (None, Noise::Masking(_)) => Noise::Masking(level),
            (Some("salt-and-pepper"), _) | (None, Noise::SaltAndPepper(_)) => Noise::SaltAndPepper(level),
            (Some("gaussian"), _) | (None, Noise::Gaussian(_)) => Noise::Gaussian(level),
            (None, Noise::Missing(missing)) => Noise::Missing(Missing { share: level, ..missing }),
            (Some(name), _) => bail!("--noise {name}: it must be masking, salt-and-pepper or gaussian"),
        };
        Ok(self)
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
    let recipe: Recipe = options.member.recipe()?;
    let mut recipe = recipe.with_noise(options.noise.as_deref(), options.level)?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    recipe.training.tied |= options.tied;
    let mnist = Mnist::open(&options.member.common.data)?;
    let (training, test) = options.member.common.rows(&mnist);
    let mut denoising = Autoencoder::glorot(&[training.width, recipe.code], recipe.training.tuning.seed)?;
    denoising.layers[0].activation = Activation::Logistic;
    if recipe.training.tied {
        denoising.tie()?;
    }
    let mut plain = denoising.clone();
    denoising.corruption = Some(recipe.noise);
    recipe.training.tuning.check_for(&denoising).context("the recipe")?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let tuned = train(&device, &recipe.training.tuning, &mut denoising, training, test)?;
    denoising.save(options.out.join("model.safetensors"))?;
    if !stopping() {
        println!("\nthe same net without noise");
        train(&device, &recipe.training.tuning, &mut plain, training, test)?;
    }
    let mut report = Report::new(&device, recipe.training.tuning.precision, &recipe, training.count, tuned);
    let noisy = corrupt(&device, test, recipe.noise, recipe.training.tuning.seed)?;
    let nets = [("with noise", &denoising), ("without noise", &plain)];
    for (name, net) in nets.into_iter().take(if stopping() { 1 } else { 2 }) {
        let error = denoised_error(&device, net, Rows::numbers(&noisy, test.width)?, test)?;
        report.measured.push(lower(format!("squared error of denoised test images, trained {name}"), error, None));
        let [references, queries] = [training, test].map(|rows| net.encode(&device, rows));
        let (references, queries) = (references?, queries?);
        let [references, queries] = [&references, &queries].map(|codes| Rows::numbers(codes, recipe.code));
        let found = nearest(&device, references?, queries?, recipe.neighbours)?;
        let right = vote(&found, &mnist.train.labels, &mnist.test.labels)?;
        let what = format!("test images that {} neighbours' codes name, per cent, trained {name}", recipe.neighbours);
        report.measured.push(higher(what, 100.0 * right, None));
    }
    report.finish(&options.out)?;
    let (pixels, size) = (one_of_each(&mnist.test), mnist.test.width * mnist.test.height);
    draw(&options.out, &device, nets, Rows::bytes(&pixels, size)?, &recipe, mnist.test.width)
}

/// The squared error of the reconstructions of noisy images against the images as they were.
fn denoised_error(device: &Device, net: &Autoencoder, noisy: Rows<'_>, clean: Rows<'_>) -> Result<f64> {
    let found = net.reconstruct(device, noisy)?;
    let squares = found.iter().zip(clean.to_numbers()).map(|(x, y)| f64::from(x - y).powi(2));
    Ok(squares.sum::<f64>() / clean.count as f64)
}

fn draw(
    out: &Path,
    device: &Device,
    nets: [(&str, &Autoencoder); 2],
    images: Rows<'_>,
    recipe: &Recipe,
    width: usize,
) -> Result<()> {
    let noisy = corrupt(device, images, recipe.noise, recipe.training.tuning.seed)?;
    let reconstruct = |net: &Autoencoder| -> Result<_> {
        Ok(pictures(&net.reconstruct(device, Rows::numbers(&noisy, images.width)?)?, images.width))
    };
    let rows = [
        LabelledRow { label: "test images", images: pictures(&images.to_numbers(), images.width) },
        LabelledRow { label: "with noise", images: pictures(&noisy, images.width) },
        LabelledRow { label: "denoised", images: reconstruct(nets[0].1)? },
        LabelledRow { label: "plain net's", images: reconstruct(nets[1].1)? },
    ];
    labelled_rows(&out.join("denoised.png"), width, &rows)?;
    for ((_, net), file) in nets.into_iter().zip(["filters.png", "filters-plain.png"]) {
        draw_filters(&out.join(file), &net.layers[0], width)?;
    }
    Ok(())
}
