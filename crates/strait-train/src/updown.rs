//! Fine-tuning of a deep belief net by the up-down algorithm (Hinton, Osindero & Teh 2006, appendix B).

use std::ops::ControlFlow;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use strait_compute::philox::Stream;
use strait_compute::{
    Activation, Device, Draw, Execution, Groups, Kind, LossKind, Op, Precision, Program, Routine, RoutineId, Sample,
    Sampling, Shift, Step, Tensor, Update,
};
use strait_data::Rows;
use strait_models::{Dbn, Layer, Network, Wanted, minibatches};

use crate::error::{below, decay, gibbs_steps, positive, positive_rate, probabilities, weight_cost};
use crate::feed::Feed;
use crate::finetune::ImageShift;
use crate::phases::{Layers, Recording, gradient, squared_error, write_states};
use crate::progress::{HostCost, Progress};
use crate::{Error, Event, Observer, Result, Schedule};

/// The first stream of the random numbers that are drawn; those below are taken by others.
const FIRST_STREAM: u32 = 1 << 17;

/// The recipe of the up-down algorithm: contrastive wake-sleep. Of a net that is one machine ([`Dbn::alone`]) it is the
/// training of a classification RBM (Larochelle & Bengio 2008).
///
/// In the way up, states drawn by the recognition weights are what the generative weights learn to draw the layer below from.
/// The top machine learns by contrastive divergence between these features, with the label, and what so many steps of its chain
/// make of them. From there states are drawn downwards, and the recognition weights learn to infer those that they were drawn from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct UpDown {
    /// Passes over the training set.
    pub epochs: usize,
    /// Rows of a minibatch.
    pub batch: usize,
    /// Steps of Gibbs sampling in the top machine.
    pub cd_steps: usize,
    /// Whether these go on from where they ended in the step before instead of from the data.
    pub persistent: bool,
    /// α of the objective of the top machine, α ln p(features, label) + β ln p(label | features) (Larochelle & Bengio 2008).
    pub generative: f32,
    /// β of the same: above 0 it is the hybrid objective, and with α = 0 the machine only learns to tell labels apart. The
    /// gradient of this term is exact on the mean.
    pub discriminative: f32,
    /// ε of all weights.
    pub rate: f32,
    /// How it changes.
    pub schedule: Schedule,
    /// Momentum.
    pub momentum: f32,
    /// λ, the weight cost; of the top machine each term of its objective that is not 0 has it.
    pub weight_cost: f32,
    /// Random shifts of the images, drawn anew for each row of each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<ImageShift>,
    /// The precision of the products; see [`Device::fastest`].
    pub precision: Precision,
    /// Seed of the order of the rows and of all that is drawn.
    pub seed: u64,
}

impl Default for UpDown {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 100,
            cd_steps: 3,
            persistent: false,
            generative: 1.0,
            discriminative: 0.0,
            rate: 0.05,
            schedule: Schedule::Cosine { warmup: 0.0 },
            momentum: 0.5,
            weight_cost: 0.0,
            shift: None,
            precision: Precision::F32,
            seed: 2006,
        }
    }
}

/// One epoch of the up-down algorithm.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct UpDownEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The squared error of the rows given the states of the lowest features, summed over a row and averaged over the rows. Of a
    /// machine alone that of rows and labels given its hidden means.
    pub error: f64,
    /// Seconds.
    pub seconds: f64,
    /// What it cost the host.
    #[serde(flatten)]
    pub cost: HostCost,
}

/// The result of the up-down algorithm.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UpDownTrained {
    /// The epochs that were completed.
    pub epochs: Vec<UpDownEpoch>,
    /// Whether the observer ended the run early. The net then is what it was when the run stopped.
    pub stopped: bool,
}

impl UpDown {
    /// Trains all weights of the net on rows with their labels behind them ([`Labelled`](strait_data::Labelled)).
    ///
    /// ```
    /// use strait_compute::{Device, philox::Stream};
    /// use strait_data::{Labelled, Rows};
    /// use strait_models::Dbn;
    /// use strait_models::Units;
    /// use strait_train::{Pretrain, UpDown, silent};
    /// let device = Device::cpu()?;
    /// let pixels = [255u8, 255, 0, 0, 0, 0, 255, 255].repeat(50);
    /// let rows = Rows::bytes(&pixels, 4)?;
    /// let labels = [0, 1].repeat(50);
    /// let recipe = Pretrain { epochs: 20, batch: 10, code: Units::Bernoulli, ..Pretrain::default() };
    /// let below = recipe.fit(&device, &[4, 6], rows, None, &mut silent)?.stack;
    /// let mut net = Dbn::on(&below, 2, 12, &mut Stream::new(1, 0))?;
    /// let labelled = Labelled::new(rows, &labels, 2)?;
    /// UpDown { epochs: 50, batch: 10, ..UpDown::default() }.fit(&device, &mut net, labelled.rows(), &mut silent)?;
    /// assert_eq!(net.error_rate(&device, rows, &labels)?, 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a setting makes no sense, the data do not fit, the device fails, or an error is not finite. The net is then as it was
    /// before.
    pub fn fit(
        &self,
        device: &Device,
        net: &mut Dbn,
        rows: Rows<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<UpDownTrained> {
        self.check()?;
        net.check()?;
        let expected = net.sizes()[0] + net.classes;
        if rows.width != expected {
            return Err(strait_models::Error::Width { expected, found: rows.width }.into());
        }
        probabilities(&rows)?;
        if self.discriminative > 0.0 {
            labelled(&rows, net.classes)?;
        }
        let mut training = Training::load(self, device, net, rows)?;
        let mut result = UpDownTrained::default();
        let mut order = Stream::new(self.seed, 200);
        let diverged = |epoch: usize, error: f64| Error::Diverged {
            stage: "up-down".to_owned(),
            epoch,
            rate: f64::from(self.rate),
            error,
        };
        for epoch in 1..=self.epochs {
            let start = Instant::now();
            let order = order.permutation(rows.count);
            let Some((error, cost)) = training.epoch(self, epoch, (&rows, &order), observer)? else {
                result.stopped = true;
                break;
            };
            let seconds = start.elapsed().as_secs_f64();
            if !error.is_finite() {
                return Err(diverged(epoch, error));
            }
            result.epochs.push(UpDownEpoch { epoch, error, seconds, cost });
            let (stage, epochs, rows) = ("up-down".to_owned(), self.epochs, rows.count);
            let (test_error, free_energy_gap) = (None, None);
            let event = Event::Epoch { stage, epoch, epochs, error, test_error, free_energy_gap, seconds, rows };
            if observer(&event) == ControlFlow::Break(()) {
                result.stopped = epoch < self.epochs;
                break;
            }
        }
        let trained = training.read(net)?;
        let layers =
            trained.recognition.iter().chain(&trained.generative).flat_map(|layer| [&layer.weight, &layer.bias]);
        let top = [&trained.top.weight, &trained.top.visible_bias, &trained.top.hidden_bias];
        if let Some(x) = layers.chain(top).flatten().find(|x| !x.is_finite()) {
            return Err(diverged(result.epochs.len(), f64::from(*x)));
        }
        *net = trained;
        Ok(result)
    }

    /// Whether the settings make sense, which [`UpDown::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        positive("epochs", self.epochs)?;
        positive("batch", self.batch)?;
        gibbs_steps(self.cd_steps)?;
        positive_rate("rate", self.rate)?;
        decay("momentum", self.momentum)?;
        self.schedule.check(self.epochs)?;
        self.shift.map_or(Ok(()), ImageShift::check)?;
        let terms = [("generative", self.generative), ("discriminative", self.discriminative)];
        terms
            .into_iter()
            .try_for_each(|(name, weight)| below(name, weight, f32::INFINITY, "it must be a number of at least 0"))?;
        if terms.iter().all(|(_, weight)| *weight == 0.0) {
            let (setting, value) = ("generative and discriminative", "0".to_owned());
            return Err(Error::Setting { setting, value, expected: "one of them must be above 0" });
        }
        weight_cost(self.weight_cost)
    }
}

/// A net on a device, with what trains it.
struct Training {
    execution: Box<dyn Execution>,
    feed: Feed,
    /// For each place of the feed.
    steps: Vec<RoutineId>,
    recognition: Network,
    generative: Network,
    top: Layers,
    batch: usize,
    rows: usize,
}

impl Training {
    fn load(recipe: &UpDown, device: &Device, net: &Dbn, rows: Rows<'_>) -> Result<Self> {
        let batch = recipe.batch.min(rows.count);
        let mut program = Program::default();
        let feed = Feed::of(&mut program, device, &rows, 0, batch);
        let [recognition, generative] =
            [&net.recognition, &net.generative].map(|layers| Network::declare(&mut program, layers));
        let (visible, hidden) = (net.top.visible_bias.len(), net.top.hidden_bias.len());
        let mut values = |name: &str, rows: usize, cols: usize| program.tensor(name, rows, cols, Kind::Values);
        let top = Layers {
            units: (net.top.visible, net.top.hidden),
            weight: values("w", visible, hidden),
            biases: (values("a", 1, visible), values("b", 1, hidden)),
            offsets: (None, None),
            stream: FIRST_STREAM,
        };
        let [x, y] = [("x", net.sizes()[0]), ("y", net.classes)].map(|(name, cols)| values(name, batch, cols));
        let (chain, unlabelled) = (values("chain", batch, hidden), values("v without label", batch, visible));
        let mut step = Routine::new("up-down step");
        let to = &mut Recording { program: &mut program, step: &mut step };
        record(to, recipe, (&recognition, &generative, &top), (x, y), (chain, unlabelled))?;
        let shift = recipe.shift.map(|ImageShift { width, pixels }| Shift { width, pixels, stream: FIRST_STREAM - 1 });
        let mut steps = Vec::new();
        for place in 0..feed.places() {
            let mut whole = Routine::new(step.name()).in_precision(recipe.precision);
            feed.gather(place, &mut whole, 0, shift, x)?;
            feed.gather(place, &mut whole, x.cols, None, y)?;
            step.ops().iter().try_for_each(|op| whole.push(op.clone()))?;
            steps.push(program.add(whole));
        }
        let mut execution = device.load(program)?;
        feed.upload(&mut *execution, &rows)?;
        recognition.write(&mut *execution, &net.recognition)?;
        generative.write(&mut *execution, &net.generative)?;
        execution.write(top.weight, &net.top.weight)?;
        execution.write(top.biases.0, &net.top.visible_bias)?;
        execution.write(top.biases.1, &net.top.hidden_bias)?;
        let mut stream = Stream::new(recipe.seed, 499);
        write_states(&mut *execution, chain, &mut stream)?;
        Ok(Self { execution, feed, steps, recognition, generative, top, batch, rows: rows.count })
    }

    /// Gives the mean error, or nothing if the observer ended the run.
    fn epoch(
        &mut self,
        recipe: &UpDown,
        epoch: usize,
        source: (&Rows<'_>, &[u32]),
        observer: &mut Observer<'_>,
    ) -> Result<Option<(f64, HostCost)>> {
        self.feed.write_order(&mut *self.execution, source.1)?;
        let batches = minibatches(self.rows, self.batch);
        let (each, before) = (batches.len(), (epoch - 1) * batches.len());
        let step = |(i, (offset, rows)): (usize, (u32, u32))| Step {
            offset,
            rows,
            counter: (before + i) as u32,
            learning_rate: recipe.rate * recipe.schedule.factor(before + i, each, recipe.epochs),
            momentum: recipe.momentum,
            weight_cost: recipe.weight_cost,
            ..Step::seeded(recipe.seed)
        };
        let steps: Vec<Step> = batches.enumerate().map(step).collect();
        let (stage, epochs, rows, batch) = ("up-down", recipe.epochs, self.rows, self.batch);
        let mut progress = Progress { stage, epoch, epochs, rows, batch, done: 0, observer };
        let control = &mut |batches| progress.tell(batches);
        let ran = self.feed.run(&mut *self.execution, &self.steps, &steps, Some(source), control, |_, _, _| Ok(()));
        let Some(metrics) = progress.outcome(ran)? else {
            return Ok(None);
        };
        // The first loss is that of the rows themselves.
        let error = metrics.errors[0].iter().map(|&x| f64::from(x)).sum::<f64>() / rows as f64;
        Ok(Some((error, HostCost::of(&metrics, steps.len()))))
    }

    /// The net with what was learned.
    fn read(&mut self, net: &Dbn) -> Result<Dbn> {
        let mut trained = net.clone();
        let execution = &mut *self.execution;
        self.recognition.read(execution, &mut trained.recognition)?;
        self.generative.read(execution, &mut trained.generative)?;
        trained.top.weight = execution.read(self.top.weight)?;
        trained.top.visible_bias = execution.read(self.top.biases.0)?;
        trained.top.hidden_bias = execution.read(self.top.biases.1)?;
        Ok(trained)
    }
}

fn record(
    to: &mut Recording<'_>,
    recipe: &UpDown,
    (recognition, generative, top): (&Network, &Network, &Layers),
    (x, y): (Tensor, Tensor),
    (chain, unlabelled): (Tensor, Tensor),
) -> Result<()> {
    let depth = recognition.layers.len();
    let features = top.weight.rows - y.cols;
    // Up: states by the recognition weights.
    let mut wake = vec![x];
    for (number, layer) in recognition.layers.iter().enumerate() {
        let (_, state) = draw(to, wake[number], layer, FIRST_STREAM + (1 << 16) + number as u32)?;
        wake.push(state);
    }
    let v0 = to.program.tensor("features and label", x.rows, features + y.cols, Kind::Values);
    to.step.push(Op::CopyColumns { input: wake[depth], first: 0, out: v0, to: 0, columns: features })?;
    to.step.push(Op::CopyColumns { input: y, first: 0, out: v0, to: features, columns: y.cols })?;
    let h0 = to.like("h0", chain);
    // Chains start at these states, or stay where they are.
    let state = if recipe.persistent { to.like("h0 state", h0) } else { chain };
    top.up(to, v0, Wanted::mean(h0).drawn(state, FIRST_STREAM - 2))?;
    let mut updates = Vec::new();
    if recipe.discriminative > 0.0 {
        let drawn = tell_labels_apart(to, top, (v0, h0), (unlabelled, y.cols))?;
        updates.push(learn(to, top, (v0, h0), drawn, recipe.discriminative));
    }
    if depth == 0 {
        let reconstruction = to.like("reconstruction", v0);
        top.down(to, h0, Wanted::mean(reconstruction).given(Some(v0)))?;
        to.step.push(squared_error(reconstruction, v0))?;
    }
    if depth > 0 || recipe.generative > 0.0 {
        let negative = top.gibbs(to, v0, chain, recipe.cd_steps)?;
        updates.extend(dream(to, (recognition, generative), &wake, negative.0)?);
        if recipe.generative > 0.0 {
            updates.push(learn(to, top, (v0, h0), negative, recipe.generative));
        }
    }
    updates.into_iter().try_for_each(|op| Ok(to.step.push(op)?))
}

/// Draws the layers below from the features of the top machine's chain, and gives the operations by which these layers learn:
/// the generative weights from the states inferred from the data, the recognition weights from those that were drawn.
fn dream(
    to: &mut Recording<'_>,
    (recognition, generative): (&Network, &Network),
    wake: &[Tensor],
    visible: Tensor,
) -> Result<Vec<Op>> {
    let depth = recognition.layers.len();
    let features = wake[depth];
    let mut updates = Vec::new();
    // Down: states by the generative weights, from those of the chain; the lowest stay means.
    let mut dreams = vec![to.like("dream", features)];
    to.step.push(Op::CopyColumns { input: visible, first: 0, out: dreams[0], to: 0, columns: features.cols })?;
    for (number, layer) in generative.layers.iter().enumerate().rev() {
        let (mean, state) = draw(to, dreams[dreams.len() - 1], layer, FIRST_STREAM + (1 << 17) + number as u32)?;
        dreams.push(if number == 0 { mean } else { state });
    }
    dreams.reverse();
    for number in 0..depth {
        updates.push(predict(to, wake[number + 1], &generative.layers[number], wake[number])?);
    }
    for number in 0..depth {
        updates.push(predict(to, dreams[number], &recognition.layers[number], dreams[number + 1])?);
    }
    Ok(updates)
}

/// The gradient of the top machine between the statistics of two phases, by so much.
fn learn(
    to: &mut Recording<'_>,
    top: &Layers,
    positive: (Tensor, Tensor),
    negative: (Tensor, Tensor),
    scale: f32,
) -> Op {
    let parameters = [top.weight, top.biases.1, top.biases.0].map(|parameter| momentum(to, parameter));
    gradient(positive, negative, parameters, scale)
}

/// Records a label for each row, drawn from p(label | features) as the top machine has it. Gives the rows with it and the hidden
/// means then: the statistics less which those with the right label are ∂ ln p(label | features) / ∂θ, exactly on the mean.
fn tell_labels_apart(
    to: &mut Recording<'_>,
    top: &Layers,
    (v0, h0): (Tensor, Tensor),
    (unlabelled, classes): (Tensor, usize),
) -> Result<(Tensor, Tensor)> {
    let features = v0.cols - classes;
    let inputs = to.like("inputs without label", h0);
    let Layers { weight, biases, .. } = *top;
    to.step.push(Op::CopyColumns { input: v0, first: 0, out: unlabelled, to: 0, columns: features })?;
    let (activation, sample) = (Activation::Linear, None);
    to.step.push(Op::Linear {
        input: unlabelled,
        weight,
        transposed: false,
        bias: biases.1,
        activation,
        out: inputs,
        sample,
    })?;
    let [energies, mean, label] =
        ["energies", "p(label)", "drawn label"].map(|name| to.program.tensor(name, v0.rows, classes, Kind::Values));
    to.step.push(Op::ClassEnergies { inputs, weight, bias: biases.0, out: energies })?;
    let (groups, states) = (Groups::one(classes), Some(Draw { out: label, stream: FIRST_STREAM - 3 }));
    to.step.push(Op::Softmax { input: energies, groups, scale: 1.0, given: None, out: mean, states })?;
    let (other, hidden) = (to.like("v of drawn label", v0), to.like("h of drawn label", h0));
    to.step.push(Op::CopyColumns { input: v0, first: 0, out: other, to: 0, columns: features })?;
    to.step.push(Op::CopyColumns { input: label, first: 0, out: other, to: features, columns: classes })?;
    top.up(to, other, Wanted::mean(hidden))?;
    Ok((other, hidden))
}

/// The means of a layer's units, and their states.
fn draw(to: &mut Recording<'_>, input: Tensor, layer: &Layer, stream: u32) -> Result<(Tensor, Tensor)> {
    let &Layer { weight, transposed, bias, activation, .. } = layer;
    let [out, state] = ["mean", "state"].map(|name| to.program.tensor(name, input.rows, weight.cols, Kind::Values));
    let sample = Some(Sample { sampling: Sampling::Bernoulli, out: state, stream });
    to.step.push(Op::Linear { input, weight, transposed, bias, activation, out, sample })?;
    Ok((out, state))
}

/// Records how likely a layer makes its target, and gives the operation by which it learns to make it more likely.
fn predict(to: &mut Recording<'_>, input: Tensor, layer: &Layer, target: Tensor) -> Result<Op> {
    let &Layer { weight, transposed, bias, .. } = layer;
    let [logits, delta] = ["logits", "delta"].map(|name| to.like(name, target));
    let activation = Activation::Linear;
    to.step.push(Op::Linear { input, weight, transposed, bias, activation, out: logits, sample: None })?;
    let kind = LossKind::CrossEntropy;
    to.step.push(Op::Loss { kind, input: logits, target, output: None, delta: Some(delta) })?;
    Ok(Op::Gradient {
        positive: (input, delta),
        negative: None,
        weight: momentum(to, weight),
        bias: Some(momentum(to, bias)),
        input_bias: None,
        plus: None,
        positions: 1,
        scale: 1.0,
    })
}

fn momentum(to: &mut Recording<'_>, parameter: Tensor) -> Update {
    Update::Momentum { parameter, velocity: to.like("velocity", parameter) }
}

/// Whether the last values of each row, one for each class, are a label.
fn labelled(rows: &Rows<'_>, classes: usize) -> Result<()> {
    let sum = |row: usize| (rows.width - classes..rows.width).map(|column| rows.at(row, column)).sum::<f32>();
    match (0..rows.count).find(|&row| (sum(row) - 1.0).abs() > 1e-3) {
        None => Ok(()),
        Some(row) => Err(Error::Setting {
            setting: "the label",
            value: format!("a sum of {} in row {row}", sum(row)),
            expected: "ln p(label given image) takes rows whose last values say which label they have, as those of Labelled",
        }),
    }
}
