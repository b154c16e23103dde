//! The curves of Hinton & Salakhutdinov (Science 2006): made-up images that six numbers determine, and a deep autoencoder
//! that finds six numbers for them, beside PCA and logistic PCA. Their images are not public; these are made as they say.
//!
//!     cargo run --release --example curves
//!     cargo run --release --example curves -- --recipe long

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::curves::{SIZE, images};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains the paper's deep autoencoder of curves", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers, the code last.
    hidden: Vec<usize>,
    /// How many images are made to train on, and how many to test with.
    train_images: usize,
    test_images: usize,
    pretrain: Pretrain,
    training: FineTune,
    logistic_pca: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            hidden: vec![400, 200, 100, 50, 25, 6],
            train_images: 20_000,
            test_images: 10_000,
            pretrain: Pretrain { epochs: 10, ..Pretrain::default() },
            training: FineTune {
                epochs: 60,
                optimizer: Optimizer::Adam { rate: 3e-3, beta1: 0.9, beta2: 0.99 },
                schedule: Schedule::Cosine { warmup: 0.5 },
                ..FineTune::default()
            },
            logistic_pca: FineTune { epochs: 20, optimizer: Optimizer::adam(2e-3), ..FineTune::default() },
        }
    }
}

impl experiment::Recipe for Recipe {
    /// Without the shifts, which make more images of those that there are, the net overfits after 60 epochs.
    fn named(name: &str) -> Option<Self> {
        let quick = Self::default();
        let shift = Some(ImageShift { width: SIZE, pixels: 1 });
        let training = FineTune { epochs: 300, shift, ..quick.training };
        (name == "long").then_some(Self { training, pretrain: Pretrain { epochs: 20, ..quick.pretrain }, ..quick })
    }

    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }

    fn others(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.pretrain, &mut self.logistic_pca]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    options.member.set_code(&mut recipe.hidden);
    recipe.train_images = options.member.common.limit.unwrap_or(recipe.train_images);
    let sizes = [&[SIZE * SIZE], &recipe.hidden[..]].concat();
    strait::models::check_sizes(&sizes)?;
    let seed = recipe.training.seed;
    let [pixels, test_pixels] =
        [(recipe.train_images, seed), (recipe.test_images, seed.wrapping_add(1))].map(|(n, seed)| images(n, seed));
    let (rows, test) = (Rows::bytes(&pixels, SIZE * SIZE)?, Rows::bytes(&test_pixels, SIZE * SIZE)?);
    let (device, mut run) = options.member.begin(&mut recipe, rows.count)?;

    let mut net = run.pretrain(&recipe.pretrain, &sizes, rows, None)?.unroll();
    run.train(&recipe.training, &mut net, rows, test)?;
    net.save(run.path("model.safetensors"))?;
    let papers = recipe.hidden == Recipe::default().hidden && options.member.common.limit.is_none();
    let published = |error: f64| papers.then_some(error);
    let error = net.error(&device, test)?;
    run.lower("squared error per test image, autoencoder", error).published(published(1.44));
    run.lower("squared error per training image, autoencoder", net.error(&device, rows)?);
    let code = net.code_size();
    let few = test.first(12);
    let mut lines =
        vec![("test curves".to_owned(), few.to_numbers()), ("autoencoder".to_owned(), net.reconstruct(&device, few)?)];
    for (components, error) in [(code, 7.64), (3 * code, 2.45)] {
        if stopping() {
            break;
        }
        let name = format!("logistic PCA, {components} components");
        let mut logistic = Autoencoder::logistic_pca(SIZE * SIZE, components, recipe.logistic_pca.seed)?;
        run.compare(&name, &recipe.logistic_pca, &mut logistic, rows, test)?;
        let what = format!("squared error per test image, {name}");
        run.lower(what, logistic.error(&device, test)?).published(published(error));
        if components == code {
            lines.push((format!("logistic PCA {code}"), logistic.reconstruct(&device, few)?));
        }
    }
    let components = (3 * code).min(SIZE * SIZE);
    let pca = Pca::fit(&device, rows, components)?;
    let what = format!("squared error per test image, PCA, {components} components");
    run.lower(what, pca.error(test)?).published(published(5.90));
    lines.push((format!("PCA {components}"), pca.reconstruct(few)?));
    run.finish()?;
    picture::encoder_filters(&run.path("filters.png"), &net.layers[0], SIZE)?;
    Ok(picture::labelled_rows(&run.path("reconstructions.png"), [SIZE, SIZE], &lines)?)
}
