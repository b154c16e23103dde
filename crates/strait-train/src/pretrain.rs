//! Greedy layer-wise pretraining of a stack of restricted Boltzmann machines by contrastive divergence
//! (Hinton 2002; Hinton & Salakhutdinov 2006).

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use strait_compute::philox::Stream;
use strait_compute::{
    Activation, Buffer, Device, Execution, Kind, LossKind, Op, Precision, Program, Routine, RoutineId, Step, Tensor,
    Update,
};
use strait_data::{Rows, Values};
use strait_models::{Rbm, Stack, Units, check_sizes, minibatches};

use crate::error::{decay, penalty_weight, positive, positive_rate, probabilities, weight_cost};
use crate::feed::Feed;
use crate::phases::{Fast, Layers, Phases, gradient, record_sparsity};
use crate::progress::{HostCost, Progress};
use crate::{Error, Event, Observer, Profile, Result};

/// Where the negative phase starts.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Chain {
    /// At the data: contrastive divergence (Hinton 2002). Reconstructions stay means.
    #[default]
    Data,
    /// Where it ended in the step before: persistent contrastive divergence (Tieleman 2008), one chain for each row of a
    /// minibatch, all of whose units are drawn. It takes a smaller learning rate.
    Persistent,
    /// The same with fast weights on top of the others (Tieleman & Hinton 2009), which learn at this rate, are forgotten by a
    /// twentieth in each step, and drive the chains away from where they have been.
    FastPersistent {
        /// The rate of the fast weights beside layers of binary units.
        rate: f32,
    },
}

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
    /// ε of a layer with real-valued units, visible or hidden.
    pub gaussian_rate: f32,
    /// λ, the weight cost.
    pub weight_cost: f32,
    /// The length that the weights of a hidden unit have at most (Hinton 2012).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f32>,
    /// The mean outputs that binary hidden units shall have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<SparsityTarget>,
    /// Momentum of the first epochs.
    pub initial_momentum: f32,
    /// Momentum of the later ones.
    pub final_momentum: f32,
    /// The number of first epochs.
    pub initial_epochs: usize,
    /// Whether the lowest visible units are real-valued with unit variance.
    pub gaussian_visible: bool,
    /// Whether the highest hidden units, the code, are real-valued with unit variance.
    pub gaussian_code: bool,
    /// The precision of the products; see [`Device::fastest`].
    pub precision: Precision,
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
            weight_cost: 0.0002,
            max_norm: None,
            sparsity: None,
            initial_momentum: 0.5,
            final_momentum: 0.9,
            initial_epochs: 5,
            gaussian_visible: false,
            gaussian_code: true,
            precision: Precision::F32,
            seed: 2006,
        }
    }
}

/// One epoch of one layer.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct PretrainEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The squared error of the reconstructions, after k steps for CD-k and after one for persistent chains, summed over a row
    /// and averaged over the rows.
    pub error: f64,
    /// Seconds.
    pub seconds: f64,
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

/// Where a machine's data are.
enum Source<'a> {
    /// On the host, to be visited in this order.
    Host(Rows<'a>, Vec<u32>),
    /// On the host, of this width, in order.
    Kept(Vec<f32>, usize),
    /// On the device, in order.
    Device(Buffer),
}

impl Source<'_> {
    /// The rows, where they are on the host, with their order.
    fn on_host(&self) -> Option<(Rows<'_>, Cow<'_, [u32]>)> {
        match self {
            Self::Host(rows, order) => Some((*rows, Cow::Borrowed(order))),
            Self::Kept(numbers, width) => {
                let count = numbers.len() / width;
                let rows = Rows { count, width: *width, values: Values::Numbers(numbers) };
                Some((rows, Cow::Owned((0..count as u32).collect())))
            }
            Self::Device(..) => None,
        }
    }
}

/// What becomes of the hidden probabilities of a machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Features {
    /// There is no machine above.
    Dropped,
    /// They stay on the device.
    OnDevice,
    /// The device cannot hold some machine's data, so that all are kept on the host.
    OnHost,
}

impl Pretrain {
    /// Trains a machine for each two consecutive sizes, from the data upwards.
    ///
    /// The rows are shuffled once; the minibatches stay the same in all epochs, as in the paper's code. The data of a
    /// layer are the hidden probabilities that the one below had in its last epoch, minibatch by minibatch; they stay
    /// on the device.
    ///
    /// ```
    /// use strait_train::{Pretrain, silent};
    /// let device = strait_compute::Device::cpu()?;
    /// let pixels = [0u8, 255, 255, 0].repeat(50);
    /// let rows = strait_data::Rows::bytes(&pixels, 4)?;
    /// let recipe = Pretrain { epochs: 3, batch: 10, ..Pretrain::default() };
    /// let pretrained = recipe.fit(&device, &[4, 3, 2], rows, &mut silent)?;
    /// assert_eq!(pretrained.stack.unroll().sizes(), [4, 3, 2, 3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a setting makes no sense, the data do not fit, the device fails, or an error is not finite.
    pub fn fit(
        &self,
        device: &Device,
        sizes: &[usize],
        rows: Rows<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Pretrained> {
        self.check()?;
        check_sizes(sizes)?;
        if !self.gaussian_visible {
            probabilities(&rows)?;
        }
        if sizes[0] != rows.width {
            return Err(strait_models::Error::Width { expected: sizes[0], found: rows.width }.into());
        }
        let machines = sizes.len() - 1;
        let order = Stream::new(self.seed, 1).permutation(rows.count);
        let largest = sizes.iter().max().copied().unwrap_or(0);
        let above = if Feed::room(device, rows.count, largest) { Features::OnDevice } else { Features::OnHost };
        let mut source = Source::Host(rows, order);
        let mut result = Pretrained { stack: Stack { rbms: Vec::new() }, layers: Vec::new(), stopped: false };
        for (number, pair) in sizes.windows(2).enumerate() {
            let kind = |gaussian: bool| {
                if gaussian { Units::Gaussian } else { Units::Bernoulli }
            };
            let visible = (pair[0], kind(number == 0 && self.gaussian_visible));
            let hidden = (pair[1], kind(number + 1 == machines && self.gaussian_code));
            let mut rbm = Rbm::new(visible, hidden, &mut Stream::new(self.seed, 2 + number as u32))?;
            let features = if number + 1 == machines { Features::Dropped } else { above };
            let mut machine = Machine::load(self, device, number, &rbm, &source, rows.count, features)?;
            let (epochs, stopped) = machine.train(self, &rbm, &source, observer)?;
            rbm.weight = machine.execution.read(machine.weight)?;
            rbm.visible_bias = machine.execution.read(machine.visible_bias)?;
            rbm.hidden_bias = machine.execution.read(machine.hidden_bias)?;
            let parameters = [&rbm.weight, &rbm.visible_bias, &rbm.hidden_bias];
            if let Some(x) = parameters.into_iter().flatten().find(|x| !x.is_finite()) {
                let stage = format!("RBM {}-{}", pair[0], pair[1]);
                let rate = f64::from(self.rate_of(&rbm));
                return Err(Error::Diverged { stage, epoch: self.epochs, rate, error: f64::from(*x) });
            }
            match features {
                Features::Dropped => {}
                Features::OnDevice => source = Source::Device(machine.execution.share(machine.features[0])?),
                Features::OnHost => source = Source::Kept(std::mem::take(&mut machine.kept), pair[1]),
            }
            result.stack.rbms.push(rbm);
            result.layers.push(epochs);
            if stopped {
                result.stopped = true;
                break;
            }
        }
        Ok(result)
    }

    /// Measures the operations of a step of contrastive divergence between the rows and that many binary hidden units.
    /// Nothing if the device cannot measure.
    ///
    /// ```
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::bytes(&[0, 255, 255, 0, 255, 0, 0, 255], 4)?;
    /// let profile = strait_train::Pretrain::default().profile(&device, 3, rows)?;
    /// assert_eq!(profile.expect("the CPU measures").routine, "CD-1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pretrain::fit`].
    pub fn profile(&self, device: &Device, hidden: usize, rows: Rows<'_>) -> Result<Option<Profile>> {
        self.check()?;
        check_sizes(&[rows.width, hidden])?;
        let rows = rows.first(self.batch);
        let order = (0..rows.count as u32).collect();
        let units = [(rows.width, Units::Bernoulli), (hidden, Units::Bernoulli)];
        let rbm = Rbm::new(units[0], units[1], &mut Stream::new(self.seed, 2))?;
        let mut machine =
            Machine::load(self, device, 0, &rbm, &Source::Host(rows, order), rows.count, Features::Dropped)?;
        let step = Step { rows: rows.count as u32, ..Step::seeded(self.seed) };
        Profile::measure(&mut *machine.execution, machine.steps[0], &step)
    }

    /// Whether the settings make sense, which [`Pretrain::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        positive("epochs", self.epochs)?;
        positive("batch", self.batch)?;
        positive("cd-steps", self.cd_steps)?;
        if self.cd_steps > 1000 {
            let (setting, value) = ("cd-steps", self.cd_steps.to_string());
            return Err(Error::Setting {
                setting,
                value,
                expected: "more than 1000 steps for each minibatch are not recorded",
            });
        }
        positive_rate("rate", self.rate)?;
        positive_rate("gaussian-rate", self.gaussian_rate)?;
        decay("initial-momentum", self.initial_momentum)?;
        decay("final-momentum", self.final_momentum)?;
        self.max_norm.map_or(Ok(()), |norm| positive_rate("max-norm", norm))?;
        if let Chain::FastPersistent { rate } = self.chain {
            positive_rate("the rate of the fast weights", rate)?;
        }
        if let Some(SparsityTarget { weight, target }) = self.sparsity {
            penalty_weight(weight)?;
            if !(0.0 < target && target < 1.0) {
                let (setting, value) = ("the target of the sparsity", target.to_string());
                return Err(Error::Setting { setting, value, expected: "it must lie between 0 and 1" });
            }
        }
        weight_cost(self.weight_cost)
    }

    /// ε for a machine.
    fn rate_of(&self, rbm: &Rbm) -> f32 {
        let gaussian = rbm.visible == Units::Gaussian || rbm.hidden == Units::Gaussian;
        if gaussian { self.gaussian_rate } else { self.rate }
    }
}

/// One machine on a device.
struct Machine {
    execution: Box<dyn Execution>,
    feed: Feed,
    /// For each place of the feed, one step of CD-k.
    steps: Vec<RoutineId>,
    /// The same, keeping the hidden probabilities of the positive phase.
    lasts: Vec<RoutineId>,
    number: usize,
    rows: usize,
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    /// For each place of the feed, the hidden probabilities of its rows.
    features: Vec<Tensor>,
    /// Whether these go to the host.
    keep: bool,
    kept: Vec<f32>,
}

impl Machine {
    fn load(
        recipe: &Pretrain,
        device: &Device,
        number: usize,
        rbm: &Rbm,
        source: &Source<'_>,
        rows: usize,
        kind: Features,
    ) -> Result<Self> {
        let (visible, hidden) = (rbm.visible_bias.len(), rbm.hidden_bias.len());
        let batch = recipe.batch.min(rows);
        let mut program = Program::default();
        let feed = match source.on_host() {
            None => Feed::given(&mut program, rows, visible, batch),
            Some((data, _)) if Feed::fits(device, &data) && Feed::room(device, rows, hidden) => {
                Feed::resident(&mut program, &data, batch)
            }
            Some((data, _)) => Feed::streamed(&mut program, device, &data, hidden, batch),
        };
        let mut features = Vec::new();
        if kind != Features::Dropped {
            let feature = |place| program.tensor(format!("features {place}"), feed.rows_of_place(), hidden, Kind::Rows);
            features.extend((0..feed.places()).map(feature));
        }
        let parameter = |program: &mut Program, name: &str, rows: usize, cols: usize| Update::Momentum {
            parameter: program.tensor(name, rows, cols, Kind::Values),
            velocity: program.tensor(format!("{name} velocity"), rows, cols, Kind::Values),
        };
        let weight = parameter(&mut program, "w", visible, hidden);
        let visible_bias = parameter(&mut program, "a", 1, visible);
        let hidden_bias = parameter(&mut program, "b", 1, hidden);

        let v0 = program.tensor("v0", batch, visible, Kind::Values);
        let h0 = program.tensor("h0", batch, hidden, Kind::Values);
        let layers = Layers {
            units: (rbm.visible, rbm.hidden),
            weight: weight.target(),
            biases: (visible_bias.target(), hidden_bias.target()),
            stream: 64 * number as u32,
        };
        let phases = match recipe.chain {
            Chain::Data => layers.contrastive_divergence(&mut program, (v0, h0), recipe.cd_steps)?,
            Chain::Persistent => layers.persistent(&mut program, (v0, h0), recipe.cd_steps, &layers)?,
            Chain::FastPersistent { .. } => {
                let driving = layers.beside(&mut program, "driving");
                layers.persistent(&mut program, (v0, h0), recipe.cd_steps, &driving)?
            }
        };
        let Phases { mut step, reconstruction, negative, chain, driving } = phases;
        let positive = match recipe.sparsity.filter(|_| rbm.hidden == Units::Bernoulli) {
            None => (v0, h0),
            Some(SparsityTarget { weight, target }) => {
                (v0, record_sparsity(&mut program, &mut step, h0, (weight, target))?)
            }
        };
        let error = Op::Loss {
            kind: LossKind::SquaredError { activation: Activation::Linear },
            input: reconstruction,
            target: v0,
            output: None,
            delta: None,
        };
        let updates = [weight, hidden_bias, visible_bias];
        let learn = match (recipe.chain, driving) {
            (Chain::FastPersistent { rate }, Some(driving)) => {
                // Layers of real-valued units learn as much more slowly by their fast weights as by the others.
                let rate = rate * recipe.rate_of(rbm) / recipe.rate;
                let fast = Fast { rate, weight_cost: recipe.weight_cost, max_norm: recipe.max_norm };
                fast.learn(&mut program, (positive, negative), updates, &driving)
            }
            _ => {
                let limit = |norm| Op::MaxNorm { weight: weight.target(), norm, rows: false };
                std::iter::once(gradient(positive, negative, updates)).chain(recipe.max_norm.map(limit)).collect()
            }
        };
        let (mut steps, mut lasts) = (Vec::new(), Vec::new());
        for place in 0..feed.places() {
            let mut whole = Routine::new(step.name()).in_precision(recipe.precision);
            feed.gather(place, &mut whole, 0, None, v0)?;
            step.ops().iter().try_for_each(|op| whole.push(op.clone()))?;
            let mut last = whole.clone();
            if let Some(data) = features.get(place) {
                last.push(Op::Scatter { input: h0, data: *data })?;
            }
            // The error goes right before the gradient, with which GPUs compute it in one go.
            for routine in [&mut whole, &mut last] {
                routine.push(error.clone())?;
                learn.iter().try_for_each(|op| routine.push(op.clone()))?;
            }
            steps.push(program.add(whole));
            lasts.push(program.add(last));
        }
        let shared = match source {
            Source::Device(buffer) => vec![(feed.whole(), buffer.clone())],
            _ => Vec::new(),
        };
        let mut execution = device.load_sharing(program, &shared)?;
        if let Some((rows, order)) = source.on_host() {
            feed.upload(&mut *execution, &rows)?;
            feed.write_order(&mut *execution, &order)?;
        }
        execution.write(weight.target(), &rbm.weight)?;
        if let Some(driving) = driving.filter(|driving| driving.weight != weight.target()) {
            execution.write(driving.weight, &rbm.weight)?;
        }
        if let Some(chain) = chain {
            let mut stream = Stream::new(recipe.seed, 500 + number as u32);
            let bits: Vec<f32> = (0..chain.len()).map(|_| (stream.next_word() >> 31) as f32).collect();
            execution.write(chain, &bits)?;
        }
        Ok(Self {
            execution,
            feed,
            steps,
            lasts,
            number,
            rows,
            weight: weight.target(),
            visible_bias: visible_bias.target(),
            hidden_bias: hidden_bias.target(),
            features,
            keep: kind == Features::OnHost,
            kept: Vec::new(),
        })
    }

    /// Gives the completed epochs, and whether the observer ended the run.
    fn train(
        &mut self,
        recipe: &Pretrain,
        rbm: &Rbm,
        source: &Source<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<(Vec<PretrainEpoch>, bool)> {
        let stage = format!("RBM {}-{}", rbm.visible_bias.len(), rbm.hidden_bias.len());
        let rate = recipe.rate_of(rbm);
        let batches: Vec<_> = minibatches(self.rows, recipe.batch.min(self.rows)).collect();
        let data = source.on_host();
        let mut records = Vec::new();
        for epoch in 1..=recipe.epochs {
            let start = Instant::now();
            let early = epoch <= recipe.initial_epochs;
            let momentum = if early { recipe.initial_momentum } else { recipe.final_momentum };
            let step = |(i, &(offset, rows)): (usize, &(u32, u32))| Step {
                offset,
                rows,
                counter: ((epoch - 1) * batches.len() + i) as u32,
                learning_rate: rate,
                momentum,
                weight_cost: recipe.weight_cost,
                // What becomes of a velocity and a gradient, where they are combined apart from each other.
                alpha: momentum,
                beta: -rate,
                ..Step::seeded(recipe.seed.wrapping_add(self.number as u64))
            };
            let steps: Vec<Step> = batches.iter().enumerate().map(step).collect();
            let last = epoch == recipe.epochs;
            let routines = if last { &self.lasts } else { &self.steps };
            let (rows, epochs) = (self.rows, recipe.epochs);
            let batch = recipe.batch;
            let mut progress = Progress { stage: &stage, epoch, epochs, rows, batch, done: 0, observer };
            let (features, kept, keep) = (&self.features, &mut self.kept, self.keep && last);
            let after = |execution: &mut dyn Execution, place: usize, rows: usize| {
                if keep {
                    let read = execution.read(features[place])?;
                    kept.extend_from_slice(&read[..rows * features[place].cols]);
                }
                Ok(())
            };
            let control = &mut |batches| progress.tell(batches);
            let source = data.as_ref().map(|(rows, order)| (rows, &**order));
            let ran = self.feed.run(&mut *self.execution, routines, &steps, source, control, after);
            let Some(metrics) = progress.outcome(ran)? else {
                return Ok((records, true));
            };
            let (error, seconds) = (metrics.mean_error(), start.elapsed().as_secs_f64());
            if !error.is_finite() {
                return Err(Error::Diverged { stage, epoch, rate: f64::from(rate), error });
            }
            records.push(PretrainEpoch { epoch, error, seconds, cost: HostCost::of(&metrics, steps.len()) });
            let event = Event::Epoch { stage: stage.clone(), epoch, epochs, error, test_error: None, seconds, rows };
            if observer(&event) == ControlFlow::Break(()) {
                return Ok((records, true));
            }
        }
        Ok((records, false))
    }
}
