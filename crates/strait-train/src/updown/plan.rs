//! A deep belief net on a device, and the plan of a run of the up-down algorithm.

use strait_compute::philox::{Stream, streams};
use strait_compute::{Device, Execution, Op, Program, Routine, RoutineId, Shift, Step, Tensor};
use strait_data::Rows;
use strait_models::{Affine, Dbn, Network};

use super::step::{classify, record};
use super::{UpDown, UpDownEpoch, UpDownTrained};
use crate::checkpoint::{Difference, Hashed, Modeller, of_layers, of_machines, of_rows};
use crate::error::probabilities;
use crate::feed::Feed;
use crate::finetune_plan::not_finite;
use crate::machine_tensors::{MachineTensors, Recording, write_states};
use crate::method::{Method, Outcome, Part, Place, Source, Tally, Visits};
use crate::monitor::Watching;
use crate::plan::{Epoch, Plan};
use crate::snapshot::Cursor;
use crate::test_set::TestSet;
use crate::{Error, ImageShift, Result, Run, Schedule};

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

    /// Whether a chain of the top machine is recorded for this net.
    fn has_chain(&self, net: &Dbn) -> bool {
        !net.recognition.is_empty() || self.generative > 0.0
    }
}

/// Rows held out that are measured at once.
const MEASURED: usize = 500;

/// A net on a device.
#[derive(Clone)]
struct OnDevice {
    recognition: Network,
    generative: Network,
    top: MachineTensors,
}

impl OnDevice {
    /// Reads the parameters from wherever `read` finds their tensors.
    fn read_from(
        &self,
        read: &mut dyn FnMut(Tensor) -> strait_models::Result<Vec<f32>>,
        net: &mut Dbn,
    ) -> strait_models::Result<()> {
        let Self { recognition, generative, top } = self;
        recognition.read_from(read, &mut net.recognition)?;
        generative.read_from(read, &mut net.generative)?;
        net.top.weight = read(top.weight)?;
        net.top.visible_bias = read(top.biases.0)?;
        net.top.hidden_bias = read(top.biases.1)?;
        Ok(())
    }
}

/// Loads a net with what trains it, and measures it on rows held out.
fn load<'a>(
    recipe: &UpDown,
    device: &Device,
    net: &Dbn,
    (rows, validation): (Rows<'a>, Option<Rows<'a>>),
) -> Result<(Part<'a>, OnDevice)> {
    let batch = recipe.batch.min(rows.count);
    let mut program = Program::default();
    let feed = Feed::of(&mut program, device, &rows, 0, batch).of_rank(device, recipe.shards)?;
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
    let validation = validation.map(|rows| {
        let batch = MEASURED.min(rows.count);
        TestSet::of(device, &mut program, "validation", (Source::Host(rows), batch), |program, routine, data| {
            let [x, y] = [("validation.x", x.cols), ("validation.y", y.cols)]
                .map(|(name, cols)| program.value(name, batch, cols));
            for (first, out) in [(0, x), (x.cols, y)] {
                routine.push(Op::Gather { data, index: None, first, shift: None, out })?;
            }
            classify(&mut Recording { program, step: routine }, (&recognition, &top), (x, y))
        })
    });
    let validation = validation.transpose()?;
    let mut execution = device.load_in_shards(program, &[], recipe.shards)?;
    validation.iter().try_for_each(|set| set.upload(&mut *execution))?;
    recognition.write(&mut *execution, &net.recognition)?;
    generative.write(&mut *execution, &net.generative)?;
    execution.write_many(&[
        (top.weight, &net.top.weight),
        (top.biases.0, &net.top.visible_bias),
        (top.biases.1, &net.top.hidden_bias),
    ])?;
    write_states(&mut *execution, chain, &mut Stream::new(recipe.seed, streams::TOP_CHAIN))?;
    let method = Box::new(Contrast { recipe: recipe.clone(), batch, steps, validation });
    Ok((Part { execution, feed, source: Source::Host(rows), method }, OnDevice { recognition, generative, top }))
}

/// The up-down algorithm as a method.
struct Contrast<'a> {
    recipe: UpDown,
    batch: usize,
    steps: Vec<RoutineId>,
    validation: Option<TestSet<'a>>,
}

impl Method for Contrast<'_> {
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

    fn outcome(&mut self, execution: &mut dyn Execution, tally: &Tally, rows: usize) -> Result<Outcome> {
        // The first loss is that of the rows themselves.
        let error = tally.metrics.errors[0].iter().map(|&x| f64::from(x)).sum::<f64>() / rows as f64;
        let validation = self.validation.as_ref().map(|set| set.measure(execution)).transpose()?;
        Ok(Outcome { error, validation: validation.map(|(error, _)| error), ..Outcome::default() })
    }
}

/// The plan of [`UpDown`]: one part.
pub struct UpDownPlan<'a> {
    recipe: UpDown,
    net: &'a mut Dbn,
    rows: Rows<'a>,
    validation: Option<Rows<'a>>,
    on_device: Option<OnDevice>,
    /// What was learned so far.
    learned: Dbn,
}

impl<'a> UpDownPlan<'a> {
    fn new(recipe: UpDown, net: &'a mut Dbn, rows: Rows<'a>) -> Self {
        let learned = net.clone();
        Self { recipe, net, rows, validation: None, on_device: None, learned }
    }
}

impl<'a> Run<'a, UpDownPlan<'a>> {
    /// Judges the run on rows, with their labels behind them, that are held out of training: by the share of them that is given another
    /// class than their label. See [`EarlyStopping`](crate::EarlyStopping).
    ///
    /// # Errors
    /// If they do not fit the net.
    pub fn validation(mut self, rows: Rows<'a>) -> Result<Self> {
        let plan = self.plan_mut();
        if rows.width != plan.rows.width {
            return Err(strait_models::Error::Width { expected: plan.rows.width, found: rows.width }.into());
        }
        probabilities(&rows)?;
        labelled(&rows, plan.net.classes)?;
        plan.validation = Some(rows);
        Ok(self)
    }

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

    fn epochs_of(&self, _: usize) -> usize {
        self.recipe.epochs
    }

    fn start(&mut self, device: &Device, _: usize) -> Result<Part<'a>> {
        let (part, on_device) = load(&self.recipe, device, self.net, (self.rows, self.validation))?;
        self.on_device = Some(on_device);
        Ok(part)
    }

    fn record(&self, _: usize, Epoch { epoch, outcome, seconds, rate_factor, cost }: Epoch) -> UpDownEpoch {
        UpDownEpoch { epoch, error: outcome.error, validation_error: outcome.validation, seconds, rate_factor, cost }
    }

    fn take(&mut self, _: usize, trained: &mut Part<'a>) -> Result<()> {
        let execution = &mut trained.execution;
        match &self.on_device {
            Some(net) => Ok(net.read_from(&mut |tensor| Ok(execution.read(tensor)?), &mut self.learned)?),
            None => Ok(()),
        }
    }

    fn wrong(&self, _: usize) -> Option<f64> {
        let Dbn { recognition, generative, top, .. } = &self.learned;
        let mut top = [&top.weight, &top.visible_bias, &top.hidden_bias].into_iter().flatten();
        let top = top.find(|x| !x.is_finite()).map(|x| f64::from(*x));
        top.or_else(|| not_finite(recognition)).or_else(|| not_finite(generative))
    }

    fn watching(&self) -> Watching {
        self.recipe.watching()
    }

    fn has_held_out(&self) -> bool {
        self.validation.is_some()
    }

    fn identity(&self, hashed: Hashed) -> serde_json::Value {
        let layers: Vec<Affine> = self.net.recognition.iter().chain(&self.net.generative).cloned().collect();
        serde_json::json!({
            "recipe": self.recipe,
            "start": {"layers": of_layers(&layers), "top": of_machines([&self.net.top]), "classes": self.net.classes},
            "training-set": of_rows(&self.rows, hashed),
            "validation-set": self.validation.as_ref().map(|rows| of_rows(rows, hashed)),
        })
    }

    fn difference(&self, field: &str, _: &serde_json::Value, _: Cursor) -> Difference {
        match (field, self.recipe.schedule) {
            ("recipe.epochs", Schedule::Constant | Schedule::Step { .. }) => Difference::Allowed,
            _ => Difference::Change(None),
        }
    }

    fn modeller(&self, _: usize, _: &mut Part<'a>) -> Result<Option<Modeller>> {
        let Some(on_device) = self.on_device.clone() else {
            return Ok(None);
        };
        let mut net = self.learned.clone();
        Ok(Some(Box::new(move |read| {
            on_device.read_from(read, &mut net)?;
            Ok(net.clone().into())
        })))
    }

    fn output(self, mut records: Vec<Vec<UpDownEpoch>>, stopped: bool) -> Result<UpDownTrained> {
        *self.net = self.learned;
        Ok(UpDownTrained { epochs: records.pop().unwrap_or_default(), stopped })
    }
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
