//! Fine-tuning of a deep belief net by the up-down algorithm (Hinton, Osindero & Teh 2006, appendix B).

use serde::{Deserialize, Serialize};
use strait_compute::philox::{Stream, streams};
use strait_compute::{
    Activation, Device, Draw, Execution, Groups, LossKind, Op, Precision, Program, Routine, RoutineId, Sample,
    Sampling, Shift, Step, Tensor, Update,
};
use strait_data::Rows;
use strait_models::{Dbn, Layer, Network, Wanted};

use crate::error::{below, decay, gibbs_steps, positive, positive_rate, probabilities, weight_cost};
use crate::feed::Feed;
use crate::finetune::ImageShift;
use crate::finetune_plan::not_finite;
use crate::machine_tensors::{MachineTensors, Recording, squared_error, write_states};
use crate::method::{Method, Outcome, Part, Place, Source, Tally, Visits};
use crate::optimizer::{gradient_of, momentum};
use crate::plan::{Epoch, Plan};
use crate::progress::HostCost;
use crate::statistics::{follow, gradient};
use crate::{Error, Result, Run, Schedule};

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
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
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
    /// use strait_models::{Dbn, Units};
    /// use strait_train::{Pretrain, UpDown};
    /// let device = Device::cpu()?;
    /// let pixels = [255u8, 255, 0, 0, 0, 0, 255, 255].repeat(50);
    /// let rows = Rows::bytes(&pixels, 4)?;
    /// let labels = [0, 1].repeat(50);
    /// let recipe = Pretrain { epochs: 20, batch: 10, code: Units::Bernoulli, ..Pretrain::default() };
    /// let below = recipe.fit(&device, &[4, 6], rows)?.stack;
    /// let mut net = Dbn::on(&below, 2, 12, &mut Stream::new(1, 0))?;
    /// let labelled = Labelled::new(rows, &labels, 2)?;
    /// UpDown { epochs: 50, batch: 10, ..UpDown::default() }.fit(&device, &mut net, labelled.rows())?;
    /// assert_eq!(net.error_rate(&device, rows, &labels)?, 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a setting makes no sense, the data do not fit, the device fails, or an error is not finite. The net is then as it was
    /// before.
    pub fn fit(&self, device: &Device, net: &mut Dbn, rows: Rows<'_>) -> Result<UpDownTrained> {
        self.run(device, net, rows)?.train()
    }

    /// A run that trains all weights of the net from what they are now. The net is changed when the run ends.
    ///
    /// # Errors
    /// As [`UpDown::fit`].
    pub fn run<'a>(&self, device: &Device, net: &'a mut Dbn, rows: Rows<'a>) -> Result<Run<'a, UpDownPlan<'a>>> {
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
        Ok(Run::new(device, UpDownPlan::new(self.clone(), net, rows)))
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

impl UpDown {
    /// Whether a chain of the top machine is recorded for this net.
    fn has_chain(&self, net: &Dbn) -> bool {
        !net.recognition.is_empty() || self.generative > 0.0
    }
}

/// A net on a device.
struct OnDevice {
    recognition: Network,
    generative: Network,
    top: MachineTensors,
}

/// Loads a net with what trains it.
fn load<'a>(recipe: &UpDown, device: &Device, net: &Dbn, rows: Rows<'a>) -> Result<(Part<'a>, OnDevice)> {
    let batch = recipe.batch.min(rows.count);
    let mut program = Program::default();
    let feed = Feed::of(&mut program, device, &rows, 0, batch);
    let [recognition, generative] = [("recognition", &net.recognition), ("generative", &net.generative)]
        .map(|(name, layers)| Network::declare(&mut program, name, layers));
    let (visible, hidden) = (net.top.visible_bias.len(), net.top.hidden_bias.len());
    let mut parameter = |name: &str, rows: usize, cols: usize| program.parameter(name, rows, cols);
    let top = MachineTensors {
        units: (net.top.visible, net.top.hidden),
        weight: parameter("top.weight", visible, hidden),
        biases: (parameter("top.visible_bias", 1, visible), parameter("top.hidden_bias", 1, hidden)),
        offsets: (None, None),
        stream: streams::UP_DOWN_CHAIN,
    };
    let [x, y] = [("x", net.sizes()[0]), ("y", net.classes)].map(|(name, cols)| program.value(name, batch, cols));
    let chain = match recipe.persistent && recipe.has_chain(net) {
        true => program.state("chain", batch, hidden),
        false => program.value("chain", batch, hidden),
    };
    let unlabelled = program.value("v.unlabelled", batch, visible);
    let mut step = Routine::new("up-down step");
    let to = &mut Recording { program: &mut program, step: &mut step };
    record(to, recipe, (&recognition, &generative, &top), (x, y), (chain, unlabelled))?;
    let shift =
        recipe.shift.map(|ImageShift { width, pixels }| Shift { width, pixels, stream: streams::UP_DOWN_SHIFT });
    let mut steps = Vec::new();
    for place in 0..feed.places() {
        let mut whole = Routine::new(step.name()).in_precision(recipe.precision);
        feed.gather(place, &mut whole, 0, shift, x)?;
        feed.gather(place, &mut whole, x.cols, None, y)?;
        step.ops().iter().try_for_each(|op| whole.push(op.clone()))?;
        steps.push(program.add(whole));
    }
    let mut execution = device.load(program)?;
    recognition.write(&mut *execution, &net.recognition)?;
    generative.write(&mut *execution, &net.generative)?;
    execution.write_many(&[
        (top.weight, &net.top.weight),
        (top.biases.0, &net.top.visible_bias),
        (top.biases.1, &net.top.hidden_bias),
    ])?;
    write_states(&mut *execution, chain, &mut Stream::new(recipe.seed, streams::TOP_CHAIN))?;
    let method = Box::new(Contrast { recipe: recipe.clone(), batch, steps });
    Ok((Part { execution, feed, source: Source::Host(rows), method }, OnDevice { recognition, generative, top }))
}

/// The up-down algorithm as a method.
struct Contrast {
    recipe: UpDown,
    batch: usize,
    steps: Vec<RoutineId>,
}

impl Method for Contrast {
    fn stage(&self) -> &str {
        "up-down"
    }

    fn epochs(&self) -> usize {
        self.recipe.epochs
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn rate(&self) -> f64 {
        f64::from(self.recipe.rate)
    }

    fn visits(&self) -> Visits {
        Visits::Shuffled { seed: self.recipe.seed, stream: streams::EPOCH_ORDER }
    }

    fn routines(&self) -> &[RoutineId] {
        &self.steps
    }

    fn step(&self, place: Place, (offset, rows): (u32, u32)) -> Step {
        let (recipe, number) = (&self.recipe, place.number());
        Step {
            offset,
            rows,
            counter: number as u32,
            learning_rate: recipe.rate * recipe.schedule.factor(number, place.minibatches, recipe.epochs),
            momentum: recipe.momentum,
            weight_cost: recipe.weight_cost,
            ..Step::seeded(recipe.seed)
        }
    }

    fn outcome(&mut self, _: &mut dyn Execution, tally: &Tally, rows: usize) -> Result<Outcome> {
        // The first loss is that of the rows themselves.
        let error = tally.metrics.errors[0].iter().map(|&x| f64::from(x)).sum::<f64>() / rows as f64;
        Ok(Outcome { error, ..Outcome::default() })
    }
}

/// The plan of [`UpDown`]: one part.
pub struct UpDownPlan<'a> {
    recipe: UpDown,
    net: &'a mut Dbn,
    rows: Rows<'a>,
    on_device: Option<OnDevice>,
    /// What was learned so far.
    learned: Dbn,
}

impl<'a> UpDownPlan<'a> {
    fn new(recipe: UpDown, net: &'a mut Dbn, rows: Rows<'a>) -> Self {
        let learned = net.clone();
        Self { recipe, net, rows, on_device: None, learned }
    }
}

impl<'a> Run<'a, UpDownPlan<'a>> {
    /// The net as it is now.
    ///
    /// # Errors
    /// The device's own.
    pub fn net(&mut self) -> Result<&Dbn> {
        let (plan, part) = self.loaded()?;
        if let Some(part) = part {
            plan.take(0, part)?;
        }
        Ok(&plan.learned)
    }
}

impl<'a> Plan<'a> for UpDownPlan<'a> {
    type Record = UpDownEpoch;
    type Output = UpDownTrained;
    type Progress = ();

    fn parts(&self) -> usize {
        1
    }

    fn epochs_of(&self, _: usize) -> usize {
        self.recipe.epochs
    }

    fn start(&mut self, device: &Device, _: usize) -> Result<Part<'a>> {
        let (part, on_device) = load(&self.recipe, device, self.net, self.rows)?;
        self.on_device = Some(on_device);
        Ok(part)
    }

    fn record(&self, _: usize, Epoch { epoch, outcome, seconds, cost }: Epoch) -> UpDownEpoch {
        UpDownEpoch { epoch, error: outcome.error, seconds, cost }
    }

    fn take(&mut self, _: usize, trained: &mut Part<'a>) -> Result<()> {
        let Some(OnDevice { recognition, generative, top }) = &self.on_device else {
            return Ok(());
        };
        let execution = &mut *trained.execution;
        recognition.read(execution, &mut self.learned.recognition)?;
        generative.read(execution, &mut self.learned.generative)?;
        self.learned.top.weight = execution.read(top.weight)?;
        self.learned.top.visible_bias = execution.read(top.biases.0)?;
        self.learned.top.hidden_bias = execution.read(top.biases.1)?;
        Ok(())
    }

    fn wrong(&self, _: usize) -> Option<f64> {
        let Dbn { recognition, generative, top, .. } = &self.learned;
        let mut top = [&top.weight, &top.visible_bias, &top.hidden_bias].into_iter().flatten();
        let top = top.find(|x| !x.is_finite()).map(|x| f64::from(*x));
        top.or_else(|| not_finite(recognition)).or_else(|| not_finite(generative))
    }

    fn output(self, mut records: Vec<Vec<UpDownEpoch>>, stopped: bool) -> Result<UpDownTrained> {
        *self.net = self.learned;
        Ok(UpDownTrained { epochs: records.pop().unwrap_or_default(), stopped })
    }

    fn save(&self) -> (Vec<(String, Vec<f32>)>, ()) {
        (Vec::new(), ())
    }

    fn restore(&mut self, _: &Device, _: usize, _: &mut dyn FnMut(&str) -> Result<Vec<f32>>, (): ()) -> Result<bool> {
        Ok(true)
    }
}

fn record(
    to: &mut Recording<'_>,
    recipe: &UpDown,
    (recognition, generative, top): (&Network, &Network, &MachineTensors),
    (x, y): (Tensor, Tensor),
    (chain, unlabelled): (Tensor, Tensor),
) -> Result<()> {
    let depth = recognition.layers.len();
    let features = top.weight.rows - y.cols;
    // Up: states by the recognition weights.
    let mut wake = vec![x];
    for (number, layer) in recognition.layers.iter().enumerate() {
        let (_, state) = draw(to, wake[number], layer, streams::UP + number as u32)?;
        wake.push(state);
    }
    let v0 = to.program.value("v0", x.rows, features + y.cols);
    to.step.push(Op::CopyColumns { input: wake[depth], first: 0, out: v0, to: 0, columns: features })?;
    to.step.push(Op::CopyColumns { input: y, first: 0, out: v0, to: features, columns: y.cols })?;
    let h0 = to.like("h0", chain);
    // Chains start at these states, or stay where they are.
    let state = if recipe.persistent { to.like("h0.state", h0) } else { chain };
    top.up(to, v0, Wanted::mean(h0).drawn(state, streams::UP_DOWN_DATA))?;
    let mut updates = Vec::new();
    if recipe.discriminative > 0.0 {
        let drawn = tell_labels_apart(to, top, (v0, h0), (unlabelled, y.cols))?;
        updates.extend(learn(to, top, ((v0, h0), drawn), ("discriminative", recipe.discriminative)));
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
            updates.extend(learn(to, top, ((v0, h0), negative), ("generative", recipe.generative)));
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
        let (mean, state) = draw(to, dreams[dreams.len() - 1], layer, streams::DOWN + number as u32)?;
        dreams.push(if number == 0 { mean } else { state });
    }
    dreams.reverse();
    for number in 0..depth {
        updates.extend(predict(to, wake[number + 1], &generative.layers[number], wake[number])?);
    }
    for number in 0..depth {
        updates.extend(predict(to, dreams[number], &recognition.layers[number], dreams[number + 1])?);
    }
    Ok(updates)
}

/// The gradient of a term of the top machine's objective, between the statistics of two phases and by so much, and the updates by
/// it: each term has velocities of its own.
fn learn(
    to: &mut Recording<'_>,
    top: &MachineTensors,
    (positive, negative): ((Tensor, Tensor), (Tensor, Tensor)),
    (term, scale): (&str, f32),
) -> Vec<Op> {
    let slopes = top.parameters().map(|parameter| gradient_of(to.program, parameter));
    let updates = top.parameters().map(|parameter| {
        let name = format!("{}.{term}.velocity", to.program.name(parameter));
        Update::Momentum { parameter, velocity: to.program.state(name, parameter.rows, parameter.cols) }
    });
    let gradient = gradient(positive, negative, slopes, scale);
    std::iter::once(gradient).chain(follow(slopes, updates)).collect()
}

/// Records a label for each row, drawn from p(label | features) as the top machine has it. Gives the rows with it and the hidden
/// means then: the statistics less which those with the right label are ∂ ln p(label | features) / ∂θ, exactly on the mean.
fn tell_labels_apart(
    to: &mut Recording<'_>,
    top: &MachineTensors,
    (v0, h0): (Tensor, Tensor),
    (unlabelled, classes): (Tensor, usize),
) -> Result<(Tensor, Tensor)> {
    let features = v0.cols - classes;
    let inputs = to.like("unlabelled.inputs", h0);
    let MachineTensors { weight, biases, .. } = *top;
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
        ["energies", "label.mean", "label"].map(|name| to.program.value(name, v0.rows, classes));
    to.step.push(Op::ClassEnergies { inputs, weight, bias: biases.0, out: energies })?;
    let (groups, states) = (Groups::one(classes), Some(Draw { out: label, stream: streams::UP_DOWN_LABEL }));
    to.step.push(Op::Softmax { input: energies, groups, scale: 1.0, given: None, out: mean, states })?;
    let (other, hidden) = (to.like("label.v", v0), to.like("label.h", h0));
    to.step.push(Op::CopyColumns { input: v0, first: 0, out: other, to: 0, columns: features })?;
    to.step.push(Op::CopyColumns { input: label, first: 0, out: other, to: features, columns: classes })?;
    top.up(to, other, Wanted::mean(hidden))?;
    Ok((other, hidden))
}

/// The means of a layer's units, and their states.
fn draw(to: &mut Recording<'_>, input: Tensor, layer: &Layer, stream: u32) -> Result<(Tensor, Tensor)> {
    let &Layer { weight, transposed, bias, activation, .. } = layer;
    let [out, state] = ["mean", "state"].map(|name| to.program.value(name, input.rows, weight.cols));
    let sample = Some(Sample { sampling: Sampling::Bernoulli, out: state, stream });
    to.step.push(Op::Linear { input, weight, transposed, bias, activation, out, sample })?;
    Ok((out, state))
}

/// Records how likely a layer makes its target, and gives the operations by which it learns to make it more likely.
fn predict(to: &mut Recording<'_>, input: Tensor, layer: &Layer, target: Tensor) -> Result<[Op; 3]> {
    let &Layer { weight, transposed, bias, .. } = layer;
    let [logits, delta] = ["logits", "delta"].map(|name| to.like(name, target));
    let activation = Activation::Linear;
    to.step.push(Op::Linear { input, weight, transposed, bias, activation, out: logits, sample: None })?;
    let kind = LossKind::CrossEntropy;
    to.step.push(Op::Loss { kind, input: logits, target, output: None, delta: Some(delta) })?;
    let [of_weight, of_bias] = [weight, bias].map(|parameter| gradient_of(to.program, parameter));
    let gradient = Op::Gradient {
        positive: (input, delta),
        negative: None,
        weight: Update::Store { gradient: of_weight },
        bias: Some(Update::Store { gradient: of_bias }),
        input_bias: None,
        plus: None,
        positions: 1,
        scale: 1.0,
    };
    let mut update =
        |parameter, gradient, decays| Op::Update { gradient, update: momentum(to.program, parameter), decays };
    Ok([gradient, update(weight, of_weight, true), update(bias, of_bias, false)])
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
