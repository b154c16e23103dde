//! Stacks of autoencoders, trained greedily.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strait_compute::{Activation, Device, Noise};
use strait_data::{Kept, Rows};
use strait_models::{Affine, Autoencoder, Network, check_sizes, forward};

use crate::backpropagation::{self, HeldOut};
use crate::checkpoint::{Hashed, Modeller, of_layers, of_rows};
use crate::finetune_plan::{modeller, not_finite, record_of};
use crate::method::{Part, Source};
use crate::monitor::Watching;
use crate::plan::{Epoch, Plan, numbered};
use crate::{Error, FineTune, FineTuneEpoch, MemberRecipe, Result, Run};

/// The recipe of a stack of autoencoders (Bengio et al. 2007), denoising ones if there is noise (Vincent et al. 2010): each
/// has one layer of logistic units, and learns to reconstruct the codes of those below it, which are without noise.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stacked {
    /// The units of the layers, from the data upwards.
    pub hidden: Vec<usize>,
    /// The training of each, with the noise, the penalty, and whether weights are tied.
    pub training: MemberRecipe,
}

impl Default for Stacked {
    fn default() -> Self {
        let corruption = Some(Noise::Masking(0.25));
        let training = MemberRecipe { corruption, ..FineTune { epochs: 15, ..FineTune::default() }.into() };
        Self { hidden: vec![1000; 3], training }
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
    /// use strait_train::Stacked;
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let mut recipe = Stacked { hidden: vec![3, 2], ..Stacked::default() };
    /// recipe.training.tuning.epochs = 3;
    /// let stack = recipe.fit(&device, rows)?;
    /// let net = Classifier::on(&stack.layers, 10, 1)?;
    /// assert_eq!(net.layers.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn fit(&self, device: &Device, rows: Rows<'_>) -> Result<StackedLayers> {
        self.run(device, rows)?.train()
    }

    /// A run that trains the layers one after the other.
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn run<'a>(&self, device: &Device, rows: Rows<'a>) -> Result<Run<'a, StackedPlan<'a>>> {
        self.check(rows.width)?;
        let mut nets = Vec::new();
        let mut width = rows.width;
        for (number, &units) in self.hidden.iter().enumerate() {
            let mut net = Autoencoder::glorot(&[width, units], self.training.tuning.seed.wrapping_add(number as u64))?;
            net.layers[0].activation = Activation::Logistic;
            if self.training.tied {
                net.tie()?;
            }
            self.training.set(&mut net);
            nets.push(net);
            width = units;
        }
        let (recipe, source) = (self.clone(), Source::Host(rows));
        let (validation, held_out) = (None, None);
        let starts = nets.clone();
        Ok(Run::new(
            device,
            StackedPlan { recipe, starts, nets, rows, validation, source, held_out, at: 0, network: None },
        ))
    }

    /// Whether the settings make sense for rows of that many values, which [`Stacked::fit`] also asks.
    ///
    /// # Errors
    /// With the one that does not.
    pub fn check(&self, width: usize) -> Result<()> {
        check_sizes(&[&[width], &self.hidden[..]].concat())?;
        let (setting, value) = ("the training of a stack", "of one layer only".to_owned());
        let refused = |expected: &'static str| Err(Error::Setting { setting, value: value.clone(), expected });
        if self.training.tuning.frozen > 0 {
            return refused("no layer is frozen, since each has but one that encodes");
        }
        if self.hidden.len() > 1 && self.training.tuning.shift.is_some() {
            return refused("codes cannot be shifted as images are; use one layer or no shift");
        }
        if self.hidden.len() > 1 && matches!(self.training.corruption, Some(Noise::Missing(_))) {
            return refused("parts of images cannot be missing in codes; use one layer or another noise");
        }
        self.training.tuning.check()
    }
}

/// The plan of [`Stacked`]: a part for each layer.
pub struct StackedPlan<'a> {
    recipe: Stacked,
    /// Those that are finished, the one that is trained, and those that wait.
    nets: Vec<Autoencoder>,
    /// What all of them start from.
    starts: Vec<Autoencoder>,
    rows: Rows<'a>,
    /// Rows that all of them are judged on, where early stopping or a plateau is asked for.
    validation: Option<Rows<'a>>,
    /// What the autoencoder of number `at` is trained on.
    source: Source<'a>,
    /// What it is judged on.
    held_out: Option<Source<'a>>,
    at: usize,
    network: Option<Network>,
}

impl<'a> StackedPlan<'a> {
    fn training(&self, number: usize) -> FineTune {
        let training = &self.recipe.training.tuning;
        FineTune { seed: training.seed.wrapping_add(number as u64), ..training.clone() }
    }

    /// Goes from the finished autoencoder `at` to the codes that the next one learns from.
    fn climb(&mut self, device: &Device) -> Result<()> {
        let layer = &self.nets[self.at].layers[..1];
        let codes = |source: &Source<'_>| -> Result<Source<'a>> {
            let Some(rows) = source.on_host() else { unreachable!("codes are on the host") };
            let codes = forward(device, layer, None, &rows)?;
            Ok(Source::Made(Arc::new(Kept::memory(codes, layer[0].outputs))))
        };
        (self.source, self.held_out) = (codes(&self.source)?, self.held_out.as_ref().map(codes).transpose()?);
        self.at += 1;
        Ok(())
    }

    /// Goes back to the rows themselves.
    fn descend(&mut self) {
        (self.source, self.held_out) = (Source::Host(self.rows), self.validation.map(Source::Host));
        self.at = 0;
    }
}

impl<'a> Run<'a, StackedPlan<'a>> {
    /// Judges each autoencoder on what these rows, which are held out of training, are to it; see [`EarlyStopping`](crate::EarlyStopping).
    ///
    /// # Errors
    /// If they do not fit the rows trained on.
    pub fn validation(mut self, rows: Rows<'a>) -> Result<Self> {
        let plan = self.plan_mut();
        plan.recipe.training.tuning.check_model(&plan.nets[0], &plan.rows, Some(&rows))?;
        plan.validation = Some(rows);
        plan.descend();
        Ok(self)
    }
}

impl<'a> Plan<'a> for StackedPlan<'a> {
    type Record = FineTuneEpoch;
    type Output = StackedLayers;
    type Progress = ();

    fn parts(&self) -> usize {
        self.nets.len()
    }

    fn epochs_of(&self, _: usize) -> usize {
        self.recipe.training.tuning.epochs
    }

    fn start(&mut self, device: &Device, part: usize) -> Result<Part<'a>> {
        let (recipe, net) = (self.training(part), &self.nets[part]);
        if let Some(rows) = self.source.on_host() {
            recipe.check_model(net, &rows, None)?;
        }
        let sizes = |net: &Autoencoder| (net.layers[0].inputs, net.layers[0].outputs);
        let alike = self.nets[..part].iter().filter(|other| sizes(other) == sizes(net)).count();
        let stage = numbered(format!("autoencoder {}-{}", net.layers[0].inputs, net.layers[0].outputs), alike);
        let held_out = HeldOut { test: None, validation: self.held_out.clone() };
        let (loaded, network) = backpropagation::load(&stage, &recipe, device, net, self.source.clone(), held_out)?;
        self.network = Some(network);
        Ok(loaded)
    }

    fn record(&self, _: usize, epoch: Epoch) -> FineTuneEpoch {
        record_of(epoch)
    }

    fn take(&mut self, part: usize, trained: &mut Part<'a>) -> Result<()> {
        match &self.network {
            Some(network) => Ok(network.read(&mut *trained.execution, &mut self.nets[part].layers)?),
            None => Ok(()),
        }
    }

    fn end(&mut self, device: &Device, _: usize, goes_on: bool, trained: Part<'a>) -> Result<()> {
        drop(trained);
        if goes_on { self.climb(device) } else { Ok(()) }
    }

    fn wrong(&self, part: usize) -> Option<f64> {
        not_finite(&self.nets[part].layers)
    }

    fn output(self, records: Vec<Vec<FineTuneEpoch>>, stopped: bool) -> Result<StackedLayers> {
        let layers = self.nets.into_iter().take(records.len()).map(|mut net| net.layers.swap_remove(0)).collect();
        Ok(StackedLayers { layers, epochs: records, stopped })
    }

    fn rewind(&mut self, part: usize) -> bool {
        self.nets[part].clone_from(&self.starts[part]);
        true
    }

    fn watching(&self) -> Watching {
        self.recipe.training.tuning.watching()
    }

    fn has_held_out(&self) -> bool {
        self.validation.is_some()
    }

    fn identity(&self, hashed: Hashed) -> serde_json::Value {
        let starts: Vec<Affine> = self.starts.iter().flat_map(|net| net.layers.iter().cloned()).collect();
        serde_json::json!({
            "recipe": self.recipe,
            "start": of_layers(&starts),
            "training-set": of_rows(&self.rows, hashed),
            "validation-set": self.validation.as_ref().map(|rows| of_rows(rows, hashed)),
        })
    }

    fn modeller(&self, part: usize, _: &mut Part<'a>) -> Result<Option<Modeller>> {
        let net = self.nets[part].clone();
        Ok(self.network.clone().map(|network| modeller(network, net.into())))
    }

    fn save(&self) -> (Vec<(String, Vec<f32>)>, ()) {
        let mut tensors = Vec::new();
        for (number, net) in self.nets[..self.at].iter().enumerate() {
            tensors.push((format!("layers.{number}.weight"), net.layers[0].weight.clone()));
            tensors.push((format!("layers.{number}.bias"), net.layers[0].bias.clone()));
        }
        (tensors, ())
    }

    fn restore(
        &mut self,
        device: &Device,
        part: usize,
        tensors: &mut dyn FnMut(&str) -> Result<Vec<f32>>,
        (): (),
    ) -> Result<bool> {
        self.nets[part..].clone_from_slice(&self.starts[part..]);
        let mut same = part == self.at;
        for (number, net) in self.nets[..part].iter_mut().enumerate() {
            let weight = tensors(&format!("layers.{number}.weight"))?;
            let bias = tensors(&format!("layers.{number}.bias"))?;
            let layer = &mut net.layers[0];
            same &= (&layer.weight, &layer.bias) == (&weight, &bias);
            (layer.weight, layer.bias) = (weight, bias);
            layer.check().map_err(|error| Error::Snapshot(error.to_string()))?;
        }
        if !same {
            self.descend();
            while self.at < part {
                self.climb(device)?;
            }
        }
        Ok(same)
    }
}
