//! What the examples have in common: their options, what they report, and how they end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strait::Affine;
use strait::Operands;
use strait::data::Images;
use strait::models::write_atomically;
use strait::picture::filters;
use strait::prelude::*;
use strait::terminal::{Terminal, stop_on_ctrl_c, stopping};
use strait::train::{FineTuneEpoch, FineTuned, KSparse, UpDown};

/// The options of every example.
#[derive(Args)]
pub struct Common {
    /// auto (a GPU if there is one, else the CPU), cpu (or cpu:N for N threads), gpu, or the number or a part of the name
    /// of an adapter
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// A folder with the four MNIST files, gzipped or not
    #[arg(long, default_value = "data/mnist")]
    pub data: PathBuf,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Seed of the weights, of the order of the images and of all that is drawn
    #[arg(long)]
    pub seed: Option<u64>,
    /// Epochs of training
    #[arg(long)]
    pub epochs: Option<usize>,
    /// auto (the fastest that costs no accuracy on the device), f32, mixed (products of 16-bit numbers, where the device
    /// has fast ones) or split (each number as two of 16 bits); without it auto, or what a recipe's file says
    #[arg(long)]
    pub precision: Option<String>,
}

impl Common {
    /// The training images, as many as are wanted, and the test images.
    pub fn rows<'a>(&self, mnist: &'a Mnist) -> (Rows<'a>, Rows<'a>) {
        (mnist.train.rows().first(self.limit.unwrap_or(usize::MAX)), mnist.test.rows())
    }

    /// The precision of the products on a device. `recipe` is what a recipe's file says, where there is one.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn precision(&self, device: &Device, recipe: Option<Precision>) -> Result<Precision> {
        let precision = match (self.precision.as_deref(), recipe) {
            (None, Some(precision)) => precision,
            (name, _) => {
                let name = name.unwrap_or("auto");
                device
                    .precision(name)
                    .with_context(|| format!("--precision {name}: it must be auto, f32, mixed or split"))?
            }
        };
        if precision != Precision::F32 && device.operands(precision) == Operands::F32 {
            eprintln!("{} multiplies in f32 only, so --precision {} is f32 there", device.describe(), precision.name());
            return Ok(Precision::F32);
        }
        Ok(precision)
    }
}

/// The options of the members of the family.
#[derive(Args)]
pub struct Member {
    /// Those of every example.
    #[command(flatten)]
    pub common: Common,
    /// A recipe as --out writes it, or the name of one
    #[arg(long = "recipe", value_name = "FILE")]
    pub recipe_file: Option<PathBuf>,
    /// Size of the code
    #[arg(long)]
    pub code: Option<usize>,
}

/// All that a run depends on, beside the data.
pub trait Recipe: Default + Serialize + DeserializeOwned {
    /// The recipe of this name, if there is one beside the default.
    fn named(_: &str) -> Option<Self> {
        None
    }

    /// The training that the options are about.
    fn training(&mut self) -> Learning<'_>;

    /// Sets the precision of all that it trains.
    fn set_precision(&mut self, precision: Precision) {
        *self.training().settings().2 = precision;
    }
}

impl Recipe for KSparse {
    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training)
    }
}

/// The recipe of a trainer.
pub enum Learning<'a> {
    /// Back-propagation.
    FineTune(&'a mut FineTune),
    /// Boltzmann machines.
    Pretrain(&'a mut Pretrain),
    /// Deep belief nets.
    UpDown(&'a mut UpDown),
}

impl Learning<'_> {
    /// Epochs, seed and precision.
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
        match self {
            Self::FineTune(FineTune { epochs, seed, precision, .. })
            | Self::Pretrain(Pretrain { epochs, seed, precision, .. })
            | Self::UpDown(UpDown { epochs, seed, precision, .. }) => (epochs, seed, precision),
        }
    }

    fn check(&self) -> strait::train::Result<()> {
        match self {
            Self::FineTune(recipe) => recipe.check(),
            Self::Pretrain(recipe) => recipe.check(),
            Self::UpDown(recipe) => recipe.check(),
        }
    }
}

impl Member {
    /// The recipe in the file that is named, else the default, with the changes that the options make to its training.
    ///
    /// # Errors
    /// If the file cannot be read or is no recipe, or a setting makes no sense.
    pub fn recipe<R: Recipe>(&self) -> Result<R> {
        let named = self.recipe_file.as_ref().and_then(|file| file.to_str()).and_then(R::named);
        let mut recipe = match (&self.recipe_file, named) {
            (None, _) => R::default(),
            (_, Some(recipe)) => recipe,
            (Some(file), None) => {
                let shown = file.display();
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("--recipe {shown}: the file cannot be read"))?;
                toml::from_str(&text).with_context(|| format!("--recipe {shown}: this is no recipe"))?
            }
        };
        let mut training = recipe.training();
        let (epochs, seed, _) = training.settings();
        *epochs = self.common.epochs.unwrap_or(*epochs);
        *seed = self.common.seed.unwrap_or(*seed);
        training.check()?;
        Ok(recipe)
    }

    /// Makes the folder for the results and opens the device, in which precision the recipe then is; prints and keeps it.
    ///
    /// # Errors
    /// If no file can be written there, or there is no such device or precision.
    pub fn begin<R: Recipe>(&self, out: &Path, recipe: &mut R) -> Result<Device> {
        prepare(out)?;
        stop_on_ctrl_c()?;
        let device = Device::named(&self.common.device)?;
        let from_file = self.recipe_file.as_ref().is_some_and(|file| file.to_str().and_then(R::named).is_none());
        let said = from_file.then(|| *recipe.training().settings().2);
        let precision = self.common.precision(&device, said)?;
        recipe.set_precision(precision);
        println!("{}, {}", device.describe(), precision.name());
        keep_recipe(out, recipe)?;
        Ok(device)
    }
}

/// Runs an example, and tells of its error in one sentence.
pub fn main(run: impl FnOnce() -> Result<()>) -> ExitCode {
    match run() {
        // As shells report it of a process that Ctrl-C ended.
        Ok(()) if stopping() => ExitCode::from(130),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence, also where RUST_BACKTRACE is set.
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the folder for the results, and finds out before training whether files can be written there.
///
/// # Errors
/// If they cannot.
pub fn prepare(out: &Path) -> Result<()> {
    let refused = || format!("--out {}: no file can be written there", out.display());
    std::fs::create_dir_all(out).with_context(refused)?;
    tempfile::tempfile_in(out).with_context(refused)?;
    Ok(())
}

/// Prints the recipe, and keeps it beside the results.
///
/// # Errors
/// If it cannot be written.
pub fn keep_recipe(out: &Path, recipe: &impl Serialize) -> Result<()> {
    let toml = toml::to_string_pretty(recipe)?;
    println!("\n{toml}");
    Ok(write_atomically(&out.join("recipe.toml"), toml.as_bytes())?)
}

/// Trains a model and shows how it goes.
///
/// # Errors
/// Those of [`FineTune::run`].
pub fn train(
    device: &Device,
    recipe: &FineTune,
    model: &mut impl strait::Member,
    train: Rows<'_>,
    test: Rows<'_>,
) -> Result<FineTuned> {
    let mut terminal = Terminal::new();
    Ok(recipe.run(device, model, train)?.test(test)?.observe(|event| terminal.show(event)).train()?)
}

/// A result, with the published one where there is one.
#[derive(Serialize)]
pub struct Measured {
    /// Its name.
    pub what: String,
    /// Its value in this run.
    pub value: f64,
    /// The published one.
    pub published: Option<f64>,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// A result for which less is better.
pub fn lower(what: impl Into<String>, value: f64, published: Option<f64>) -> Measured {
    Measured { what: what.into(), value, published, higher_is_better: false }
}

/// A result for which more is better.
pub fn higher(what: impl Into<String>, value: f64, published: Option<f64>) -> Measured {
    Measured { what: what.into(), value, published, higher_is_better: true }
}

/// What results.json holds.
#[derive(Serialize)]
pub struct Report<'a, R> {
    /// What trained.
    pub device: String,
    /// The precision of the products of training. Results are always evaluated in f32.
    pub precision: Precision,
    /// The numbers that these multiply on this device.
    pub operands: String,
    /// What it was trained by.
    pub recipe: &'a R,
    /// How many images it was trained on.
    pub train_images: usize,
    /// How long that took.
    pub seconds_train: f64,
    /// Whether Ctrl-C ended the run early.
    pub stopped: bool,
    /// The results.
    pub measured: Vec<Measured>,
    /// How training went.
    pub epochs: Vec<FineTuneEpoch>,
}

impl<'a, R: Serialize> Report<'a, R> {
    /// A report of training without results yet.
    pub fn new(device: &Device, precision: Precision, recipe: &'a R, train_images: usize, tuned: FineTuned) -> Self {
        Self {
            device: device.describe(),
            precision,
            operands: format!("{:?}", device.operands(precision)).to_lowercase(),
            recipe,
            train_images,
            seconds_train: tuned.epochs.iter().fold(0.0, |sum, epoch| sum + epoch.seconds),
            stopped: tuned.stopped,
            measured: Vec::new(),
            epochs: tuned.epochs,
        }
    }

    /// Prints the results beside the published ones, and writes them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn finish(&self, out: &Path) -> Result<()> {
        let widest = self.measured.iter().map(|result| result.what.chars().count()).max().unwrap_or(0);
        println!("\n{:<widest$}{:>12}{:>12}", "", "this run", "published");
        for Measured { what, value, published, .. } in &self.measured {
            let published = published.map_or("-".to_owned(), |published| match published {
                published if published.abs() < 1.0 => format!("{published:.3}"),
                published => format!("{published:.2}"),
            });
            println!("{what:<widest$}{value:>12.3}{published:>12}");
        }
        if !self.epochs.is_empty() {
            println!("training took {:.1} s on {}", self.seconds_train, self.device);
        }
        write_atomically(&out.join("results.json"), serde_json::to_string_pretty(self)?.as_bytes())?;
        if self.stopped {
            println!("stopped by Ctrl-C; the results are those of the model as it was then");
        }
        println!("\nresults.json, recipe.toml and what else there is are in {}", out.display());
        Ok(())
    }
}

/// Draws the weights of a first layer's units, at most 200 of them.
///
/// # Errors
/// If the picture cannot be written.
pub fn draw_filters(path: &Path, first: &Affine, width: usize) -> Result<()> {
    let filter = |unit: usize| first.weight.iter().skip(unit).step_by(first.outputs).copied().collect();
    Ok(filters(path, width, &(0..first.outputs.min(200)).map(filter).collect::<Vec<_>>())?)
}

/// The first image of each digit.
pub fn one_of_each(images: &Images) -> Vec<u8> {
    let first = |digit: u8| images.labels.iter().position(|&label| label == digit);
    let size = images.width * images.height;
    (0..10).filter_map(first).flat_map(|i| &images.pixels[i * size..][..size]).copied().collect()
}

/// Rows of values as images of that many pixels.
pub fn pictures(values: &[f32], size: usize) -> Vec<Vec<f32>> {
    values.chunks_exact(size).map(<[f32]>::to_vec).collect()
}
