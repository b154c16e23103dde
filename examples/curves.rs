//! The curves of Hinton & Salakhutdinov (Science 2006): made-up images that six numbers determine, and a deep autoencoder
//! that finds six numbers for them, beside PCA and logistic PCA. Their images are not public; these are made as they say.
//!
//!     cargo run --release --example curves
//!     cargo run --release --example curves -- --recipe long

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, draw_filters, lower, pictures, train};
use strait::curves::{SIZE, images};
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::ImageShift;

#[derive(Parser)]
#[command(about = "Trains the paper's deep autoencoder of curves", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Where the results go
    #[arg(long, default_value = "out/curves")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
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

impl shared::Recipe for Recipe {
    /// Without the shifts, which make more images of those that there are, the net overfits after 60 epochs.
    fn named(name: &str) -> Option<Self> {
        let quick = Self::default();
        let shift = Some(ImageShift { width: SIZE, pixels: 1 });
        let training = FineTune { epochs: 300, shift, ..quick.training };
        (name == "long").then_some(Self { training, pretrain: Pretrain { epochs: 20, ..quick.pretrain }, ..quick })
    }

    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training)
    }

    fn set_precision(&mut self, precision: Precision) {
        (self.pretrain.precision, self.training.precision) = (precision, precision);
        self.logistic_pca.precision = precision;
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    if let (Some(code), Some(last)) = (options.member.code, recipe.hidden.last_mut()) {
        *last = code;
    }
    if let Some(seed) = options.member.common.seed {
        (recipe.pretrain.seed, recipe.logistic_pca.seed) = (seed, seed);
    }
    recipe.train_images = options.member.common.limit.unwrap_or(recipe.train_images);
    recipe.pretrain.check()?;
    recipe.logistic_pca.check()?;
    let sizes = [&[SIZE * SIZE], &recipe.hidden[..]].concat();
    strait::models::check_sizes(&sizes)?;
    let seed = recipe.training.seed;
    let [pixels, test_pixels] =
        [(recipe.train_images, seed), (recipe.test_images, seed.wrapping_add(1))].map(|(n, seed)| images(n, seed));
    let (rows, test) = (Rows::bytes(&pixels, SIZE * SIZE)?, Rows::bytes(&test_pixels, SIZE * SIZE)?);
    let device = options.member.begin(&options.out, &mut recipe)?;

    let mut terminal = Terminal::new();
    let pretrained = recipe.pretrain.run(&device, &sizes, rows)?.observe(|event| terminal.show(event)).train()?;
    let mut net = pretrained.stack.unroll();
    let tuned = if stopping() { Default::default() } else { train(&device, &recipe.training, &mut net, rows, test)? };
    net.save(options.out.join("model.safetensors"))?;
    let mut report = Report::new(&device, recipe.training.precision, &recipe, rows.count, tuned);
    report.seconds_train += pretrained.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
    report.stopped |= stopping();
    let papers = recipe.hidden == Recipe::default().hidden && options.member.common.limit.is_none();
    let published = |error: f64| papers.then_some(error);
    report.measured.push(lower(
        "squared error per test image, autoencoder",
        net.error(&device, test)?,
        published(1.44),
    ));
    report.measured.push(lower("squared error per training image, autoencoder", net.error(&device, rows)?, None));
    let code = net.code_size();
    let mut drawn = None;
    for (components, error) in [(code, 7.64), (3 * code, 2.45)] {
        if stopping() {
            break;
        }
        println!("\nlogistic PCA, {components} components");
        let mut logistic = Autoencoder::logistic_pca(SIZE * SIZE, components, recipe.logistic_pca.seed)?;
        train(&device, &recipe.logistic_pca, &mut logistic, rows, test)?;
        let what = format!("squared error per test image, logistic PCA, {components} components");
        report.measured.push(lower(what, logistic.error(&device, test)?, published(error)));
        drawn = drawn.or(Some(logistic));
    }
    let components = (3 * code).min(SIZE * SIZE);
    let pca = Pca::fit(&device, rows, components)?;
    let what = format!("squared error per test image, PCA, {components} components");
    report.measured.push(lower(what, pca.error(test)?, published(5.90)));
    report.finish(&options.out)?;

    draw_filters(&options.out.join("filters.png"), &net.layers[0], SIZE)?;
    let few = test.first(12);
    let images = |values: Vec<f32>| pictures(&values, SIZE * SIZE);
    let (six, eighteen) = (format!("logistic PCA {code}"), format!("PCA {components}"));
    let mut lines = vec![
        LabelledRow { label: "test curves", images: images(few.to_numbers()) },
        LabelledRow { label: "autoencoder", images: images(net.reconstruct(&device, few)?) },
    ];
    if let Some(logistic) = &drawn {
        lines.push(LabelledRow { label: &six, images: images(logistic.reconstruct(&device, few)?) });
    }
    let decoded = pca.encode(few)?.iter().map(|code| pca.decode(code)).collect();
    lines.push(LabelledRow { label: &eighteen, images: decoded });
    Ok(labelled_rows(&options.out.join("reconstructions.png"), SIZE, &lines)?)
}
