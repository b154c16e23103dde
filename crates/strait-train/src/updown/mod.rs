//! The recipe of fine-tuning a deep belief net by the up-down algorithm (Hinton, Osindero & Teh 2006, appendix B).

mod plan;
mod step;

pub use plan::UpDownPlan;

use serde::{Deserialize, Serialize};
use strait_compute::Precision;

use crate::error::{below, decay, gibbs_steps, positive, positive_rate, weight_cost};
use crate::monitor::Watching;
use crate::progress::HostCost;
use crate::{EarlyStopping, Error, ImageShift, ReduceOnPlateau, Result, Schedule};

/// The recipe of the up-down algorithm: contrastive wake-sleep. Of a net that is one machine ([`Dbn::alone`](strait_models::Dbn::alone)) it is the
/// training of a classification RBM (Larochelle & Bengio 2008).
///
/// In the way up, states drawn by the recognition weights are what the generative weights learn to draw the layer below from.
/// The top machine learns by contrastive divergence between these features, with the label, and what so many steps of its chain
/// make of them. From there states are drawn downwards, and the recognition weights learn to infer those that they were drawn from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct UpDown {
    /// Passes over the training set.
    pub epochs: usize,
    /// Rows of a minibatch.
    pub batch: usize,
    /// Steps of Gibbs sampling in the top machine.
    pub cd_steps: usize,
    /// Whether these go on from where they ended in the step before instead of from the data.
    pub persistent: bool,
    /// α of the objective of the top machine, α ln p(features, label) + β ln p(label | features) (Larochelle & Bengio 2008).
    pub generative: f32,
    /// β of the same: above 0 it is the hybrid objective, and with α = 0 the machine only learns to tell labels apart. The
    /// gradient of this term is exact on the mean.
    pub discriminative: f32,
    /// ε of all weights.
    pub rate: f32,
    /// How it changes.
    pub schedule: Schedule,
    /// Momentum.
    pub momentum: f32,
    /// λ, the weight cost; of the top machine each term of its objective that is not 0 has it.
    pub weight_cost: f32,
    /// Random shifts of the images, drawn anew for each row of each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<ImageShift>,
    /// When training ends before all epochs are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// When the learning rate falls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduce_on_plateau: Option<ReduceOnPlateau>,
    /// The precision of the products; see [`Device::fastest`](strait_compute::Device::fastest).
    pub precision: Precision,
    /// Shards into which each batch is cut. Their gradients are added in a fixed order, so that 1, 2, 4 and 8 ranks with 8 shards give bit-identical results; see
    /// [`Device::cut`](strait_compute::Device::cut). By default each rank has one, and results depend on the number of ranks by rounding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<usize>,
    /// Seed of the order of the rows and of all that is drawn.
    pub seed: u64,
}

impl Default for UpDown {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 100,
            cd_steps: 3,
            persistent: false,
            generative: 1.0,
            discriminative: 0.0,
            rate: 0.05,
            schedule: Schedule::Cosine { warmup: 0.0 },
            momentum: 0.5,
            weight_cost: 0.0,
            shift: None,
            early_stopping: None,
            reduce_on_plateau: None,
            precision: Precision::F32,
            shards: None,
            seed: 2006,
        }
    }
}

/// One epoch of the up-down algorithm.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct UpDownEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The squared error of the rows given the states of the lowest features, summed over a row and averaged over the rows. Of a
    /// machine alone that of rows and labels given its hidden means.
    pub error: f64,
    /// The share of the rows held out for validation that are given another class than their label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_error: Option<f64>,
    /// Seconds.
    pub seconds: f64,
    /// What the learning rate was multiplied by beside its schedule: less than 1 after a plateau, or after training diverged and went
    /// back with half the rate.
    #[serde(default = "crate::plan::whole", skip_serializing_if = "crate::plan::is_whole")]
    pub rate_factor: f32,
    /// What it cost the host.
    #[serde(flatten)]
    pub cost: HostCost,
}

/// The result of the up-down algorithm.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UpDownTrained {
    /// The epochs that were completed.
    pub epochs: Vec<UpDownEpoch>,
    /// Whether the observer ended the run early. The net then is what it was when the run stopped.
    pub stopped: bool,
}

impl UpDown {
    /// Whether rows held out decide when it ends, or when its learning rate falls.
    pub fn judges(&self) -> bool {
        self.watching().judges()
    }

    fn watching(&self) -> Watching {
        let Self { early_stopping, reduce_on_plateau: plateau, .. } = *self;
        Watching { early_stopping, plateau }
    }

    /// Whether the settings make sense, which [`UpDown::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        positive("epochs", self.epochs)?;
        positive("batch", self.batch)?;
        gibbs_steps(self.cd_steps)?;
        positive_rate("rate", self.rate)?;
        decay("momentum", self.momentum)?;
        self.schedule.check(self.epochs)?;
        self.shift.map_or(Ok(()), ImageShift::check)?;
        self.watching().check()?;
        let terms = [("generative", self.generative), ("discriminative", self.discriminative)];
        terms
            .into_iter()
            .try_for_each(|(name, weight)| below(name, weight, f32::INFINITY, "it must be a number of at least 0"))?;
        if terms.iter().all(|(_, weight)| *weight == 0.0) {
            let (setting, value) = ("generative and discriminative", "0".to_owned());
            return Err(Error::Setting { setting, value, expected: "one of them must be above 0" });
        }
        weight_cost(self.weight_cost)
    }
}
