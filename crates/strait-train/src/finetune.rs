//! The recipe of training by back-propagation.

use serde::{Deserialize, Serialize};
use strait_compute::{Precision, Step};
use strait_data::Rows;
use strait_models::{Affine, transpose};

use crate::error::{positive, probabilities, weight_cost};
use crate::monitor::Watching;
use crate::optimizer::Optimizer;
use crate::progress::HostCost;
use crate::{EarlyStopping, Error, Goal, Member, Objective, ReduceOnPlateau, Result, Schedule};

/// Random shifts of images by whole pixels, from −`pixels` to `pixels` along either axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageShift {
    /// Pixels of a row of the image.
    pub width: usize,
    /// The largest shift.
    pub pixels: u32,
}

impl ImageShift {
    pub(crate) fn check(self) -> Result<()> {
        if (self.pixels as usize) < self.width {
            return Ok(());
        }
        let (setting, value) = ("the shift", self.pixels.to_string());
        Err(Error::Setting { setting, value, expected: "it must be smaller than the images" })
    }
}

/// The recipe of fine-tuning.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct FineTune {
    /// Passes over the training set.
    pub epochs: usize,
    /// Rows of a minibatch.
    pub batch: usize,
    /// How the parameters follow the gradient.
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// λ, the weight cost.
    pub weight_cost: f32,
    /// Which error is minimised.
    pub objective: Objective,
    /// When training ends before all epochs are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// When the learning rate falls beside its schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduce_on_plateau: Option<ReduceOnPlateau>,
    /// How many layers, from the input on, stay as they are.
    #[serde(skip_serializing_if = "is_zero")]
    pub frozen: usize,
    /// Random shifts of the training images, drawn anew for each row of each epoch: more data than there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<ImageShift>,
    /// The precision of the products; see [`Device::fastest`](strait_compute::Device::fastest). Conjugate gradients and L-BFGS, which compare losses, and
    /// test errors are computed in f32 whatever it is.
    pub precision: Precision,
    /// Shards into which each batch is cut. Their gradients are added in a fixed order, so that 1, 2, 4 and 8 ranks with 8 shards give bit-identical results; see
    /// [`Device::cut`](strait_compute::Device::cut). By default each rank has one, and results depend on the number of ranks by rounding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<usize>,
    /// Seed of the order of the rows, which is drawn anew for each epoch.
    pub seed: u64,
}

impl Default for FineTune {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 100,
            optimizer: Optimizer::adam(1e-3),
            schedule: Schedule::Cosine { warmup: 0.0 },
            weight_cost: 0.0,
            objective: Objective::CrossEntropy,
            early_stopping: None,
            reduce_on_plateau: None,
            frozen: 0,
            shift: None,
            precision: Precision::F32,
            shards: None,
            seed: 2006,
        }
    }
}

fn is_zero(x: &usize) -> bool {
    *x == 0
}

/// One epoch of fine-tuning.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct FineTuneEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean over the epoch of the loss that is minimised, summed over the values of a row.
    pub train_loss: f64,
    /// The mean squared error on the test set after the epoch, summed over the values of a row; the share of its rows that
    /// are given a wrong class, of a classifier, or whose largest value is elsewhere, with softmax cross-entropy.
    pub test_error: Option<f64>,
    /// The mean loss on the test set after the epoch, without noise and penalties.
    pub test_loss: Option<f64>,
    /// The error on the rows held out for validation, of the same kind as that on the test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_error: Option<f64>,
    /// Seconds of training alone.
    pub seconds: f64,
    /// What the learning rate was multiplied by beside its schedule: less than 1 after a plateau, or after training diverged and went
    /// back with half the rate.
    #[serde(default = "crate::plan::whole", skip_serializing_if = "crate::plan::is_whole")]
    pub rate_factor: f32,
    /// What it cost the host.
    #[serde(flatten)]
    pub cost: HostCost,
}

/// The result of fine-tuning.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FineTuned {
    /// The epochs that were completed.
    pub epochs: Vec<FineTuneEpoch>,
    /// Whether the observer ended the run early. The net then is what it was when the run stopped.
    pub stopped: bool,
}

impl FineTune {
    /// Whether the settings make sense, and the model can be trained by them.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check_for(&self, net: &dyn Member) -> Result<()> {
        self.check()?;
        Ok(net.check(&self.goal())?)
    }

    /// Whether rows held out decide when it ends, or when its learning rate falls.
    pub fn judges(&self) -> bool {
        self.watching().judges()
    }

    pub(crate) fn watching(&self) -> Watching {
        Watching { early_stopping: self.early_stopping, plateau: self.reduce_on_plateau }
    }

    /// What a model is trained for.
    pub(crate) fn goal(&self) -> Goal {
        Goal { objective: self.objective, minimises: self.optimizer.vectors() > 0 }
    }

    /// What a step needs whatever the optimiser is.
    pub(crate) fn step(&self, number: usize, (offset, rows): (u32, u32)) -> Step {
        Step { offset, rows, counter: number as u32, weight_cost: self.weight_cost, ..Step::seeded(self.seed) }
    }

    /// Whether the settings make sense, which [`FineTune::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        self.watching().check()?;
        if self.reduce_on_plateau.is_some() && self.optimizer.vectors() > 0 {
            let (setting, value) = ("reduce-on-plateau", "set".to_owned());
            let expected = "conjugate gradients and L-BFGS have no learning rate that could fall";
            return Err(Error::Setting { setting, value, expected });
        }
        positive("epochs", self.epochs)?;
        positive("batch", self.batch)?;
        weight_cost(self.weight_cost)?;
        self.optimizer.check()?;
        if self.optimizer.vectors() > 0 && self.weight_cost != 0.0 {
            let (setting, value) = ("weight-cost", self.weight_cost.to_string());
            let expected = "conjugate gradients and L-BFGS minimise the loss alone, so it must be 0";
            return Err(Error::Setting { setting, value, expected });
        }
        self.shift.map_or(Ok(()), ImageShift::check)?;
        self.schedule.check(self.epochs)
    }

    /// Whether model and data fit together and are what the objective takes.
    pub(crate) fn check_model(&self, net: &dyn Member, train: &Rows<'_>, test: Option<&Rows<'_>>) -> Result<()> {
        self.check_kind(net, train, test)?;
        if net.is_tied() {
            mirrored(net.layers(), |up, down| down.weight == transpose(&up.weight, up.outputs))?;
        }
        Ok(())
    }

    /// The same for a model with whatever weights.
    pub(crate) fn check_kind(&self, net: &dyn Member, train: &Rows<'_>, test: Option<&Rows<'_>>) -> Result<()> {
        net.check(&self.goal())?;
        net.layers().iter().try_for_each(Affine::check)?;
        if self.frozen >= net.layers().len() {
            let (setting, value) = ("frozen", self.frozen.to_string());
            return Err(Error::Setting { setting, value, expected: "at least one of the layers must learn" });
        }
        if net.is_tied() {
            mirrored(net.layers(), |_, _| true)?;
            if self.frozen > 0 {
                let (setting, value) = ("frozen", self.frozen.to_string());
                let expected = "tied weights learn in both places or in none";
                return Err(Error::Setting { setting, value, expected });
            }
        }
        let expected = net.inputs() + net.targets();
        if let Some(found) = [Some(train), test].into_iter().flatten().map(|rows| rows.width).find(|&w| w != expected) {
            return Err(strait_models::Error::Width { expected, found }.into());
        }
        for rows in [Some(train), test].into_iter().flatten() {
            net.check_rows(rows)?;
        }
        // Where rows are their own targets, these are probabilities.
        if self.objective == Objective::CrossEntropy && net.targets() == 0 {
            for rows in [Some(train), test].into_iter().flatten() {
                match net.compared(rows) {
                    Some(values) if values.is_empty() => {}
                    Some(values) => probabilities(&Rows::numbers(&values, 1)?)?,
                    None => probabilities(rows)?,
                }
            }
        }
        let negative = |rows: &Rows<'_>| rows.first_number(|x| x < 0.0).is_some();
        let counts = self.objective == Objective::SoftmaxCrossEntropy && net.targets() == 0;
        if counts && [Some(train), test].into_iter().flatten().any(negative) {
            let (setting, value) = ("the data", "below 0".to_owned());
            return Err(Error::Setting {
                setting,
                value,
                expected: "softmax cross-entropy takes counts or probabilities",
            });
        }
        Ok(())
    }
}

/// Whether the second half of the layers has the shapes of the first half, in reverse, and each pair of layers is the `same`.
fn mirrored(layers: &[Affine], same: fn(&Affine, &Affine) -> bool) -> Result<()> {
    let (up, down) = layers.split_at(layers.len() / 2);
    let pairs = up.iter().rev().zip(down);
    let tied = |(up, down): (&Affine, &Affine)| {
        let shared = up.convolution.is_some() || down.convolution.is_some();
        !shared && [down.inputs, down.outputs] == [up.outputs, up.inputs] && same(up, down)
    };
    if up.len() == down.len() && pairs.into_iter().all(tied) {
        return Ok(());
    }
    let (setting, value) = ("tied", "true".to_owned());
    let expected = "the decoder's weights must be those of the encoder, transposed, as Autoencoder::tie makes them";
    Err(Error::Setting { setting, value, expected })
}
