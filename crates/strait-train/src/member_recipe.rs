//! How a member is trained, with its own settings, in one table of a file.

use serde::{Deserialize, Serialize};
use strait_compute::{Noise, Precision};
use strait_models::{Autoencoder, Classifier, Objective, Penalty, Vae};

use crate::{EarlyStopping, FineTune, ImageShift, Optimizer, ReduceOnPlateau, Schedule};

/// How a member is trained, and the settings of the member itself. In a file both stand in one table.
///
/// ```
/// use strait_models::Autoencoder;
/// use strait_train::MemberRecipe;
/// let text = r#"{ "epochs": 15, "corruption": { "masking": 0.25 } }"#;
/// let recipe: MemberRecipe = serde_json::from_str(text)?;
/// let mut net = Autoencoder::glorot(&[784, 500], 1)?;
/// recipe.set(&mut net);
/// assert_eq!((recipe.tuning.epochs, net.corruption), (15, Some(strait_compute::Noise::Masking(0.25))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Table", into = "Table")]
pub struct MemberRecipe {
    /// How it is trained.
    pub tuning: FineTune,
    /// Noise on the inputs in training.
    pub corruption: Option<Noise>,
    /// A penalty on the code.
    pub penalty: Option<Penalty>,
    /// Whether the decoder's weights stay those of the encoder, transposed.
    pub tied: bool,
    /// β, the weight of the divergence of a variational autoencoder.
    pub kl_weight: f32,
}

impl Default for MemberRecipe {
    fn default() -> Self {
        FineTune::default().into()
    }
}

impl From<FineTune> for MemberRecipe {
    fn from(tuning: FineTune) -> Self {
        Self { tuning, corruption: None, penalty: None, tied: false, kl_weight: 1.0 }
    }
}

impl MemberRecipe {
    /// Gives an autoencoder the noise and the penalty; its weights are tied by [`Autoencoder::tie`].
    pub fn set(&self, net: &mut Autoencoder) {
        (net.corruption, net.penalty) = (self.corruption, self.penalty);
    }

    /// Gives a variational autoencoder the noise and the weight of its divergence.
    pub fn set_vae(&self, vae: &mut Vae) {
        (vae.corruption, vae.kl_weight) = (self.corruption, self.kl_weight);
    }

    /// Gives a classifier the noise.
    pub fn set_classifier(&self, net: &mut Classifier) {
        net.corruption = self.corruption;
    }
}

/// The table of a file.
#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    epochs: usize,
    batch: usize,
    optimizer: Optimizer,
    schedule: Schedule,
    weight_cost: f32,
    objective: Objective,
    #[serde(skip_serializing_if = "Option::is_none")]
    early_stopping: Option<EarlyStopping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reduce_on_plateau: Option<ReduceOnPlateau>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corruption: Option<Noise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    penalty: Option<Penalty>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tied: bool,
    #[serde(skip_serializing_if = "is_zero")]
    frozen: usize,
    #[serde(skip_serializing_if = "is_one")]
    kl_weight: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    shift: Option<ImageShift>,
    precision: Precision,
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<usize>,
    seed: u64,
}

fn is_zero(x: &usize) -> bool {
    *x == 0
}

fn is_one(x: &f32) -> bool {
    *x == 1.0
}

impl Default for Table {
    fn default() -> Self {
        MemberRecipe::default().into()
    }
}

impl From<MemberRecipe> for Table {
    fn from(MemberRecipe { tuning, corruption, penalty, tied, kl_weight }: MemberRecipe) -> Self {
        let FineTune {
            epochs,
            batch,
            optimizer,
            schedule,
            weight_cost,
            objective,
            early_stopping,
            reduce_on_plateau,
            frozen,
            shift,
            precision,
            shards,
            seed,
        } = tuning;
        Self {
            epochs,
            batch,
            optimizer,
            schedule,
            weight_cost,
            objective,
            early_stopping,
            reduce_on_plateau,
            corruption,
            penalty,
            tied,
            frozen,
            kl_weight,
            shift,
            precision,
            shards,
            seed,
        }
    }
}

impl From<Table> for MemberRecipe {
    fn from(table: Table) -> Self {
        let Table { corruption, penalty, tied, kl_weight, .. } = table;
        let tuning = FineTune {
            epochs: table.epochs,
            batch: table.batch,
            optimizer: table.optimizer,
            schedule: table.schedule,
            weight_cost: table.weight_cost,
            objective: table.objective,
            early_stopping: table.early_stopping,
            reduce_on_plateau: table.reduce_on_plateau,
            frozen: table.frozen,
            shift: table.shift,
            precision: table.precision,
            shards: table.shards,
            seed: table.seed,
        };
        Self { tuning, corruption, penalty, tied, kl_weight }
    }
}
