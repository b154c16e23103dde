//! Runs of fine-tuning, and what else a recipe does with a model.

use strait_compute::{Device, Program, Routine, Step, go_on};
use strait_data::Rows;
use strait_models::{Affine, Model, Network};

use crate::backpropagation::{HeldOut, load, record};
use crate::checkpoint::{Difference, Hashed, Modeller, of_layers, of_rows};
use crate::method::{Part, Source};
use crate::minibatch::Minibatch;
use crate::monitor::Watching;
use crate::optimizer::gradient_of;
use crate::plan::{Epoch, Plan};
use crate::snapshot::Cursor;
use crate::{FineTune, FineTuneEpoch, FineTuned, Member, Profile, Result, Run, Schedule};

impl FineTune {
    /// Trains all layers of a model on the rows.
    ///
    /// ```
    /// use strait_models::Autoencoder;
    /// use strait_train::{FineTune, Optimizer};
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let mut net = Autoencoder::glorot(&[4, 8, 1], 1)?;
    /// let before = net.error(&device, rows)?;
    /// let recipe = FineTune { epochs: 30, batch: 10, optimizer: Optimizer::adam(0.02), ..FineTune::default() };
    /// recipe.fit(&device, &mut net, rows)?;
    /// assert!(net.error(&device, rows)? < 0.5 * before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a setting makes no sense, the data do not fit, the device fails, or the loss is not finite. The net is then
    /// as it was before.
    pub fn fit(&self, device: &Device, net: &mut dyn Member, rows: Rows<'_>) -> Result<FineTuned> {
        self.run(device, net, rows)?.train()
    }

    /// A run that trains all layers of a model on the rows, from what they are now: a model that was loaded is trained on. The model is
    /// changed when the run ends.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use strait_models::Autoencoder;
    /// use strait_train::{Event, FineTune};
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let mut net = Autoencoder::glorot(&[4, 8, 1], 1)?;
    /// let show = |event: &Event| {
    ///     println!("{event:?}");
    ///     ControlFlow::Continue(())
    /// };
    /// let tuned = FineTune { epochs: 2, ..FineTune::default() }.run(&device, &mut net, rows)?.test(rows)?.observe(show).train()?;
    /// assert!(tuned.epochs[1].test_error.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn run<'a>(
        &self,
        device: &Device,
        net: &'a mut dyn Member,
        rows: Rows<'a>,
    ) -> Result<Run<'a, FineTunePlan<'a>>> {
        self.check()?;
        self.check_model(net, &rows, None)?;
        Ok(Run::new(device, FineTunePlan::new(self.clone(), net, rows)))
    }

    /// Compiles what [`FineTune::fit`] needs for a model like this one, with whatever weights, and for data of these sizes; of conjugate
    /// gradients and L-BFGS all but their vector operations. Drivers of GPUs take seconds for that, in which another
    /// thread may do something else with the device.
    ///
    /// ```
    /// use strait_models::Autoencoder;
    /// use strait_train::{FineTune, Pretrain};
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::bytes(&[0, 255, 255, 0, 255, 0, 0, 255], 4)?;
    /// let recipe = FineTune::default();
    /// let net = Autoencoder::glorot(&[4, 2, 1], 1)?;
    /// let (prepared, pretrained) = std::thread::scope(|scope| {
    ///     let preparing = scope.spawn(|| recipe.prepare(&device, &net, rows, None));
    ///     let recipe = Pretrain { epochs: 1, ..Pretrain::default() };
    ///     let pretrained = recipe.fit(&device, &[4, 2, 1], rows);
    ///     (preparing.join().expect("no panic"), pretrained)
    /// });
    /// prepared?;
    /// recipe.fit(&device, &mut pretrained?.stack.unroll(), rows)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn prepare(&self, device: &Device, net: &dyn Member, train: Rows<'_>, test: Option<Rows<'_>>) -> Result<()> {
        self.check()?;
        self.check_kind(net, &train, test.as_ref())?;
        let held_out = HeldOut { test: test.map(Source::Host), validation: None };
        Ok(device.prepare(&[record(self, device, net, (train, None), held_out)?.0])?)
    }

    /// Measures the operations of a training step on these rows, of which it takes one minibatch; the net stays as it
    /// is. Nothing if the device cannot measure, or if the optimiser has no step of its own (conjugate gradients, L-BFGS).
    ///
    /// ```
    /// use strait_models::Autoencoder;
    /// use strait_train::FineTune;
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::bytes(&[0, 255, 255, 0, 255, 0, 0, 255], 4)?;
    /// let profile = FineTune::default().profile(&device, &Autoencoder::glorot(&[4, 1], 1)?, rows)?;
    /// println!("{}", profile.expect("the CPU measures"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn profile(&self, device: &Device, net: &dyn Member, rows: Rows<'_>) -> Result<Option<Profile>> {
        self.check()?;
        self.check_model(net, &rows, None)?;
        if self.optimizer.vectors() > 0 {
            return Ok(None);
        }
        let source = Source::Host(rows.first(self.batch));
        let (mut part, _) = load(net.stage(), self, device, net, source, HeldOut::default())?;
        let routine = part.method.routines()[0];
        let step = Step { rows: part.method.batch() as u32, ..Step::seeded(self.seed) };
        if let Some(rows) = part.source.on_host() {
            part.feed.upload(&mut *part.execution, &rows)?;
        }
        Profile::measure(&mut *part.execution, routine, &step)
    }

    /// The mean loss over these rows, and its gradient: for each layer one whose parameters are the derivatives. Weights that
    /// are tied to those of another layer, and layers that are frozen, have none: zeros stand for it.
    ///
    /// ```
    /// use strait_models::Autoencoder;
    /// use strait_train::FineTune;
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::bytes(&[0, 255, 255, 0, 255, 0, 0, 255], 4)?;
    /// let net = Autoencoder::glorot(&[4, 2], 1)?;
    /// let (loss, gradient) = FineTune::default().gradient(&device, &net, rows)?;
    /// let mut lower = net.clone();
    /// for (layer, slope) in lower.layers.iter_mut().zip(&gradient) {
    ///     layer.weight.iter_mut().zip(&slope.weight).for_each(|(w, g)| *w -= 0.01 * g);
    /// }
    /// assert!(FineTune::default().gradient(&device, &lower, rows)?.0 < loss);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn gradient(&self, device: &Device, net: &dyn Member, rows: Rows<'_>) -> Result<(f64, Vec<Affine>)> {
        self.check()?;
        self.check_model(net, &rows, None)?;
        let mut program = Program::default();
        let minibatch = Minibatch::declare(&mut program, "", rows.count, net);
        minibatch.brought(&mut program);
        let network = self.declare(&mut program, net);
        let mut routine = Routine::new("loss and gradient").in_precision(self.precision);
        let slopes = minibatch.learn((&mut program, &mut routine), (net, &network), self, gradient_of)?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        minibatch.write(&mut *execution, &rows)?;
        network.write(&mut *execution, net.layers())?;
        let metrics = execution.run(routine, &[self.step(0, (0, rows.count as u32))], &mut go_on)?;
        let mut gradient = net.layers().to_vec();
        for (layer, tensors) in gradient.iter_mut().zip(&network.layers) {
            let own = (!tensors.is_tied()).then_some(tensors.weight);
            for (values, parameter) in [(&mut layer.weight, own), (&mut layer.bias, Some(tensors.bias))] {
                match parameter.and_then(|parameter| slopes.of(parameter)) {
                    Some(slope) => *values = execution.read(slope)?,
                    None => values.fill(0.0),
                }
            }
            if let (Some(values), Some(threshold)) = (&mut layer.threshold, tensors.threshold) {
                *values = slopes.of(threshold).map_or(Ok(vec![0.0; values.len()]), |slope| execution.read(slope))?;
            }
        }
        Ok((metrics.mean_loss(), gradient))
    }

    /// Declares the parameters of a model.
    pub(crate) fn declare(&self, program: &mut Program, net: &dyn Member) -> Network {
        match net.is_tied() {
            true => Network::declare_tied(program, "layers", net.layers()),
            false => Network::declare(program, "layers", net.layers()),
        }
    }
}

/// The record of an epoch of fine-tuning.
pub(crate) fn record_of(Epoch { epoch, outcome, seconds, rate_factor, cost }: Epoch) -> FineTuneEpoch {
    let (test_error, test_loss) = outcome.test.unzip();
    let validation_error = outcome.validation;
    FineTuneEpoch {
        epoch,
        train_loss: outcome.error,
        test_error,
        test_loss,
        validation_error,
        seconds,
        rate_factor,
        cost,
    }
}

/// Makes a net on the thread that writes checkpoints.
pub(crate) fn modeller(network: Network, mut net: Model) -> Modeller {
    Box::new(move |read| {
        if let Some(layers) = net.layers_mut() {
            network.read_from(read, layers)?;
        }
        Ok(net.clone())
    })
}

/// The first number of these layers that is not finite.
pub(crate) fn not_finite(layers: &[Affine]) -> Option<f64> {
    let mut parameters =
        layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias).chain(layer.threshold.iter().flatten()));
    parameters.find(|x| !x.is_finite()).map(|x| f64::from(*x))
}

/// The plan of [`FineTune`]: one part.
pub struct FineTunePlan<'a> {
    recipe: FineTune,
    net: &'a mut dyn Member,
    rows: Rows<'a>,
    held_out: HeldOut<'a>,
    network: Option<Network>,
    /// What was learned so far.
    layers: Vec<Affine>,
}

impl<'a> FineTunePlan<'a> {
    pub(crate) fn new(recipe: FineTune, net: &'a mut dyn Member, rows: Rows<'a>) -> Self {
        let layers = net.layers().to_vec();
        Self { recipe, net, rows, held_out: HeldOut::default(), network: None, layers }
    }
}

impl<'a> Run<'a, FineTunePlan<'a>> {
    /// Measures error and loss on rows held out, after each epoch.
    ///
    /// # Errors
    /// If they do not fit the model.
    pub fn test(mut self, rows: Rows<'a>) -> Result<Self> {
        let plan = self.plan_mut();
        plan.recipe.check_model(plan.net, &plan.rows, Some(&rows))?;
        plan.held_out.test = Some(Source::Host(rows));
        Ok(self)
    }

    /// Judges the run on rows that are held out of training and of testing, after each epoch; see
    /// [`EarlyStopping`](crate::EarlyStopping). Without them the test set is judged on.
    ///
    /// # Errors
    /// If they do not fit the model.
    pub fn validation(mut self, rows: Rows<'a>) -> Result<Self> {
        let plan = self.plan_mut();
        plan.recipe.check_model(plan.net, &plan.rows, Some(&rows))?;
        plan.held_out.validation = Some(Source::Host(rows));
        Ok(self)
    }

    /// The layers as they are now.
    ///
    /// # Errors
    /// The device's own.
    pub fn layers(&mut self) -> Result<&[Affine]> {
        let (plan, part) = self.loaded()?;
        if let Some(part) = part {
            plan.take(0, part)?;
        }
        Ok(&plan.layers)
    }
}

impl<'a> Plan<'a> for FineTunePlan<'a> {
    type Record = FineTuneEpoch;
    type Output = FineTuned;
    type Progress = ();

    fn epochs_of(&self, _: usize) -> usize {
        self.recipe.epochs
    }

    fn start(&mut self, device: &Device, _: usize) -> Result<Part<'a>> {
        let source = Source::Host(self.rows);
        let (part, network) = load(self.net.stage(), &self.recipe, device, self.net, source, self.held_out.clone())?;
        self.network = Some(network);
        Ok(part)
    }

    fn record(&self, _: usize, epoch: Epoch) -> FineTuneEpoch {
        record_of(epoch)
    }

    fn take(&mut self, _: usize, trained: &mut Part<'a>) -> Result<()> {
        match &self.network {
            Some(network) => Ok(network.read(&mut *trained.execution, &mut self.layers)?),
            None => Ok(()),
        }
    }

    fn wrong(&self, _: usize) -> Option<f64> {
        not_finite(&self.layers)
    }

    fn watching(&self) -> Watching {
        self.recipe.watching()
    }

    fn has_held_out(&self) -> bool {
        self.held_out.test.is_some() || self.held_out.validation.is_some()
    }

    fn identity(&self, hashed: Hashed) -> serde_json::Value {
        let architecture = self.net.to_model().and_then(|model| model.architecture().ok());
        let architecture = architecture.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let held_out = |rows: &Option<Source<'_>>| rows.as_ref()?.on_host().map(|rows| of_rows(&rows, hashed));
        serde_json::json!({
            "recipe": self.recipe,
            "model": architecture,
            "start": of_layers(self.net.layers()),
            "training-set": of_rows(&self.rows, hashed),
            "test-set": held_out(&self.held_out.test),
            "validation-set": held_out(&self.held_out.validation),
        })
    }

    fn difference(&self, field: &str, before: &serde_json::Value, Cursor { epoch, .. }: Cursor) -> Difference {
        let recipe = &self.recipe;
        if field != "recipe.epochs" {
            return Difference::Change(None);
        }
        let Schedule::Cosine { .. } = recipe.schedule else {
            return Difference::Allowed;
        };
        let rate = |epochs: usize| recipe.optimizer.rate().unwrap_or(1.0) * recipe.schedule.factor(epoch, 1, epochs);
        let before = before["recipe"]["epochs"].as_u64().unwrap_or(0) as usize;
        let (before, now) = (rate(before), rate(recipe.epochs));
        Difference::Change(Some(format!(
            "the schedule depends on it: the learning rate after epoch {epoch} was {before:.3e}, would be {now:.3e}"
        )))
    }

    fn modeller(&self, _: usize, _: &mut Part<'a>) -> Result<Option<Modeller>> {
        Ok(self.network.clone().zip(self.net.to_model()).map(|(network, net)| modeller(network, net)))
    }

    fn output(self, mut records: Vec<Vec<FineTuneEpoch>>, stopped: bool) -> Result<FineTuned> {
        self.net.layers_mut().clone_from_slice(&self.layers);
        Ok(FineTuned { epochs: records.pop().unwrap_or_default(), stopped })
    }
}
