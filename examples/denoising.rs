//! A denoising autoencoder (Vincent et al. 2008, 2010) on MNIST beside the same net trained without noise: what each makes
//! of noisy digits, the filters that each learns, and what its codes are good for.
//!
//!     cargo run --release --example denoising

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains a denoising autoencoder on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// masking, salt-and-pepper or gaussian
    #[arg(long)]
    noise: Option<String>,
    /// The share of the pixels that the noise changes, or its standard deviation
    #[arg(long)]
    level: Option<f32>,
    /// Let the decoder's weights stay those of the encoder, transposed
    #[arg(long)]
    tied: bool,
}

#[derive(Clone, Serialize, Deserialize)]
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

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let recipe: Recipe = options.member.recipe()?;
    let mut recipe = recipe.with_noise(options.noise.as_deref(), options.level)?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    recipe.training.tied |= options.tied;
    let seed = recipe.training.tuning.seed;
    let mnist = options.member.mnist()?;
    let (training, test) = options.member.rows(&mnist);
    let mut denoising = Autoencoder::glorot(&[training.width, recipe.code], seed)?;
    denoising.layers[0].activation = Activation::Logistic;
    if recipe.training.tied {
        denoising.tie()?;
    }
    let mut plain = denoising.clone();
    denoising.corruption = Some(recipe.noise);
    recipe.training.tuning.check_for(&denoising).context("the recipe")?;
    let (device, mut run) = options.member.begin(&mut recipe, training.count)?;

    let tuning = &recipe.training.tuning;
    run.train(tuning, &mut denoising, training, test)?;
    denoising.save(run.path("model.safetensors"))?;
    run.compare("the same net without noise", tuning, &mut plain, training, test)?;
    let noisy = models::corrupt(&device, test, recipe.noise, seed)?;
    let nets = [("with noise", &denoising), ("without noise", &plain)];
    for (name, net) in nets.into_iter().take(if stopping() { 1 } else { 2 }) {
        let found = net.reconstruct(&device, Rows::numbers(&noisy, test.width)?)?;
        let error = models::squared_error(&found, &test.to_numbers()) / test.count as f64;
        run.lower(format!("squared error of denoised test images, trained {name}"), error);
        let labels: [&[u32]; 2] = [&mnist.train.labels, &mnist.test.labels];
        let right = net.knn_accuracy(&device, [training, test], labels, recipe.neighbours)?;
        let what = format!("test images that {} neighbours' codes name, per cent, trained {name}", recipe.neighbours);
        run.higher(what, 100.0 * right);
    }
    run.finish()?;

    let digits = mnist.test.one_of_each();
    let noisy = models::corrupt(&device, digits.rows(), recipe.noise, seed)?;
    let given = Rows::numbers(&noisy, test.width)?;
    let rows = [
        ("test images", digits.rows().to_numbers()),
        ("with noise", noisy.clone()),
        ("denoised", denoising.reconstruct(&device, given)?),
        ("plain net's", plain.reconstruct(&device, given)?),
    ];
    picture::labelled_rows(&run.path("denoised.png"), digits.shape(), &rows)?;
    picture::encoder_filters(&run.path("filters.png"), &denoising.layers[0], digits.width)?;
    Ok(picture::encoder_filters(&run.path("filters-plain.png"), &plain.layers[0], digits.width)?)
}
