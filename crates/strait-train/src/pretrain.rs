//! The recipe of greedy layer-wise pretraining of a stack of restricted Boltzmann machines by contrastive divergence
//! (Hinton 2002; Hinton & Salakhutdinov 2006).

use serde::{Deserialize, Serialize};
use strait_compute::Precision;
use strait_compute::philox::{Stream, streams};
use strait_data::{Rows, Values};
use strait_models::{Autoencoder, Rbm, Stack, Units};

use crate::error::{below, decay, gibbs_steps, penalty_weight, positive, positive_rate, probabilities, weight_cost};
use crate::monitor::Watching;
use crate::progress::HostCost;
use crate::{Chain, EarlyStopping, Error, ReduceOnPlateau, Result};

/// What hidden units shall do on the mean over a minibatch: a penalty on the divergence of their mean outputs from a target
/// (Lee et al. 2008, with the divergence in place of the squared difference).
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SparsityTarget {
    /// The weight of the divergence.
    pub weight: f32,
    /// The mean output, between 0 and 1.
    pub target: f32,
}

/// The recipe of the paper's pretraining. The defaults are those of the code that its authors gave out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pretrain {
    /// Epochs for each layer.
    pub epochs: usize,
    /// Rows of a minibatch.
    pub batch: usize,
    /// k of CD-k: steps of Gibbs sampling.
    pub cd_steps: usize,
    /// Where they start.
    pub chain: Chain,
    /// ε of the layers of binary units.
    pub rate: f32,
    /// ε of a layer with Gaussian or rectified units, visible or hidden.
    pub gaussian_rate: f32,
    /// The rate at which the deviations σ of Gaussian visible units are learned, down to 0.01; without it they are 1. Errors are those of
    /// v / σ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation_rate: Option<f32>,
    /// λ, the weight cost.
    pub weight_cost: f32,
    /// The cost of a weight's absolute value, which makes many weights 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub absolute_cost: f32,
    /// The length that the weights of a hidden unit have at most (Hinton 2012).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f32>,
    /// The mean outputs that binary hidden units shall have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<SparsityTarget>,
    /// Whether activities enter less their offsets: those of visible units are the means of the data, those of binary hidden units
    /// ½ (Montavon & Müller 2012). The machine that comes out is a plain one.
    #[serde(skip_serializing_if = "is_false")]
    pub centred: bool,
    /// Momentum of the first epochs.
    pub initial_momentum: f32,
    /// Momentum of the later ones.
    pub final_momentum: f32,
    /// The number of first epochs.
    pub initial_epochs: usize,
    /// The lowest visible units.
    pub visible: Units,
    /// The hidden units of all machines but the highest.
    pub hidden: Units,
    /// The hidden units of the highest machine.
    pub code: Units,
    /// When the training of a machine ends before all epochs are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// When the learning rate of a machine falls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduce_on_plateau: Option<ReduceOnPlateau>,
    /// The precision of the products; see [`Device::fastest`](strait_compute::Device::fastest).
    pub precision: Precision,
    /// Shards into which each batch is cut. Their gradients are added in a fixed order, so that 1, 2, 4 and 8 ranks with 8 shards give bit-identical results; see
    /// [`Device::cut`](strait_compute::Device::cut). By default each rank has one, and results depend on the number of ranks by rounding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<usize>,
    /// Seed of the weights, the order of the rows and the sampling.
    pub seed: u64,
}

impl Default for Pretrain {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch: 100,
            cd_steps: 1,
            chain: Chain::Data,
            rate: 0.1,
            gaussian_rate: 0.001,
            deviation_rate: None,
            weight_cost: 0.0002,
            absolute_cost: 0.0,
            max_norm: None,
            sparsity: None,
            centred: false,
            initial_momentum: 0.5,
            final_momentum: 0.9,
            initial_epochs: 5,
            visible: Units::Bernoulli,
            hidden: Units::Bernoulli,
            code: Units::Gaussian,
            early_stopping: None,
            reduce_on_plateau: None,
            precision: Precision::F32,
            shards: None,
            seed: 2006,
        }
    }
}

fn is_zero(x: &f32) -> bool {
    *x == 0.0
}

fn is_false(x: &bool) -> bool {
    !x
}

/// One epoch of one layer.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct PretrainEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The squared error of the reconstructions, after k steps for CD-k and after one for persistent chains, summed over a row
    /// and averaged over the rows.
    pub error: f64,
    /// The mean free energy of rows held out less that of as many rows trained on, in nats, after the epoch: what grows when a
    /// machine overfits. For binary hidden units, where there are rows held out.
    pub free_energy_gap: Option<f64>,
    /// Seconds, with what watching takes.
    pub seconds: f64,
    /// What the learning rate was multiplied by beside its schedule: less than 1 after a plateau, or after training diverged and went
    /// back with half the rate.
    #[serde(default = "crate::plan::whole", skip_serializing_if = "crate::plan::is_whole")]
    pub rate_factor: f32,
    /// What it cost the host.
    #[serde(flatten)]
    pub cost: HostCost,
}

/// The result of pretraining.
#[derive(Clone, PartialEq, Debug)]
pub struct Pretrained {
    /// The machines.
    pub stack: Stack,
    /// For each layer its completed epochs.
    pub layers: Vec<Vec<PretrainEpoch>>,
    /// Whether the observer ended the run early. The last machine of the stack then is what it was at that moment, and
    /// those above it are missing.
    pub stopped: bool,
}

impl Pretrain {
    /// Whether rows are what the lowest machine takes.
    pub(crate) fn check_rows(&self, width: usize, rows: &Rows<'_>) -> Result<()> {
        if width != rows.width {
            return Err(strait_models::Error::Width { expected: width, found: rows.width }.into());
        }
        self.visible.check(rows.width)?;
        admissible(self.visible, rows)
    }

    /// Whether all rates follow that of the steps.
    pub(crate) fn rates_follow(&self) -> bool {
        self.absolute_cost == 0.0
            && self.deviation_rate.is_none()
            && !matches!(self.chain, Chain::FastPersistent { .. })
    }

    /// Whether rows held out decide when a machine's training ends, or when its learning rate falls.
    pub fn judges(&self) -> bool {
        self.watching().judges()
    }

    pub(crate) fn watching(&self) -> Watching {
        let Self { early_stopping, reduce_on_plateau: plateau, .. } = *self;
        Watching { early_stopping, plateau }
    }

    /// Whether the settings make sense, which [`Pretrain::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        self.watching().check()?;
        if self.reduce_on_plateau.is_some() && !self.rates_follow() {
            let (setting, value) = ("reduce-on-plateau", "set".to_owned());
            let expected =
                "absolute-cost, deviation-rate and fast weights have rates of their own, which would not fall";
            return Err(Error::Setting { setting, value, expected });
        }
        positive("epochs", self.epochs)?;
        positive("batch", self.batch)?;
        gibbs_steps(self.cd_steps)?;
        positive_rate("rate", self.rate)?;
        positive_rate("gaussian-rate", self.gaussian_rate)?;
        decay("initial-momentum", self.initial_momentum)?;
        decay("final-momentum", self.final_momentum)?;
        self.max_norm.map_or(Ok(()), |norm| positive_rate("max-norm", norm))?;
        self.deviation_rate
            .map_or(Ok(()), |rate| below("deviation-rate", rate, 1.0, "it must be from 0 to less than 1"))?;
        let deviates = self.deviation_rate.is_some();
        if deviates && (self.visible != Units::Gaussian || self.centred) {
            let (setting, value) = ("deviation-rate", "set".to_owned());
            let expected = "deviations are learned of Gaussian visible units, and in machines that are not centred";
            return Err(Error::Setting { setting, value, expected });
        }
        below("absolute-cost", self.absolute_cost, f32::INFINITY, "it must be a number of at least 0")?;
        self.chain.recorder().check(self.cd_steps, self.centred)?;
        if let Some(SparsityTarget { weight, target }) = self.sparsity {
            penalty_weight(weight)?;
            if !(0.0 < target && target < 1.0) {
                let (setting, value) = ("the target of the sparsity", target.to_string());
                return Err(Error::Setting { setting, value, expected: "it must lie between 0 and 1" });
            }
        }
        weight_cost(self.weight_cost)
    }

    /// The net that a stack of these sizes unrolls into, before it is trained: a way to see, before the first epoch, whether
    /// fine-tuning will take it.
    ///
    /// ```
    /// use strait_train::{FineTune, Pretrain};
    /// let (pretrain, finetune) = (Pretrain::default(), FineTune::default());
    /// finetune.check_for(&pretrain.untrained(&[4, 3, 2])?)?;
    /// let gaussian = Pretrain { visible: strait_models::Units::Gaussian, ..Pretrain::default() };
    /// assert!(finetune.check_for(&gaussian.untrained(&[4, 3, 2])?).is_err(), "linear outputs have no cross-entropy");
    /// # Ok::<(), strait_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the sizes cannot be those of such machines.
    pub fn untrained(&self, sizes: &[usize]) -> Result<Autoencoder> {
        let machines = sizes.len().saturating_sub(1);
        let layer = |layer: usize| (sizes[layer], self.units(layer, machines));
        let mut stream = Stream::new(self.seed, streams::MACHINES);
        let rbms = (0..machines).map(|number| Rbm::new(layer(number), layer(number + 1), &mut stream));
        Ok(Stack { rbms: rbms.collect::<strait_models::Result<_>>()? }.unroll())
    }

    /// The units of a layer, counted from the data, above which so many machines stand.
    pub(crate) fn units(&self, layer: usize, machines: usize) -> Units {
        match layer {
            0 => self.visible,
            _ if layer == machines => self.code,
            _ => self.hidden,
        }
    }

    /// Whether layers of these sizes can be of their kinds, before any is trained.
    pub(crate) fn check_layers(&self, sizes: &[usize]) -> Result<()> {
        for (layer, &size) in sizes.iter().enumerate() {
            let units = self.units(layer, sizes.len() - 1);
            units.check(size)?;
            self.chain.recorder().check_units(units)?;
        }
        Ok(())
    }

    /// ε for a machine.
    pub(crate) fn rate_of(&self, rbm: &Rbm) -> f32 {
        let real = |units: Units| matches!(units, Units::Gaussian | Units::Rectified);
        if real(rbm.visible) || real(rbm.hidden) { self.gaussian_rate } else { self.rate }
    }
}

/// Whether the rows are what such visible units can be.
fn admissible(units: Units, rows: &Rows<'_>) -> Result<()> {
    let refused = |expected: &'static str| {
        Err(Error::Setting { setting: "the data", value: "of a wrong kind".to_owned(), expected })
    };
    let widened;
    let numbers = match (rows.values, units) {
        (Values::Numbers(numbers), _) => numbers,
        (Values::Halves(_), _) => {
            widened = rows.to_numbers();
            &widened[..]
        }
        (Values::Bytes(bytes), Units::Softmax(groups)) => {
            let counted = |group: &[u8]| group.iter().map(|&byte| u32::from(byte)).sum::<u32>().is_multiple_of(255);
            let whole = |row: &[u8]| row[groups.first..].chunks_exact(groups.classes).all(counted);
            return match bytes.chunks_exact(rows.width).all(whole) {
                true => Ok(()),
                false => refused("a byte of 255 counts once in a group; give counts as numbers"),
            };
        }
        _ => return Ok(()),
    };
    match units {
        Units::Bernoulli => probabilities(rows),
        Units::Gaussian => Ok(()),
        Units::Rectified if numbers.iter().any(|x| *x < 0.0) => refused("rectified units have no values below 0"),
        Units::Rectified => Ok(()),
        Units::Softmax(groups) => {
            /// More draws than a document has words.
            const MOST: f32 = 1e6;
            let counted = |group: &[f32]| {
                let sum: f32 = group.iter().sum();
                group.iter().all(|x| *x >= 0.0) && sum <= MOST && (sum - sum.round()).abs() < 1e-3
            };
            let wrong = |row: &[f32]| {
                let (binary, grouped) = row.split_at(groups.first);
                binary.iter().any(|x| !Rows::is_probability(*x)) || !grouped.chunks_exact(groups.classes).all(counted)
            };
            if numbers.chunks_exact(rows.width).any(wrong) {
                return refused(
                    "binary units take values from 0 to 1; the units of a group are counted, 1,000,000 at most in a group",
                );
            }
            Ok(())
        }
    }
}
