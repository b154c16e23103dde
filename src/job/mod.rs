//! Jobs: what is trained on which data, in one file for the command line, the examples and your own programs.
//!
//! A job names a kind of model, and what of its settings is not to be chosen by the data:
//!
//! ```
//! use strait::experiment::Sets;
//! use strait::job::Job;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("own.csv");
//! # std::fs::write(&path, (0..40).fold("x,y,z\n".to_owned(), |text, i| format!("{text}{i},{},{}\n", 2 * i, 7 - i)))?;
//! let job: Job = "kind = \"autoencoder\"\nhidden = [2]\n[training]\nepochs = 3".parse()?;
//! let sets = job.open(&path)?;
//! let plan = job.resolve(&sets)?;
//! assert_eq!(plan.sizes, [3, 2]);
//! assert_eq!(plan.job.output, Some(strait::Activation::Linear)); // by the data
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `strait init KIND` writes one with all settings and what they mean, `strait train JOB.toml` runs it.

mod convolutions;
#[cfg(feature = "pictures")]
mod draw;
mod kind;
mod measure;
mod needs;
mod ranks;
mod resolve;
mod sequences;
mod template;
mod train;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::data::{self, Centre, Scale};
use crate::experiment::{Error, Result, Sets};
use crate::{Activation, Inference, Sparsity};

#[cfg(feature = "pictures")]
pub use draw::draw;
pub use kind::Kind;
pub use needs::{Needs, Tried};
pub use ranks::{OnRanks, bits_per_second, seconds_of_sum};
pub use resolve::Resolved;
pub use sequences::Sequences;
pub use template::{TEMPLATES, Template, template};
pub use train::Trained;

/// The file beside the results of a job that holds the job, with all that was chosen.
pub const FILE: &str = "job.toml";

/// What is trained on which data. Whatever is not there is chosen by the data; see [`Job::resolve`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Job {
    /// What is trained.
    pub kind: Kind,
    /// The training data: a file or folder of any format that strait reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// A file of rows held out of training; without it a tenth of the training data, at most 10,000 rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_data: Option<PathBuf>,
    /// The share of the rows that is held out, where there is no other test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_share: Option<f64>,
    /// A column that is not 0 in the rows held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_column: Option<String>,
    /// Train on the first rows only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The sizes of the hidden layers, the code last. Of a convolutional net the filters of each convolution; of a dictionary its units;
    /// of PCA the components; of sequences the units of the recurrent layers, and of a code that is not their last state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<usize>>,
    /// The activation of hidden units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// The activation of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_activation: Option<Activation>,
    /// The activation of the outputs: logistic for values from 0 to 1, linear for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Activation>,
    /// How many numbers of a code stay, the largest ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Which numbers of a dictionary's code stay: the largest of each row, the largest of a minibatch, or those above their units' thresholds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<Sparsity>,
    /// Of a dictionary with thresholds that learn: the width of the window around a threshold in which numbers count as near it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<f32>,
    /// Of the same: how much of a row's variance the loss grows by where twice as many numbers stay as should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l0_weight: Option<f32>,
    /// Dead units of a row that reconstruct what the other units of a dictionary leave (AuxK).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aux_k: Option<usize>,
    /// The weight of that loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aux_weight: Option<f32>,
    /// Rows without use after which a unit is dead to that loss; an epoch's where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_after: Option<usize>,
    /// Parts of a dictionary's training; after each but the last one, units that nothing uses start anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<usize>,
    /// The point that rows of a dictionary are shifted by, where the decoder's bias starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centre: Option<Centre>,
    /// Whether the directions of a dictionary's units are held to length 1 in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_rows: Option<bool>,
    /// Of a dictionary: rows further from the mean than this many times the median row are reported, do not count in the mean, and are scaled down to that
    /// distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier: Option<f64>,
    /// Whether these rows are left out of training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_out: Option<bool>,
    /// Pixels of an edge of a convolution's windows, or their steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<usize>,
    /// The steps of a row over which convolutions slide, where rows are no pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// How columns are scaled before the model sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The share of held-out rows whose score is below the threshold of anomalies.
    #[serde(default = "quantile")]
    pub quantile: f64,
    /// Seed of the weights, the order of the rows and all that is drawn.
    #[serde(default = "seed")]
    pub seed: u64,
    /// How the files are read.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub read: data::Options,
    /// How rows are sequences, and what reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequences>,
    /// How sparse codes are found, of predictive sparse decomposition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
    /// Pretraining by contrastive divergence: what differs from the defaults of [`Pretrain`](crate::Pretrain).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrain: Option<Table>,
    /// Pretraining of a classifier by a stack of denoising autoencoders: what differs from the defaults of [`Stacked`](crate::Stacked).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denoising: Option<Table>,
    /// Fine-tuning of a belief net: what differs from the defaults of [`UpDown`](crate::UpDown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_down: Option<Table>,
    /// Training by back-propagation: what differs from the defaults of [`MemberRecipe`](crate::MemberRecipe).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Table>,
}

fn quantile() -> f64 {
    0.99
}

fn seed() -> u64 {
    2006
}

fn is_plain(read: &data::Options) -> bool {
    *read == data::Options::default()
}

impl Job {
    /// A job that leaves everything to the data.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            data: None,
            test_data: None,
            test_share: None,
            test_column: None,
            limit: None,
            hidden: None,
            activation: None,
            code_activation: None,
            output: None,
            top_k: None,
            sparsity: None,
            bandwidth: None,
            l0_weight: None,
            aux_k: None,
            aux_weight: None,
            dead_after: None,
            rounds: None,
            centre: None,
            unit_rows: None,
            outlier: None,
            leave_out: None,
            kernel: None,
            steps: None,
            scale: None,
            quantile: quantile(),
            seed: seed(),
            read: data::Options::default(),
            sequence: None,
            inference: None,
            pretrain: None,
            denoising: None,
            up_down: None,
            training: None,
        }
    }

    /// Reads a job from a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a job: the message names the line.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let wrong = |message: String| Error::Job(format!("{}: {message}", path.display()));
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(format!("the job cannot be read: {}", data::explain_io(path, &error))))?;
        text.parse().map_err(|error: Error| wrong(error.to_string()))
    }

    /// Sets what stands under a dotted name, as `training.epochs`, to a value in TOML.
    ///
    /// ```
    /// use strait::job::{Job, Kind};
    /// let job = Job::new(Kind::Autoencoder).with("training.epochs", "3")?.with("output", "linear")?;
    /// assert_eq!(job.training.as_ref().and_then(|table| table["epochs"].as_integer()), Some(3));
    /// # Ok::<(), strait::experiment::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such setting, or the value is none of its kind.
    pub fn with(&self, name: &str, value: &str) -> Result<Self> {
        let wrong = |message: String| Error::Job(format!("{name} = {value}: {message}"));
        let mut whole = Table::try_from(self).map_err(|error| wrong(error.to_string()))?;
        let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
        let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
        let mut table = &mut whole;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), value.clone());
                break;
            }
            let inner = table.entry(part).or_insert_with(|| Table::new().into());
            table = inner.as_table_mut().ok_or_else(|| wrong(format!("`{part}` is no table")))?;
        }
        whole.try_into().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))
    }

    /// Opens the training set of a file and the test set, as the job says, and prints what a user should know of them.
    ///
    /// # Errors
    /// If the data cannot be read, or there are too few rows to hold some out.
    pub fn open(&self, path: &Path) -> Result<Sets> {
        // Gaps are filled when it is known which rows are trained on.
        let read = data::Options { missing: data::Missing::Refuse, ..self.read.clone() };
        let (train, test) = match (&self.test_data, &self.test_column) {
            (Some(test), _) => {
                let mut all = data::open_together(&[path.to_owned(), test.clone()], &read)?;
                let test = all.pop();
                (all.pop(), test)
            }
            (None, Some(column)) => {
                let (train, test) = data::open(path, &read)?.hold_out_by(column)?;
                (Some(train), Some(test))
            }
            (None, None) => return Sets::open_with(path, &self.read, self.test_share, self.seed),
        };
        match (train, test) {
            (Some(train), Some(test)) => Sets::of(train, test, self.read.missing),
            _ => Err(Error::Job("a training and a test set are needed".to_owned())),
        }
    }
}

impl std::fmt::Display for Job {
    /// The job as TOML.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

impl FromStr for Job {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            Error::Job(format!("{place}{}", error.message()))
        })
    }
}
