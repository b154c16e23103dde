//! Fine-tuning of an autoencoder by back-propagation.

use std::ops::ControlFlow;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use strait_compute::philox::Stream;
use strait_compute::{
    Activation, Device, Execution, Kind, Metrics, Precision, Program, Routine, RoutineId, Shift, Step,
};
use strait_data::Rows;
use strait_models::{Autoencoder, Network, minibatches};

use crate::backward::{Objective, Recorded};
use crate::error::{below, decay, positive, positive_rate, probabilities, weight_cost};
use crate::feed::Feed;
use crate::minimize::{ConjugateGradients, Lbfgs};
use crate::net_problem::{Memory, NetProblem, declare_vectors};
use crate::optimizer::Optimizer;
use crate::progress::{HostCost, Progress};
use crate::test_set::TestSet;
use crate::{Error, Event, Observer, Profile, Result, Schedule};

/// Random shifts of images by whole pixels, from −`pixels` to `pixels` along either axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageShift {
    /// Pixels of a row of the image.
    pub width: usize,
    /// The largest shift.
    pub pixels: u32,
}

/// What the events call fine-tuning.
const STAGE: &str = "fine-tuning";

/// The stream of random numbers of the shifts; pretraining takes the lower ones.
const SHIFT_STREAM: u32 = 1 << 16;

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
            shift: None,
            precision: Precision::F32,
            seed: 2006,
        }
    }
}

/// One epoch of fine-tuning.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct FineTuneEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean over the epoch of the loss that is minimised, summed over the values of a row.
    pub train_loss: f64,
    /// The mean squared error on the test set after the epoch, summed over the values of a row.
    pub test_error: Option<f64>,
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
    /// Trains all layers of the net to reconstruct the rows.
    ///
    /// ```
    /// use strait_models::Autoencoder;
    /// use strait_train::{FineTune, Optimizer, silent};
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let mut net = Autoencoder::glorot(&[4, 8, 1], 1)?;
    /// let before = net.error(&device, rows)?;
    /// let recipe = FineTune { epochs: 30, batch: 10, optimizer: Optimizer::adam(0.02), ..FineTune::default() };
    /// recipe.fit(&device, &mut net, rows, None, &mut silent)?;
    /// assert!(net.error(&device, rows)? < 0.5 * before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a setting makes no sense, the data do not fit, the device fails, or the loss is not finite. The net is then
    /// as it was before.
    pub fn fit(
        &self,
        device: &Device,
        net: &mut Autoencoder,
        train: Rows<'_>,
        test: Option<Rows<'_>>,
        observer: &mut Observer<'_>,
    ) -> Result<FineTuned> {
        self.check()?;
        self.check_net(net, &train, test.as_ref())?;
        let mut tuning = Tuning::load(self, device, net, train, test)?;
        let mut result = FineTuned::default();
        let mut order = Stream::new(self.seed, 200);
        let diverged = |epoch: usize, error: f64| Error::Diverged {
            stage: STAGE.to_owned(),
            epoch,
            rate: f64::from(self.optimizer.rate().unwrap_or(f32::NAN)),
            error,
        };
        for epoch in 1..=self.epochs {
            let start = Instant::now();
            let order = order.permutation(train.count);
            let (loss, cost) = match tuning.epoch(self, epoch, (&train, &order), observer)? {
                Some(result) => result,
                None => {
                    result.stopped = true;
                    break;
                }
            };
            let seconds = start.elapsed().as_secs_f64();
            if !loss.is_finite() {
                return Err(diverged(epoch, loss));
            }
            let test_error = tuning.test_error()?;
            result.epochs.push(FineTuneEpoch { epoch, train_loss: loss, test_error, seconds, cost });
            let (stage, epochs, rows) = (STAGE.to_owned(), self.epochs, train.count);
            let event = Event::Epoch { stage, epoch, epochs, error: loss, test_error, seconds, rows };
            if observer(&event) == ControlFlow::Break(()) {
                result.stopped = epoch < self.epochs;
                break;
            }
        }
        let mut layers = net.layers.clone();
        tuning.network.read(&mut *tuning.execution, &mut layers)?;
        let mut parameters = layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias));
        if let Some(x) = parameters.find(|x| !x.is_finite()) {
            return Err(diverged(result.epochs.len(), f64::from(*x)));
        }
        net.layers = layers;
        Ok(result)
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
    pub fn profile(&self, device: &Device, net: &Autoencoder, rows: Rows<'_>) -> Result<Option<Profile>> {
        self.check()?;
        self.check_net(net, &rows, None)?;
        if self.optimizer.vectors() > 0 {
            return Ok(None);
        }
        let mut tuning = Tuning::load(self, device, net, rows.first(self.batch), None)?;
        let step = Step { rows: tuning.batch as u32, ..Step::seeded(self.seed) };
        Profile::measure(&mut *tuning.execution, tuning.steps[0], &step)
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
        if self.optimizer.vectors() > 0 && self.weight_cost != 0.0 {
            let (setting, value) = ("weight-cost", self.weight_cost.to_string());
            let expected = "conjugate gradients and L-BFGS minimise the loss alone, so it must be 0";
            return Err(Error::Setting { setting, value, expected });
        }
        if let Some(ImageShift { width, pixels }) = self.shift
            && pixels as usize >= width
        {
            let (setting, value) = ("the shift", pixels.to_string());
            return Err(Error::Setting { setting, value, expected: "it must be smaller than the images" });
        }
        match self.schedule {
            Schedule::Constant => Ok(()),
            Schedule::Step { epochs, factor } => {
                positive("the epochs of the schedule", epochs)?;
                positive_rate("the factor of the schedule", factor)
            }
            Schedule::Cosine { warmup } => {
                below("the warm-up", warmup, self.epochs as f32, "it must be shorter than the run")
            }
        }
    }

    /// Whether net and data fit together and are what the objective takes.
    fn check_net(&self, net: &Autoencoder, train: &Rows<'_>, test: Option<&Rows<'_>>) -> Result<()> {
        net.check()?;
        let last = &net.layers[net.layers.len() - 1];
        let (expected, outputs) = (net.layers[0].inputs, last.outputs);
        if let Some(found) = [Some(train), test].into_iter().flatten().map(|rows| rows.width).find(|&w| w != expected) {
            return Err(strait_models::Error::Width { expected, found }.into());
        }
        if outputs != expected {
            let message = format!("the net has {expected} inputs but {outputs} outputs, so it cannot reconstruct");
            return Err(strait_models::Error::Shape(message).into());
        }
        if self.objective == Objective::CrossEntropy {
            if last.activation != Activation::Logistic {
                let (setting, value) = ("the activation of the last layer", last.activation.name().to_owned());
                let expected = "the cross-entropy takes logistic outputs; use the squared error";
                return Err(Error::Setting { setting, value, expected });
            }
            [Some(train), test].into_iter().flatten().try_for_each(probabilities)?;
        }
        Ok(())
    }
}

/// A net on a device, with what trains it.
struct Tuning<'a> {
    execution: Box<dyn Execution>,
    network: Network,
    feed: Feed,
    batch: usize,
    rows: usize,
    /// For each place of the feed, one step of Adam or momentum, or the gathering of a minibatch for a minimiser.
    steps: Vec<RoutineId>,
    minimiser: Option<Memory>,
    test: Option<TestSet<'a>>,
}

impl<'a> Tuning<'a> {
    fn load(
        recipe: &FineTune,
        device: &Device,
        net: &Autoencoder,
        train: Rows<'_>,
        test: Option<Rows<'a>>,
    ) -> Result<Self> {
        let batch = recipe.batch.min(train.count);
        let mut program = Program::default();
        let feed = if Feed::fits(device, &train) {
            Feed::resident(&mut program, &train, batch)
        } else {
            Feed::streamed(&mut program, device, &train, 0, batch)
        };
        let input = program.tensor("x", batch, train.width, Kind::Values);
        let network = Network::declare(&mut program, &net.layers);
        let logits = recipe.objective.takes_logits();

        let mut learn = Routine::new("fine-tuning step");
        let outputs = network.record(&mut program, &mut learn, input, logits)?;
        let recorded = Recorded { network: &network, input, outputs: &outputs };
        let optimizer = recipe.optimizer;
        recorded
            .backward(&mut program, &mut learn, recipe.objective, |program, part| optimizer.update(program, part))?;
        let shift = recipe.shift.map(|ImageShift { width, pixels }| Shift { width, pixels, stream: SHIFT_STREAM });
        let at_once = optimizer.vectors() == 0;
        let mut steps = Vec::new();
        for place in 0..feed.places() {
            let name = if at_once { "fine-tuning step" } else { "gather" };
            let mut step = Routine::new(name).in_precision(recipe.precision);
            feed.gather(place, &mut step, shift, input)?;
            if at_once {
                learn.ops().iter().try_for_each(|op| step.push(op.clone()))?;
            }
            steps.push(program.add(step));
        }
        let minimiser = (!at_once).then(|| {
            let vectors = declare_vectors(&mut program, &network, optimizer.vectors());
            Memory::new(&network, vectors, learn)
        });
        let test = test
            .map(|rows| TestSet::record(device, &mut program, &network, &net.layers, rows, recipe.objective))
            .transpose()?;
        let mut execution = device.load(program)?;
        feed.upload(&mut *execution, &train)?;
        network.write(&mut *execution, &net.layers)?;
        if let Some(test) = &test {
            test.upload(&mut *execution)?;
        }
        Ok(Self { execution, network, feed, batch, rows: train.count, steps, minimiser, test })
    }

    /// One pass over the data; gives the mean loss and what it cost the host, or nothing if the observer ended it.
    fn epoch(
        &mut self,
        recipe: &FineTune,
        epoch: usize,
        (train, order): (&Rows<'_>, &[u32]),
        observer: &mut Observer<'_>,
    ) -> Result<Option<(f64, HostCost)>> {
        self.feed.write_order(&mut *self.execution, order)?;
        let batches: Vec<_> = minibatches(self.rows, self.batch).collect();
        let (rows, batch, epochs) = (self.rows, self.batch, recipe.epochs);
        let mut progress = Progress { stage: STAGE, epoch, epochs, rows, batch, done: 0, observer };
        let first = (epoch - 1) * batches.len();
        let step = |(i, &(offset, rows)): (usize, &(u32, u32))| {
            let number = first + i;
            let factor = recipe.schedule.factor(number, batches.len(), epochs);
            let mut step = Step {
                offset,
                rows,
                counter: number as u32,
                weight_cost: recipe.weight_cost,
                ..Step::seeded(recipe.seed)
            };
            match recipe.optimizer {
                Optimizer::Adam { rate, beta1, beta2 } => {
                    let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powi(number as i32 + 1))) as f32;
                    (step.learning_rate, step.momentum, step.beta2) = (rate * factor, beta1, beta2);
                    (step.correction1, step.correction2) = (correction(beta1), correction(beta2));
                }
                Optimizer::Momentum { rate, momentum } => {
                    (step.learning_rate, step.momentum) = (rate * factor, momentum)
                }
                Optimizer::ConjugateGradients { .. } | Optimizer::Lbfgs { .. } => {}
            }
            step
        };
        let steps: Vec<Step> = batches.iter().enumerate().map(step).collect();
        let Some(memory) = &mut self.minimiser else {
            let control = &mut |batches| progress.tell(batches);
            let execution = &mut *self.execution;
            let ran = self.feed.run(execution, &self.steps, &steps, Some((train, order)), control, |_, _, _| Ok(()));
            let summary = |metrics: Metrics| (metrics.mean_loss(), HostCost::of(&metrics, steps.len()));
            return Ok(progress.outcome(ran)?.map(summary));
        };
        let mut sum = 0.0;
        for (i, step) in steps.iter().enumerate() {
            if progress.tell(i).is_break() {
                return Ok(None);
            }
            let gathered = self.feed.fetch(&mut *self.execution, self.steps[0], step, (train, order));
            progress.outcome(gathered)?;
            let mut problem = NetProblem::new(&mut *self.execution, memory, step.rows);
            let loss = match recipe.optimizer {
                Optimizer::Lbfgs { iterations, memory } => {
                    Lbfgs { iterations, memory, ..Lbfgs::default() }.minimize(&mut problem)
                }
                Optimizer::ConjugateGradients { searches } => {
                    ConjugateGradients { searches, ..ConjugateGradients::default() }.minimize(&mut problem)
                }
                Optimizer::Adam { .. } | Optimizer::Momentum { .. } => {
                    unreachable!("they have no vectors")
                }
            };
            let Some(loss) = progress.outcome(loss)? else {
                return Ok(None);
            };
            sum += loss * f64::from(step.rows);
        }
        Ok(Some((sum / self.rows as f64, HostCost::default())))
    }

    fn test_error(&mut self) -> Result<Option<f64>> {
        self.test.as_ref().map(|test| test.error(&mut *self.execution)).transpose()
    }
}
