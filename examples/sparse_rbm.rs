//! Sparse restricted Boltzmann machines (Lee, Ekanadham & Ng 2008): with hidden units that are seldom on, filters become parts.
//! On MNIST, beside a machine without the target, and on whitened patches of a picture, or of MNIST where none is given; on
//! the patches a second machine above the first, which combines its filters: a sparse deep belief net.
//!
//!     cargo run --release --example sparse_rbm
//!     cargo run --release --example sparse_rbm -- --picture photo.png

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Measured, Member, Report, draw_filters, lower};
use strait::Rbm;
use strait::compute::philox::Stream;
use strait::models::forward;
use strait::picture::filters;
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::{FineTuned, SparsityTarget};

#[derive(Parser)]
#[command(about = "Trains sparse restricted Boltzmann machines", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// A PNG file to take patches from
    #[arg(long)]
    picture: Option<PathBuf>,
    /// The mean output that hidden units shall have, on images and on patches
    #[arg(long)]
    target: Option<f32>,
    /// Where the results go
    #[arg(long, default_value = "out/sparse_rbm")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
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

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::Pretrain(&mut self.training)
    }

    fn set_precision(&mut self, precision: Precision) {
        (self.training.precision, self.patch_training.precision) = (precision, precision);
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
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
    if let Some(target) = options.target {
        for sparsity in [&mut recipe.training.sparsity, &mut recipe.patch_training.sparsity].into_iter().flatten() {
            sparsity.target = target;
        }
    }
    if let Some(epochs) = options.member.common.epochs {
        recipe.patch_training.epochs = epochs;
    }
    recipe.patch_training.seed = options.member.common.seed.unwrap_or(recipe.patch_training.seed);
    recipe.training.check()?;
    recipe.patch_training.check().context("the recipe of the patches")?;
    let mnist = Mnist::open(&options.member.common.data)?;
    let (images, _) = options.member.common.rows(&mnist);
    strait::models::check_sizes(&[images.width, recipe.code, recipe.second, recipe.edge, recipe.patches])?;
    if recipe.edge > 64 {
        bail!("edge = {}: patches have at most 64 x 64 pixels", recipe.edge);
    }
    let sources = match &options.picture {
        Some(path) => vec![Grey::open(path)?],
        None => {
            let (width, height) = (mnist.train.width, mnist.train.height);
            let grey = |row: &[f32]| Grey { width, height, values: row.to_vec() };
            images.first(5000).to_numbers().chunks_exact(images.width).map(grey).collect()
        }
    };
    if sources.iter().any(|source| source.width < recipe.edge || source.height < recipe.edge) {
        bail!("a picture is smaller than its patches of {} x {} pixels", recipe.edge, recipe.edge);
    }
    let device = options.member.begin(&options.out, &mut recipe)?;
    if options.picture.is_none() {
        println!("no --picture is given, so the patches are those of MNIST");
    }

    let patches = patches(&sources, &recipe);
    let size = recipe.edge * recipe.edge;
    let raw = Rows::numbers(&patches, size)?;
    let whitened = Pca::fit(&device, raw, size)?.whiten(raw, recipe.floor)?;
    let mut terminal = Terminal::new();
    let (mut seconds, mut measured) = (0.0, Vec::new());
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
        println!("\n{name}");
        let above = if name == "patches" { vec![recipe.second] } else { vec![] };
        let sizes = [vec![rows.width, recipe.code], above].concat();
        let trained = training.run(&device, &sizes, rows)?.observe(|event| terminal.show(event)).train()?;
        seconds += trained.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
        let Some(rbm) = trained.stack.rbms.first() else { break };
        let outputs = forward(&device, &[rbm.up()], None, &rows.first(10_000))?;
        measured.extend(measure(name, rbm, &outputs, training));
        draw_filters(&options.out.join(format!("{file}.png")), &rbm.up(), width)?;
        trained.stack.save(options.out.join(format!("{file}.safetensors")))?;
        if let Some(second) = trained.stack.rbms.get(1) {
            let outputs = forward(&device, &[rbm.up(), second.up()], None, &rows.first(10_000))?;
            let mean = outputs.iter().map(|&y| f64::from(y)).sum::<f64>() / outputs.len() as f64;
            measured.push(lower("mean output of hidden units of the second machine, patches", mean, None));
            let drawn: Vec<Vec<f32>> = (0..recipe.second.min(200)).map(|unit| combined(rbm, second, unit)).collect();
            filters(&options.out.join("filters-second.png"), width, &drawn)?;
        }
    }
    let mut report = Report::new(&device, recipe.training.precision, &recipe, images.count, FineTuned::default());
    (report.seconds_train, report.stopped) = (seconds, stopping());
    report.measured = measured;
    report.finish(&options.out)
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

fn measure(name: &str, rbm: &Rbm, outputs: &[f32], training: &Pretrain) -> [Measured; 2] {
    let mean = outputs.iter().map(|&y| f64::from(y)).sum::<f64>() / outputs.len() as f64;
    // How many pixels bear a filter, if all bore the same share: (Σ w²)² / Σ w⁴.
    let covered = |unit: usize| {
        let squares: Vec<f64> = filter(rbm, unit).iter().map(|&w| f64::from(w).powi(2)).collect();
        squares.iter().sum::<f64>().powi(2) / squares.iter().map(|x| x * x).sum::<f64>().max(f64::MIN_POSITIVE)
    };
    let mut sizes: Vec<f64> = (0..rbm.hidden_bias.len()).map(covered).collect();
    sizes.sort_by(f64::total_cmp);
    let wanted = training.sparsity.map_or(String::new(), |sparsity| format!(" (target {})", sparsity.target));
    [
        lower(format!("mean output of hidden units{wanted}, {name}"), mean, None),
        lower(format!("pixels that a filter covers, median, {name}"), sizes[sizes.len() / 2], None),
    ]
}
