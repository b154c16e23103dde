//! A machine of a stack on a device.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::Instant;

use strait_compute::philox::Stream;
use strait_compute::{Buffer, Device, Execution, Factors, Kind, Op, Program, Routine, RoutineId, Step, Tensor, Update};
use strait_data::{Rows, Values};
use strait_models::{Rbm, Units, Wanted, minibatches};

use crate::feed::Feed;
use crate::phases::{Fast, Layers, Phases, Recording, gradient, record_sparsity, squared_error, write_states};
use crate::pretrain::{Chain, Pretrain, PretrainEpoch, SparsityTarget};
use crate::progress::{HostCost, Progress};
use crate::watch::{Watch, Watched};
use crate::{Error, Event, Observer, Profile, Result};

/// Where a machine's data are.
pub(crate) enum Source<'a> {
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
pub(crate) enum Features {
    /// There is no machine above.
    Dropped,
    /// They stay on the device.
    OnDevice,
    /// The device cannot hold some machine's data, so that all are kept on the host.
    OnHost,
}

/// What a machine is made of.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) recipe: &'a Pretrain,
    /// Its place in the stack.
    pub(crate) number: usize,
    pub(crate) rows: usize,
    pub(crate) features: Features,
    /// Rows whose free energies are watched.
    pub(crate) watched: Option<&'a Watched>,
}

/// What a program has of a machine.
pub(crate) struct Recorded {
    feed: Feed,
    /// For each place of the feed, one step of training.
    steps: Vec<RoutineId>,
    /// The same, keeping the hidden probabilities of the positive phase.
    lasts: Vec<RoutineId>,
    layers: Layers,
    /// 1 / σ of the visible units, where it is learned.
    precision: Option<Tensor>,
    watch: Option<Watch>,
    /// For each place of the feed, the hidden probabilities of its rows.
    features: Vec<Tensor>,
    /// Chains that persist.
    chains: Vec<Tensor>,
    /// The parameters that drive them, where they are others than those that learn.
    driving: Option<Layers>,
}

/// One machine on a device.
pub(crate) struct Machine {
    execution: Box<dyn Execution>,
    recorded: Recorded,
    number: usize,
    rows: usize,
    /// Whether the hidden probabilities go to the host.
    keep: bool,
    kept: Vec<f32>,
}

/// The program of a machine; `data` are its rows, where they come from the host.
pub(crate) fn record(
    device: &Device,
    plan: Plan<'_>,
    rbm: &Rbm,
    data: Option<&Rows<'_>>,
) -> Result<(Program, Recorded)> {
    let mut program = Program::default();
    let Plan { recipe, number, rows, features: kind, watched } = plan;
    let (visible, hidden) = (rbm.visible_bias.len(), rbm.hidden_bias.len());
    let batch = recipe.batch.min(rows);
    let feed = match data {
        None => Feed::given(&mut program, rows, visible, batch),
        Some(data) => Feed::of(&mut program, device, data, hidden, batch),
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
    let mut column =
        |wanted: bool, name: &str, cols: usize| wanted.then(|| program.tensor(name, 1, cols, Kind::Values));
    let offsets = (
        column(recipe.centred, "visible offset", visible),
        column(recipe.centred && rbm.hidden == Units::Bernoulli, "hidden offset", hidden),
    );
    let deviates = recipe.deviation_rate.filter(|_| rbm.visible == Units::Gaussian);
    let precision = column(deviates.is_some(), "1 / deviation", visible);
    let v0 = program.tensor("v0", batch, visible, Kind::Values);
    let gathered = precision.map_or(v0, |_| program.tensor("data v", batch, visible, Kind::Values));
    let h0 = program.tensor("h0", batch, hidden, Kind::Values);
    let layers = Layers {
        units: (rbm.visible, rbm.hidden),
        weight: weight.target(),
        biases: (visible_bias.target(), hidden_bias.target()),
        offsets,
        stream: 64 * number as u32,
    };
    let phases = match recipe.chain {
        Chain::Data => layers.contrastive_divergence(&mut program, (v0, h0), recipe.cd_steps)?,
        Chain::Persistent => layers.persistent(&mut program, (v0, h0), recipe.cd_steps, None)?,
        Chain::FastPersistent { .. } => {
            let driving = layers.beside(&mut program, "driving");
            layers.persistent(&mut program, (v0, h0), recipe.cd_steps, Some(driving))?
        }
        Chain::Tempered { chains, hottest } => {
            layers.tempered(&mut program, (v0, h0), recipe.cd_steps, (chains, hottest))?
        }
    };
    let Phases { mut step, reconstruction, negative, chains, driving } = phases;
    let mut positive = (v0, h0);
    if let (Some(SparsityTarget { weight, target }), Units::Bernoulli) = (recipe.sparsity, rbm.hidden) {
        positive.1 = record_sparsity(&mut program, &mut step, h0, (weight, target))?;
    }
    let mut after = Vec::new();
    if let (Some(precision), Some(rate)) = (precision, deviates) {
        let to = &mut Recording { program: &mut program, step: &mut step };
        after = record_deviations(to, &layers, (v0, h0), (precision, rate))?;
    }
    let to = &mut Recording { program: &mut program, step: &mut step };
    let mut centred = |(v, h): (Tensor, Tensor)| -> Result<(Tensor, Tensor)> {
        Ok((to.centred(v, offsets.0)?, to.centred(h, offsets.1)?))
    };
    let statistics = (centred(positive)?, centred(negative)?);
    let error = squared_error(reconstruction, v0);
    let updates = [weight, hidden_bias, visible_bias];
    let limit = |norm| Op::MaxNorm { weight: weight.target(), norm, rows: false };
    let shrink = Op::Threshold { weight: weight.target(), threshold: recipe.rate_of(rbm) * recipe.absolute_cost };
    let shrink = Some(shrink).filter(|_| recipe.absolute_cost > 0.0);
    let learn: Vec<Op> = match (recipe.chain, driving) {
        (Chain::FastPersistent { rate }, Some(driving)) => {
            // Layers of real-valued units learn as much more slowly by their fast weights as by the others.
            let rate = rate * recipe.rate_of(rbm) / recipe.rate;
            let limits = shrink.into_iter().chain(recipe.max_norm.map(limit)).collect();
            let fast = Fast { rate, weight_cost: recipe.weight_cost, limits };
            fast.learn(&mut program, statistics, updates, &driving)
        }
        _ => {
            let first = std::iter::once(gradient(statistics.0, statistics.1, updates, 1.0));
            first.chain(shrink).chain(recipe.max_norm.map(limit)).collect()
        }
    };
    let (mut steps, mut lasts) = (Vec::new(), Vec::new());
    for place in 0..feed.places() {
        let mut whole = Routine::new(step.name()).in_precision(recipe.precision);
        feed.gather(place, &mut whole, 0, None, gathered)?;
        if precision.is_some() {
            whole.push(Op::Standardize { input: gathered, shift: None, scale: precision, out: v0 })?;
        }
        step.ops().iter().try_for_each(|op| whole.push(op.clone()))?;
        let mut last = whole.clone();
        if let Some(data) = features.get(place) {
            last.push(Op::Scatter { input: h0, data: *data })?;
        }
        // The error goes right before the gradient, with which GPUs compute it in one go.
        for routine in [&mut whole, &mut last] {
            routine.push(error.clone())?;
            learn.iter().chain(&after).try_for_each(|op| routine.push(op.clone()))?;
        }
        steps.push(program.add(whole));
        lasts.push(program.add(last));
    }
    let watch = watched.filter(|_| rbm.hidden == Units::Bernoulli && rbm.visible != Units::Rectified);
    let watch = watch.map(|rows| Watch::record(&mut program, &layers, precision, rows)).transpose()?;
    Ok((program, Recorded { feed, steps, lasts, layers, precision, watch, features, chains, driving }))
}

impl Machine {
    pub(crate) fn load(device: &Device, plan: Plan<'_>, rbm: &Rbm, source: &Source<'_>) -> Result<Self> {
        let Plan { recipe, number, rows, features, watched } = plan;
        let data = source.on_host();
        let (program, recorded) = record(device, plan, rbm, data.as_ref().map(|(rows, _)| rows))?;
        let Recorded { feed, layers, .. } = &recorded;
        let shared = match source {
            Source::Device(buffer) => vec![(feed.whole(), buffer.clone())],
            _ => Vec::new(),
        };
        let mut execution = device.load_sharing(program, &shared)?;
        let mut means = Vec::new();
        match &data {
            Some((rows, order)) => {
                feed.upload(&mut *execution, rows)?;
                feed.write_order(&mut *execution, order)?;
                if recipe.centred {
                    means = rows.mean();
                }
            }
            None if recipe.centred => {
                let values = execution.read(feed.whole())?;
                means = Rows { count: rows, width: rbm.visible_bias.len(), values: Values::Numbers(&values) }.mean();
            }
            None => {}
        }
        execution.write(layers.weight, &rbm.weight)?;
        if let Some(driving) = recorded.driving {
            execution.write(driving.weight, &rbm.weight)?;
        }
        if let Some(offset) = layers.offsets.0 {
            execution.write(offset, &means.iter().map(|&mean| mean as f32).collect::<Vec<_>>())?;
        }
        if let Some(offset) = layers.offsets.1 {
            // What binary units are on the mean while they know nothing.
            execution.write(offset, &vec![0.5; offset.cols])?;
        }
        if let Some(precision) = recorded.precision {
            execution.write(precision, &vec![1.0; precision.cols])?;
        }
        if let (Some(watch), Some(rows)) = (&recorded.watch, watched) {
            watch.write(&mut *execution, rows)?;
        }
        let mut stream = Stream::new(recipe.seed, 500 + number as u32);
        for chain in &recorded.chains {
            write_states(&mut *execution, *chain, &mut stream)?;
        }
        let keep = features == Features::OnHost;
        Ok(Self { execution, recorded, number, rows, keep, kept: Vec::new() })
    }

    /// The hidden probabilities that the last epoch had, as the data of the next machine.
    pub(crate) fn above(&mut self) -> Result<Source<'static>> {
        let features = self.recorded.features[0];
        if self.keep {
            return Ok(Source::Kept(std::mem::take(&mut self.kept), features.cols));
        }
        Ok(Source::Device(self.execution.share(features)?))
    }

    /// Measures the operations of a step of that many rows.
    pub(crate) fn profile(&mut self, step: &Step) -> Result<Option<Profile>> {
        Profile::measure(&mut *self.execution, self.recorded.steps[0], step)
    }

    /// Gives the parameters that were learned, without offsets.
    pub(crate) fn read(&mut self, rbm: &mut Rbm) -> Result<()> {
        let execution = &mut *self.execution;
        rbm.weight = execution.read(self.recorded.layers.weight)?;
        rbm.visible_bias = execution.read(self.recorded.layers.biases.0)?;
        rbm.hidden_bias = execution.read(self.recorded.layers.biases.1)?;
        let hidden = rbm.hidden_bias.len();
        // a + (h − λ) Wᵀ and b + (v − μ) W
        if let Some(offset) = self.recorded.layers.offsets.0 {
            for (row, mean) in rbm.weight.chunks_exact(hidden).zip(execution.read(offset)?) {
                rbm.hidden_bias.iter_mut().zip(row).for_each(|(bias, w)| *bias -= mean * w);
            }
        }
        if let Some(offset) = self.recorded.layers.offsets.1 {
            let offset = execution.read(offset)?;
            for (bias, row) in rbm.visible_bias.iter_mut().zip(rbm.weight.chunks_exact(hidden)) {
                *bias -= row.iter().zip(&offset).map(|(w, mean)| w * mean).sum::<f32>();
            }
        }
        if let Some(precision) = self.recorded.precision {
            rbm.deviation = Some(execution.read(precision)?.into_iter().map(|precision| 1.0 / precision).collect());
        }
        Ok(())
    }

    /// Gives the completed epochs, and whether the observer ended the run.
    pub(crate) fn train(
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
            let routines = if last { &self.recorded.lasts } else { &self.recorded.steps };
            let (rows, epochs) = (self.rows, recipe.epochs);
            let batch = recipe.batch;
            let mut progress = Progress { stage: &stage, epoch, epochs, rows, batch, done: 0, observer };
            let (features, kept, keep) = (&self.recorded.features, &mut self.kept, self.keep && last);
            let after = |execution: &mut dyn Execution, place: usize, rows: usize| {
                if keep {
                    let read = execution.read(features[place])?;
                    kept.extend_from_slice(&read[..rows * features[place].cols]);
                }
                Ok(())
            };
            let control = &mut |batches| progress.tell(batches);
            let source = data.as_ref().map(|(rows, order)| (rows, &**order));
            let ran = self.recorded.feed.run(&mut *self.execution, routines, &steps, source, control, after);
            let Some(metrics) = progress.outcome(ran)? else {
                return Ok((records, true));
            };
            let free_energy_gap = match &self.recorded.watch {
                Some(watch) => Some(watch.gap(&mut *self.execution)?),
                None => None,
            };
            let (error, seconds) = (metrics.mean_error(), start.elapsed().as_secs_f64());
            if !error.is_finite() {
                return Err(Error::Diverged { stage, epoch, rate: f64::from(rate), error });
            }
            let cost = HostCost::of(&metrics, steps.len());
            records.push(PretrainEpoch { epoch, error, free_energy_gap, seconds, cost });
            let (stage, test_error) = (stage.clone(), None);
            let event = Event::Epoch { stage, epoch, epochs, error, test_error, free_energy_gap, seconds, rows };
            if observer(&event) == ControlFlow::Break(()) {
                return Ok((records, true));
            }
        }
        Ok((records, false))
    }
}

/// Records the slope of the logarithm of each visible unit's σ, and gives the operations that follow it.
///
/// With ṽ = v / σ and the mean m of ṽ given the hidden units, ln p(v) changes by ⟨ṽ (ṽ − m)⟩ − 1 with ln σ: what the model
/// itself expects of ṽ (ṽ − m) is the variance 1, so that no negative phase is needed. s = 1 / σ follows, to first order, as
/// s ← s (1 − ε slope).
fn record_deviations(
    to: &mut Recording<'_>,
    layers: &Layers,
    (v0, h0): (Tensor, Tensor),
    (precision, rate): (Tensor, f32),
) -> Result<Vec<Op>> {
    let [mean, rest] = ["mean of v", "rest of v"].map(|name| to.like(name, v0));
    let [slope, product] = ["slope of deviation", "change of deviation"].map(|name| to.like(name, precision));
    layers.down(to, h0, Wanted::mean(mean))?;
    to.step.push(Op::Combine { x: v0, y: mean, factors: Factors::Fixed(1.0, -1.0), out: rest })?;
    to.step.push(Op::ColumnMeans { input: v0, times: Some(rest), out: slope })?;
    Ok(vec![
        Op::Standardize { input: precision, shift: None, scale: Some(slope), out: product },
        Op::Combine { x: precision, y: product, factors: Factors::Fixed(1.0 + rate, -rate), out: precision },
    ])
}
