//! Training by back-propagation.

use serde::{Deserialize, Serialize};
use strait_compute::{Device, Precision, Program, Routine, Step, go_on};
use strait_data::{Rows, Values};
use strait_models::{Affine, Network, transpose};

use crate::error::{decay, positive, positive_rate, probabilities, weight_cost};
use crate::method::Source;
use crate::minibatch::Minibatch;
use crate::optimizer::{Optimizer, gradient_of};
use crate::progress::HostCost;
use crate::tuning::{self, FineTuning};
use crate::{Error, Goal, Member, Objective, Profile, Result, Run, Schedule};

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
    /// How many layers, from the input on, stay as they are.
    #[serde(skip_serializing_if = "is_zero")]
    pub frozen: usize,
    /// Random shifts of the training images, drawn anew for each row of each epoch: more data than there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<ImageShift>,
    /// The precision of the products; see [`Device::fastest`]. Conjugate gradients and L-BFGS, which compare losses, and
    /// test errors are computed in f32 whatever it is.
    pub precision: Precision,
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
            frozen: 0,
            shift: None,
            precision: Precision::F32,
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
    /// Seconds of training alone.
    pub seconds: f64,
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
    pub fn run<'a>(&self, device: &Device, net: &'a mut dyn Member, rows: Rows<'a>) -> Result<Run<'a, FineTuning<'a>>> {
        self.check()?;
        self.check_model(net, &rows, None)?;
        Ok(Run::new(device, FineTuning::new(self.clone(), net, rows)))
    }

    /// Compiles what [`FineTune::fit`] needs for a model like this one, with whatever weights, and for data of these sizes; of conjugate
    /// gradients and L-BFGS the gathering of minibatches and the test only. Drivers of GPUs take seconds for that, in which another
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
        Ok(device.prepare(&[tuning::record(self, device, net, train, test)?.0])?)
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
        let (mut part, _) = tuning::load(self, device, net, source, None)?;
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
        }
        Ok((metrics.mean_loss(), gradient))
    }

    /// Whether the settings make sense, and the model can be trained by them.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check_for(&self, net: &dyn Member) -> Result<()> {
        self.check()?;
        Ok(net.check(&self.goal())?)
    }

    /// Declares the parameters of a model.
    pub(crate) fn declare(&self, program: &mut Program, net: &dyn Member) -> Network {
        match net.is_tied() {
            true => Network::declare_tied(program, "layers", net.layers()),
            false => Network::declare(program, "layers", net.layers()),
        }
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
        positive("epochs", self.epochs)?;
        positive("batch", self.batch)?;
        weight_cost(self.weight_cost)?;
        match self.optimizer {
            Optimizer::Adam { rate, beta1, beta2 } => {
                positive_rate("the learning rate", rate)?;
                decay("beta1", beta1)?;
                decay("beta2", beta2)?;
            }
            Optimizer::Momentum { rate, momentum } => {
                positive_rate("the learning rate", rate)?;
                decay("momentum", momentum)?;
            }
            Optimizer::ConjugateGradients { searches } => positive("searches", searches)?,
            Optimizer::Lbfgs { iterations, memory } => {
                positive("iterations", iterations)?;
                positive("memory", memory)?;
            }
        }
        if self.optimizer.vectors() > 0 {
            if self.weight_cost != 0.0 {
                let (setting, value) = ("weight-cost", self.weight_cost.to_string());
                let expected = "conjugate gradients and L-BFGS minimise the loss alone, so it must be 0";
                return Err(Error::Setting { setting, value, expected });
            }
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
    fn check_kind(&self, net: &dyn Member, train: &Rows<'_>, test: Option<&Rows<'_>>) -> Result<()> {
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
        let expected = net.layers()[0].inputs + net.targets();
        if let Some(found) = [Some(train), test].into_iter().flatten().map(|rows| rows.width).find(|&w| w != expected) {
            return Err(strait_models::Error::Width { expected, found }.into());
        }
        // Where rows are their own targets, these are probabilities.
        if self.objective == Objective::CrossEntropy && net.targets() == 0 {
            [Some(train), test].into_iter().flatten().try_for_each(probabilities)?;
        }
        let negative =
            |rows: &Rows<'_>| matches!(rows.values, Values::Numbers(numbers) if numbers.iter().any(|x| *x < 0.0));
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
