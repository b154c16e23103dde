//! Patches of faces (Hinton & Salakhutdinov, Science 2006): the deep autoencoder 625-2000-1000-500-30 of real-valued
//! pixels, beside PCA with as many components. As there, patches of 25 x 25 pixels are turned by up to 90 degrees, vary
//! in scale and in place, and show other people in the test. The authors' own patches are not public; the published
//! numbers are of those.
//!
//!     cargo run --release --example faces -- --faces olivettifaces.mat
//!     cargo run --release --example faces

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::data::Standard;
use strait::faces::{self, EDGE, Patches};
use strait::prelude::*;

/// The most patches that are made: they are all kept in memory.
const MOST: usize = 1_000_000;

#[derive(Parser)]
#[command(about = "Trains the paper's deep autoencoder of patches of faces", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// olivettifaces.mat, or a folder of PNG or PGM pictures of one size (--limit is the number of patches of them)
    #[arg(long, value_name = "PATH")]
    faces: Option<PathBuf>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers, the code last.
    hidden: Vec<usize>,
    /// How many patches are made to train on, and how many to test with.
    train_patches: usize,
    test_patches: usize,
    /// By how many degrees a patch is turned at most, to either side.
    turn: f32,
    /// How many times as large a picture is made, least and most, before a square of its former size is cut out of it
    /// and made small.
    scale: [f32; 2],
    /// How far the middle of the square is from the picture's at most, along either axis, as a share of the edge.
    offset: f32,
    pretrain: Pretrain,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            hidden: vec![2000, 1000, 500, 30],
            train_patches: 40_000,
            test_patches: 4000,
            turn: 90.0,
            scale: [1.4, 1.8],
            offset: 0.1,
            // Without offsets, real-valued pixels learn ten times as slowly.
            pretrain: Pretrain {
                epochs: 3,
                initial_epochs: 2,
                gaussian_rate: 0.01,
                centred: true,
                visible: Units::Gaussian,
                ..Pretrain::default()
            },
            training: FineTune {
                epochs: 8,
                optimizer: Optimizer::Adam { rate: 1e-3, beta1: 0.9, beta2: 0.99 },
                schedule: Schedule::Cosine { warmup: 0.5 },
                objective: Objective::SquaredError,
                ..FineTune::default()
            },
        }
    }
}

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }

    fn others(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.pretrain]
    }
}

impl Recipe {
    fn check(&self) -> Result<()> {
        models::check_sizes(&self.sizes())?;
        if self.pretrain.visible != Units::Gaussian || self.training.objective != Objective::SquaredError {
            bail!("pixels of faces are real-valued: the recipe needs Gaussian visible units and the squared error");
        }
        if let Some(&code) = self.hidden.last().filter(|code| **code > EDGE * EDGE) {
            bail!("--code {code}: PCA of patches has {} components at most", EDGE * EDGE);
        }
        for patches in [self.train_patches, self.test_patches] {
            if !(1..=MOST).contains(&patches) {
                bail!("{patches} patches: there must be 1 to {MOST}");
            }
        }
        Ok(self.patches().check()?)
    }

    fn sizes(&self) -> Vec<usize> {
        [&[EDGE * EDGE], &self.hidden[..]].concat()
    }

    fn patches(&self) -> Patches {
        Patches { turn: self.turn, scale: self.scale, offset: self.offset }
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    options.member.set_code(&mut recipe.hidden);
    recipe.train_patches = options.member.common.limit.unwrap_or(recipe.train_patches);
    recipe.check()?;
    let seed = recipe.training.seed;
    let pictures = match &options.faces {
        Some(path) => faces::read(path).context("--faces")?,
        None => faces::made_up(seed),
    };
    // The pictures of a person stand beside each other, so that the last quarter shows other people.
    let (known, unknown) = pictures.split_at(pictures.len() * 3 / 4);
    let count = recipe.train_patches;
    let (device, mut run) = options.member.begin(&mut recipe, count)?;
    if options.faces.is_none() {
        say!("no --faces are given, so they are made up: ellipses with shades, 10 pictures of each of 40 heads");
    }
    say!("{} pictures to train on, {} to test with\n", known.len(), unknown.len());

    let mut patches = recipe.patches().cut(known, count, seed);
    let mut test_patches = recipe.patches().cut(unknown, recipe.test_patches, seed.wrapping_add(1));
    let standard = Standard::of(Rows::numbers(&patches, EDGE * EDGE)?);
    standard.apply(&mut patches);
    standard.apply(&mut test_patches);
    let (rows, test) = (Rows::numbers(&patches, EDGE * EDGE)?, Rows::numbers(&test_patches, EDGE * EDGE)?);
    let pca = Pca::fit(&device, rows, recipe.hidden.last().copied().unwrap_or(1))?;
    let mut net = run.pretrain(&recipe.pretrain, &recipe.sizes(), rows, None)?.unroll();
    run.train(&recipe.training, &mut net, rows, test)?;
    net.save(run.path("model.safetensors"))?;
    let olivetti = options.faces.as_ref().is_some_and(|path| path.is_file());
    let papers = olivetti && recipe.hidden == Recipe::default().hidden && options.member.common.limit.is_none();
    let components = pca.components.len();
    let error = net.error(&device, test)?;
    run.lower("squared error per test patch, autoencoder", error).published(papers.then_some(126.0));
    let what = format!("squared error per test patch, PCA, {components} components");
    run.lower(what, pca.error(test)?).published(papers.then_some(135.0));
    run.lower("squared error per training patch, autoencoder", net.error(&device, rows)?);
    run.lower(format!("squared error per training patch, PCA, {components} components"), pca.error(rows)?);
    run.finish()?;

    picture::encoder_filters(&run.path("filters.png"), &net.layers[0], EDGE)?;
    let few = test.first(12);
    // Patches as they were, with the light pixels white: pictures are drawn in dark ink.
    let shown = |mut patches: Vec<f32>| {
        standard.undo(&mut patches);
        patches.iter().map(|grey| 1.0 - grey).collect()
    };
    let rows = [
        ("test patches", shown(few.to_numbers())),
        ("autoencoder", shown(net.reconstruct(&device, few)?)),
        ("PCA", shown(pca.reconstruct(few)?)),
    ];
    Ok(picture::labelled_rows(&run.path("reconstructions.png"), [EDGE, EDGE], &rows)?)
}
