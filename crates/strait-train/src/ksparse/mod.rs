//! k-sparse autoencoders with more units than inputs: dictionaries of the directions that vectors are made of.

mod looked_at;
mod plan;
mod restart;
mod sparsity;
mod units;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use strait_compute::Device;
use strait_data::{Centre, Rows};
use strait_models::Autoencoder;

use crate::error::positive;
use crate::{Error, FineTune, FineTuneEpoch, Objective, Optimizer, Result, Run};

pub use plan::KSparsePlan;
pub use sparsity::Sparsity;

/// The recipe of a k-sparse autoencoder (Makhzani & Frey 2013), as it is trained today on the activations of other nets
/// (Bricken et al. 2023; Gao et al. 2024): rectified units of which few stay, a linear decoder that starts as
/// the encoder's transpose, in the directions of rows, and by choice a new start for units that no row uses.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct KSparse {
    /// Units of the code.
    pub units: usize,
    /// How many of them stay, k: of each row, or of the rows on average, as [`KSparse::sparsity`] says.
    pub top_k: usize,
    /// Which of them stay.
    pub sparsity: Sparsity,
    /// ε of [`Sparsity::JumpRelu`], as a share of the threshold that units start with: outputs within half of it on either side of a threshold count as near it.
    pub bandwidth: f32,
    /// How much of a row's variance the loss of [`Sparsity::JumpRelu`] grows by where twice as many units stay as should.
    pub l0_weight: f32,
    /// Dead units of a row that reconstruct what the others leave (AuxK, Gao et al. 2024: a power of two near half a row's width); none by default. Of the largest
    /// units, by row or by minibatch.
    pub aux_k: Option<usize>,
    /// The weight of that loss.
    pub aux_weight: f32,
    /// The number of successive rows without use after which a unit is dead to this loss; those of an epoch by default.
    pub dead_after: Option<usize>,
    /// Parts of equal length into which the epochs fall. After each but the last one, dead units start anew in the
    /// direction of a badly reconstructed row. All but the last one run at a constant learning rate.
    pub rounds: usize,
    /// The point that rows are shifted by, so that the decoder's bias starts there.
    pub centre: Centre,
    /// Whether the decoder's rows, the directions of the units, are normalised to length 1 after each update, and the part of the gradient along each is
    /// removed.
    pub unit_rows: bool,
    /// Rows are scaled by the median distance from the mean. Rows further than this many times that distance are reported, do not count in the
    /// mean, and are scaled down to that distance.
    pub outlier: f64,
    /// Whether these rows are left out of training.
    pub leave_out: bool,
    /// Training of all rounds together.
    #[serde(deserialize_with = "over_default")]
    pub training: FineTune,
}

/// Training whose fields that are left out are a dictionary's.
fn over_default<'de, D: Deserializer<'de>>(given: D) -> std::result::Result<FineTune, D::Error> {
    let mut all = serde_json::to_value(KSparse::default().training).map_err(D::Error::custom)?;
    for (name, value) in serde_json::Map::deserialize(given)? {
        all[name] = value;
    }
    serde_json::from_value(all).map_err(D::Error::custom)
}

impl Default for KSparse {
    fn default() -> Self {
        let training = FineTune {
            epochs: 16,
            batch: 500,
            optimizer: Optimizer::adam(1e-3),
            objective: Objective::SquaredError,
            ..FineTune::default()
        };
        let (units, top_k, sparsity, bandwidth, l0_weight) = (2000, 32, Sparsity::TopK, 0.5, 1.0);
        Self {
            units,
            top_k,
            sparsity,
            bandwidth,
            l0_weight,
            aux_k: None,
            aux_weight: 1.0 / 32.0,
            dead_after: None,
            rounds: 4,
            centre: Centre::Mean,
            unit_rows: false,
            outlier: 10.0,
            leave_out: false,
            training,
        }
    }
}

/// The result of training.
#[derive(Clone, PartialEq, Debug)]
pub struct KSparseTrained {
    /// The net, for rows as they were given.
    pub net: Autoencoder,
    /// The epochs that were completed. Their losses are those of rows that were shifted to mean 0 and scaled so that the median one has variance 1.
    pub epochs: Vec<FineTuneEpoch>,
    /// Rows that are further from the mean than [`KSparse::outlier`] allows.
    pub far: usize,
    /// For each round the units that none of 10,000 rows, which are drawn once for all, used at its end.
    pub dead: Vec<usize>,
    /// Whether the observer ended the run early. The net then is what it was when the run stopped.
    pub stopped: bool,
}

impl KSparse {
    /// Trains on these rows.
    ///
    /// ```
    /// use strait_train::{FineTune, KSparse};
    /// let device = strait_compute::Device::cpu()?;
    /// let values: Vec<f32> = (0..400).map(|i| if i % 4 == i / 4 % 4 { 1.0 } else { 0.0 }).collect();
    /// let rows = strait_data::Rows::numbers(&values, 4)?;
    /// let training = FineTune { epochs: 100, batch: 10, ..KSparse::default().training };
    /// let trained = KSparse { units: 8, top_k: 1, rounds: 2, training, ..KSparse::default() }.fit(&device, rows)?;
    /// assert!(trained.net.explained_variance(&device, rows)? > 0.9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn fit(&self, device: &Device, rows: Rows<'_>) -> Result<KSparseTrained> {
        self.run(device, rows)?.train()
    }

    /// A run that trains on these rows.
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn run<'a>(&self, device: &Device, rows: Rows<'a>) -> Result<Run<'a, KSparsePlan<'a>>> {
        self.check()?;
        Ok(Run::new(device, KSparsePlan::new(self.clone(), rows)?))
    }

    /// The net with which training on these rows starts, for rows as they are given.
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn untrained(&self, rows: Rows<'_>) -> Result<Autoencoder> {
        self.check()?;
        Ok(KSparsePlan::new(self.clone(), rows)?.untrained())
    }

    /// Whether the settings make sense, which [`KSparse::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) with the one that does not.
    pub fn check(&self) -> Result<()> {
        positive("units", self.units)?;
        positive("top-k", self.top_k)?;
        positive("rounds", self.rounds)?;
        if !(self.outlier.is_finite() && self.outlier > 1.0) {
            let (setting, value) = ("outlier", self.outlier.to_string());
            return Err(Error::Setting { setting, value, expected: "it must be larger than 1" });
        }
        for (setting, x) in
            [("bandwidth", self.bandwidth), ("l0-weight", self.l0_weight), ("aux-weight", self.aux_weight)]
        {
            if !(x.is_finite() && x > 0.0) {
                return Err(Error::Setting { setting, value: x.to_string(), expected: "it must be above 0" });
            }
        }
        if self.sparsity != Sparsity::TopK && self.training.optimizer.vectors() > 0 {
            let (setting, value) =
                ("the optimiser of units with thresholds", "one that moves after several minibatches".to_owned());
            return Err(Error::Setting {
                setting,
                value,
                expected: "it must be Adam or momentum, since each minibatch moves thresholds",
            });
        }
        if self.training.frozen > 0 {
            let (setting, value) = ("the training of a dictionary", "frozen".to_owned());
            let expected = "encoder and decoder learn, each for itself, since units that start anew are untied";
            return Err(Error::Setting { setting, value, expected });
        }
        self.training.check()?;
        // It is that of the last round.
        self.training.schedule.check(self.training.epochs - self.training.epochs * (self.rounds - 1) / self.rounds)
    }
}
