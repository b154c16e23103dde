//! Sparse restricted Boltzmann machines (Lee, Ekanadham & Ng 2008): with hidden units that are seldom on, filters become parts.
//! On MNIST, beside a machine without the target, and on whitened patches of a picture, or of MNIST where none is given; on
//! the patches a second machine above the first, which combines its filters: a sparse deep belief net.
//!
//!     cargo run --release --example sparse_rbm
//!     cargo run --release --example sparse_rbm -- --picture photo.png

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains sparse restricted Boltzmann machines", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// A PNG file to take patches from
    #[arg(long)]
    picture: Option<PathBuf>,
    /// The mean output that hidden units shall have, on images and on patches
    #[arg(long)]
    target: Option<f32>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// Hidden units.
    code: usize,
    /// Hidden units of the second machine on patches.
    second: usize,
    /// Pixels of an edge of a patch.
    edge: usize,
    /// How many patches are taken.
    patches: usize,
    /// What whitening adds to the variances along the components, as a share of the largest one.
    floor: f64,
    /// Training on images.
    training: Pretrain,
    /// Training on patches.
    patch_training: Pretrain,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = Pretrain {
            epochs: 10,
            code: Units::Bernoulli,
            sparsity: Some(SparsityTarget { weight: 1.0, target: 0.05 }),
            ..Pretrain::default()
        };
        let sparsity = Some(SparsityTarget { weight: 1.0, target: 0.03 });
        let gaussian =
            Pretrain { visible: Units::Gaussian, gaussian_rate: 0.01, epochs: 15, sparsity, ..training.clone() };
        Self { code: 300, second: 100, edge: 12, patches: 50_000, floor: 0.01, training, patch_training: gaussian }
    }
}

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training, &mut self.patch_training]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

/// Grey values of an image.
struct Grey {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Grey {
    fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let image =
            image::open(path).with_context(|| format!("--picture {shown}: this is no PNG picture"))?.to_luma32f();
        let (width, height) = (image.width() as usize, image.height() as usize);
        Ok(Self { width, height, values: image.into_raw() })
    }

    /// A patch at a random place.
    fn patch(&self, edge: usize, stream: &mut Stream) -> Vec<f32> {
        let mut place = |size: usize| stream.next_word() as usize % (size - edge + 1);
        let (left, top) = (place(self.width), place(self.height));
        (0..edge).flat_map(|y| self.values[(top + y) * self.width + left..][..edge].to_vec()).collect()
    }
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    for sparsity in [&mut recipe.training.sparsity, &mut recipe.patch_training.sparsity].into_iter().flatten() {
        sparsity.target = options.target.unwrap_or(sparsity.target);
    }
    let mnist = options.member.mnist()?;
    let (images, _) = options.member.rows(&mnist);
    models::check_sizes(&[images.width, recipe.code, recipe.second, recipe.edge, recipe.patches])?;
    if recipe.edge > 64 {
        bail!("edge = {}: patches have at most 64 x 64 pixels", recipe.edge);
    }
    let sources = match &options.picture {
        Some(path) => vec![Grey::open(path)?],
        None => {
            let [height, width] = mnist.train.shape();
            let grey = |row: &[f32]| Grey { width, height, values: row.to_vec() };
            images.first(5000).to_numbers().chunks_exact(images.width).map(grey).collect()
        }
    };
    if sources.iter().any(|source| source.width < recipe.edge || source.height < recipe.edge) {
        bail!("a picture is smaller than its patches of {} x {} pixels", recipe.edge, recipe.edge);
    }
    let (device, mut run) = options.member.begin(&mut recipe, images.count)?;
    if options.picture.is_none() {
        say!("no --picture is given, so the patches are those of MNIST");
    }

    let patches = patches(&sources, &recipe);
    let size = recipe.edge * recipe.edge;
    let raw = Rows::numbers(&patches, size)?;
    let whitened = Pca::fit(&device, raw, size)?.whiten(raw, recipe.floor)?;
    let free = Pretrain { sparsity: None, ..recipe.training.clone() };
    let runs = [
        ("images, with the target", "filters", &recipe.training, images, mnist.train.width),
        ("images, without it", "filters-free", &free, images, mnist.train.width),
        ("patches", "filters-patches", &recipe.patch_training, Rows::numbers(&whitened, size)?, recipe.edge),
    ];
    for (name, file, training, rows, width) in runs {
        if stopping() {
            break;
        }
        say!("\n{name}");
        let above: &[usize] = if name == "patches" { &[recipe.second] } else { &[] };
        let stack = run.pretrain(training, &[&[rows.width, recipe.code], above].concat(), rows, None)?;
        let Some(rbm) = stack.rbms.first() else { break };
        let outputs = models::forward(&device, &[rbm.up()], None, &rows.first(10_000))?;
        let wanted = training.sparsity.map_or(String::new(), |sparsity| format!(" (target {})", sparsity.target));
        run.lower(format!("mean output of hidden units{wanted}, {name}"), models::mean(&outputs));
        run.lower(format!("pixels that a filter covers, median, {name}"), median_covered(rbm));
        picture::encoder_filters(&run.path(format!("{file}.png")), &rbm.up(), width)?;
        stack.save(run.path(format!("{file}.safetensors")))?;
        if let Some(second) = stack.rbms.get(1) {
            let outputs = models::forward(&device, &[rbm.up(), second.up()], None, &rows.first(10_000))?;
            let what = "mean output of hidden units of the second machine, patches";
            run.lower(what, models::mean(&outputs));
            let drawn = (0..recipe.second).map(|unit| combined(rbm, second, unit));
            picture::filters(&run.path("filters-second.png"), width, drawn)?;
        }
    }
    Ok(run.finish()?)
}

/// Patches of one picture or of many, each with mean 0.
fn patches(sources: &[Grey], recipe: &Recipe) -> Vec<f32> {
    let mut stream = Stream::new(recipe.training.seed, 600);
    let centred = |mut patch: Vec<f32>| {
        let mean = patch.iter().sum::<f32>() / patch.len() as f32;
        patch.iter_mut().for_each(|x| *x -= mean);
        patch
    };
    let mut patches = Vec::new();
    // Patches that show nothing are left out, unless there are no others.
    for _ in 0..recipe.patches.saturating_mul(10) {
        let source = &sources[stream.next_word() as usize % sources.len()];
        let patch = centred(source.patch(recipe.edge, &mut stream));
        if patch.iter().any(|x| x.abs() > 0.05) {
            patches.extend(patch);
        }
        if patches.len() >= recipe.patches * recipe.edge * recipe.edge {
            break;
        }
    }
    if patches.is_empty() { vec![0.0; recipe.edge * recipe.edge] } else { patches }
}

fn filter(rbm: &Rbm, unit: usize) -> Vec<f32> {
    rbm.weight.iter().skip(unit).step_by(rbm.hidden_bias.len()).copied().collect()
}

/// The filters of the first machine, each as a unit of the second weighs it.
fn combined(first: &Rbm, second: &Rbm, unit: usize) -> Vec<f32> {
    let weights = filter(second, unit);
    let sum = |row: &[f32]| row.iter().zip(&weights).map(|(w, weight)| w * weight).sum();
    first.weight.chunks_exact(weights.len()).map(sum).collect()
}

/// How many pixels bear a filter, if all bore the same share: (Σ w²)² / Σ w⁴; the median over the hidden units.
fn median_covered(rbm: &Rbm) -> f64 {
    let covered = |unit: usize| {
        let squares: Vec<f64> = filter(rbm, unit).iter().map(|&w| f64::from(w).powi(2)).collect();
        squares.iter().sum::<f64>().powi(2) / squares.iter().map(|x| x * x).sum::<f64>().max(f64::MIN_POSITIVE)
    };
    let mut sizes: Vec<f64> = (0..rbm.hidden_bias.len()).map(covered).collect();
    sizes.sort_by(f64::total_cmp);
    sizes[sizes.len() / 2]
}
