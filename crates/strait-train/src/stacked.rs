//! Stacks of autoencoders, trained greedily.

use serde::{Deserialize, Serialize};
use strait_compute::{Activation, Device, Noise};
use strait_data::Rows;
use strait_models::{Affine, Autoencoder, check_sizes, forward};

use crate::{Error, Event, FineTune, FineTuneEpoch, Observer, Result};

/// The recipe of a stack of autoencoders (Bengio et al. 2007), denoising ones if there is noise (Vincent et al. 2010): each
/// has one layer of logistic units, and learns to reconstruct the codes of those below it, which are without noise.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stacked {
    /// The units of the layers, from the data upwards.
    pub hidden: Vec<usize>,
    /// The training of each.
    pub training: FineTune,
}

impl Default for Stacked {
    fn default() -> Self {
        let corruption = Some(Noise::Masking(0.25));
        Self { hidden: vec![1000; 3], training: FineTune { epochs: 15, corruption, ..FineTune::default() } }
    }
}

/// A stack that was trained.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StackedLayers {
    /// The encoders, from the data upwards: layers of a deep net.
    pub layers: Vec<Affine>,
    /// For each the epochs that were completed.
    pub epochs: Vec<Vec<FineTuneEpoch>>,
    /// Whether the observer ended the run early. The layers then are those trained until then.
    pub stopped: bool,
}

impl Stacked {
    /// Trains the layers one after the other.
    ///
    /// ```
    /// use strait_models::Classifier;
    /// use strait_train::{FineTune, Stacked, silent};
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let training = FineTune { epochs: 3, ..Stacked::default().training };
    /// let stack = Stacked { hidden: vec![3, 2], training }.fit(&device, rows, &mut silent)?;
    /// let net = Classifier::on(&stack.layers, 10, 1)?;
    /// assert_eq!(net.layers.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn fit(&self, device: &Device, rows: Rows<'_>, observer: &mut Observer<'_>) -> Result<StackedLayers> {
        self.check(rows.width)?;
        let mut result = StackedLayers::default();
        let mut codes: Vec<f32> = Vec::new();
        let mut width = rows.width;
        for (number, &units) in self.hidden.iter().enumerate() {
            let rows = match number {
                0 => rows,
                _ => Rows::numbers(&codes, width).map_err(strait_models::Error::from)?,
            };
            let seed = self.training.seed.wrapping_add(number as u64);
            let mut net = Autoencoder::glorot(&[width, units], seed)?;
            net.layers[0].activation = Activation::Logistic;
            if self.training.tied {
                net.tie()?;
            }
            let training = FineTune { seed, ..self.training.clone() };
            let mut named = |event: &Event| observer(&event.clone().of_stage(&format!("autoencoder {width}-{units}")));
            let (tuned, ended) = training.fit_part(device, &mut net, rows, None, &mut named)?;
            let last = number + 1 == self.hidden.len();
            let stopped = tuned.stopped || ended && !last;
            if !last && !stopped {
                codes = forward(device, &net.layers[..1], None, &rows)?;
            }
            width = units;
            result.layers.push(net.layers.swap_remove(0));
            result.epochs.push(tuned.epochs);
            if stopped {
                result.stopped = true;
                break;
            }
        }
        Ok(result)
    }

    /// Whether the settings make sense for rows of that many values, which [`Stacked::fit`] also asks.
    ///
    /// # Errors
    /// With the one that does not.
    pub fn check(&self, width: usize) -> Result<()> {
        check_sizes(&[&[width], &self.hidden[..]].concat())?;
        let (setting, value) = ("the training of a stack", "of one layer only".to_owned());
        let refused = |expected: &'static str| Err(Error::Setting { setting, value: value.clone(), expected });
        if self.training.frozen > 0 {
            return refused("no layer is frozen, since each has but one that encodes");
        }
        if self.hidden.len() > 1 && self.training.shift.is_some() {
            return refused("codes cannot be shifted as images are; use one layer or no shift");
        }
        if self.hidden.len() > 1 && matches!(self.training.corruption, Some(Noise::Missing(_))) {
            return refused("parts of images cannot be missing in codes; use one layer or another noise");
        }
        self.training.check()
    }
}
