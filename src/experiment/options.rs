//! The options of experiments.

use std::path::{Path, PathBuf};

use clap::Args;

use super::recipe::each;
use super::{Error, Experiment, Recipe, Result, keep_recipe, prepare};
use crate::metrics::Metrics;
use crate::say;
use crate::terminal::stop_on_signals;
use crate::train::{CheckpointOptions, Checkpoints};
use crate::{Device, Mnist, Precision, Rows};

/// The options of every experiment.
#[derive(Args, Debug)]
pub struct Common {
    /// auto (a GPU if there is one, else the CPU), cpu (or cpu:N for N threads), gpu, or the number or a part of the name
    /// of an adapter
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// A folder with the four MNIST files, plain or gzipped
    #[arg(long, default_value = "data/mnist")]
    pub data: PathBuf,
    /// Train on the first N images only
    #[arg(long, value_name = "N", value_parser = positive)]
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
    /// Where the results and the checkpoints go
    #[arg(long, default_value_os_t = out())]
    pub out: PathBuf,
    /// When checkpoints are written, and whether the run goes on from one.
    #[command(flatten)]
    pub checkpoints: CheckpointOptions,
}

/// A number from 1 on.
pub(super) fn positive(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("there must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a whole number from 1 on".to_owned()),
    }
}

/// A folder of the program's name.
fn out() -> PathBuf {
    let program = std::env::current_exe().ok().and_then(|path| path.file_stem().map(PathBuf::from));
    Path::new("out").join(program.unwrap_or_default())
}

impl Common {
    /// The checkpoints and the metrics in `--out`; says where checkpoints of an earlier run went.
    ///
    /// # Errors
    /// As [`Checkpoints::open`].
    pub fn keep(&self) -> Result<(Checkpoints, Metrics)> {
        super::keep(&self.out, self.checkpoints)
    }

    /// The training images, as many as are wanted, and the test images.
    pub fn rows<'a>(&self, mnist: &'a Mnist) -> (Rows<'a>, Rows<'a>) {
        (mnist.train.rows().first(self.limit.unwrap_or(usize::MAX)), mnist.test.rows())
    }

    /// The precision of the products on a device. `recipe` is what a recipe's file says, where there is one.
    ///
    /// # Errors
    /// [`Error::Precision`] if there is none of that name.
    pub fn precision(&self, device: &Device, recipe: Option<Precision>) -> Result<Precision> {
        super::precision(device, self.precision.as_deref(), recipe)
    }
}

/// The options of an experiment with a [`Recipe`].
#[derive(Args, Debug)]
pub struct MemberOptions {
    /// Those of every experiment.
    #[command(flatten)]
    pub common: Common,
    /// A recipe as --out writes it, or the name of one
    #[arg(long = "recipe", value_name = "FILE")]
    pub recipe_file: Option<PathBuf>,
    /// Size of the code
    #[arg(long)]
    pub code: Option<usize>,
}

impl MemberOptions {
    /// The recipe of the name or in the file that is given, else the default, with the seed and the epochs of the options.
    ///
    /// # Errors
    /// If the file cannot be read or is no recipe, or a setting makes no sense.
    pub fn recipe<R: Recipe>(&self) -> Result<R> {
        let mut recipe = match (&self.recipe_file, self.named()) {
            (None, _) => R::default(),
            (_, Some(recipe)) => recipe,
            (Some(file), None) => {
                let wrong = |message| Error::Recipe { file: file.clone(), message };
                let text = std::fs::read_to_string(file);
                let text = text.map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
                toml::from_str(&text).map_err(|error| wrong(format!("this is no recipe: {error}")))?
            }
        };
        if let Some(epochs) = self.common.epochs {
            recipe.trainings().into_iter().for_each(|training| *training.settings().0 = epochs);
        }
        each(&mut recipe, |training| {
            let (_, seed, _) = training.settings();
            *seed = self.common.seed.unwrap_or(*seed);
            training.check()
        })?;
        Ok(recipe)
    }

    fn named<R: Recipe>(&self) -> Option<R> {
        self.recipe_file.as_ref().and_then(|file| file.to_str()).and_then(R::named)
    }

    /// Makes `--code` the last of these sizes.
    pub fn set_code(&self, sizes: &mut Vec<usize>) {
        if let Some(code) = self.code {
            sizes.pop();
            sizes.push(code);
        }
    }

    /// Reads MNIST.
    ///
    /// # Errors
    /// As [`Mnist::open`].
    pub fn mnist(&self) -> Result<Mnist> {
        Ok(Mnist::open(&self.common.data)?)
    }

    /// The training images, as many as are wanted, and the test images.
    pub fn rows<'a>(&self, mnist: &'a Mnist) -> (Rows<'a>, Rows<'a>) {
        self.common.rows(mnist)
    }

    /// Makes the folder for the results, opens the device and sets the recipe's precision to the one that is used there; prints
    /// the recipe and keeps it. From now on a signal that asks the process to end (Ctrl-C, SIGTERM, SIGHUP) ends training without losing
    /// it.
    ///
    /// # Errors
    /// If no file can be written there, there is no such device or precision, or a setting makes no sense.
    pub fn begin<R: Recipe>(&self, recipe: &mut R, train_images: usize) -> Result<(Device, Experiment<R>)> {
        each(recipe, |training| training.check())?;
        let out = &self.common.out;
        prepare(out)?;
        stop_on_signals().map_err(Error::Signals)?;
        let kept = self.common.keep()?;
        let device = Device::named(&self.common.device)?;
        let from_file = self.recipe_file.is_some() && self.named::<R>().is_none();
        let said = recipe.trainings().first_mut().map(|training| *training.settings().2).filter(|_| from_file);
        let precision = self.common.precision(&device, said)?;
        each(recipe, |training| {
            *training.settings().2 = precision;
            Ok::<(), Error>(())
        })?;
        say!("{}, {}", device.describe(), precision.name());
        keep_recipe(out, recipe, self.common.checkpoints.resume)?;
        let experiment = Experiment::new(&device, precision, out, recipe.clone(), train_images, Some(kept));
        Ok((device, experiment))
    }
}
