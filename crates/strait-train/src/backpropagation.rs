//! Training by back-propagation: a model on a device, with what trains it.

use strait_compute::philox::streams;
use strait_compute::{Device, Execution, Kind, Op, Program, Routine, RoutineId, Shift, Step, Tensor};
use strait_data::{Rows, Standard};
use strait_models::Network;

use crate::feed::Feed;
use crate::finetune::ImageShift;
use crate::method::{Method, Outcome, Part, Place, Source, Tally, Visits};
use crate::minibatch::{Minibatch, Part as Columns};
use crate::net_problem::{GRADIENT, Memory, NetProblem, declare_vectors};
use crate::optimizer::gradient_of;
use crate::test_set::TestSet;
use crate::{FineTune, Member, Result};

/// Where everything is in the program of a model and of what trains it.
pub(crate) struct Places<'a> {
    network: Network,
    feed: Feed,
    batch: usize,
    /// For each place of the feed, one step of Adam or momentum, or the gathering of a minibatch for a minimiser.
    steps: Vec<RoutineId>,
    minimiser: Option<Memory>,
    held_out: Measured<'a>,
    /// The numbers that rows are standardised with.
    columns: Option<[Tensor; 2]>,
}

/// Rows held out of training whose errors are measured; all of them are on the host.
#[derive(Clone, Default)]
pub(crate) struct HeldOut<'a> {
    pub(crate) test: Option<Source<'a>>,
    /// Those that early stopping is judged on.
    pub(crate) validation: Option<Source<'a>>,
}

/// The same on a device.
struct Measured<'a> {
    test: Option<TestSet<'a>>,
    validation: Option<TestSet<'a>>,
}

impl<'a> Measured<'a> {
    fn sets(&self) -> impl Iterator<Item = &TestSet<'a>> {
        self.test.iter().chain(&self.validation)
    }
}

/// What becomes of each row of a minibatch that is gathered, so that the rows themselves stay as they are.
#[derive(Clone, Copy)]
pub(crate) struct Standardized<'s> {
    pub(crate) standard: &'s Standard,
    /// Longer rows are scaled down to that length.
    pub(crate) longest: f32,
}

impl Standardized<'_> {
    /// Declares what it takes.
    fn declare(&self, program: &mut Program) -> Standardization {
        let width = self.standard.mean.len();
        let columns = ["mean", "scale"].map(|name| program.data(format!("rows.{name}"), 1, width, Kind::Values));
        Standardization { columns, longest: self.longest }
    }

    /// Writes the numbers of the columns.
    fn write(&self, execution: &mut dyn Execution, [shift, scale]: [Tensor; 2]) -> Result<()> {
        execution.write(shift, &self.standard.mean)?;
        Ok(execution.write(scale, &vec![1.0 / self.standard.deviation; scale.cols])?)
    }
}

/// The same in a program.
#[derive(Clone, Copy)]
pub(crate) struct Standardization {
    columns: [Tensor; 2],
    longest: f32,
}

/// Gives the tensor to gather a minibatch's rows into, and the operations that standardise them where that is asked for.
pub(crate) fn gathered(
    program: &mut Program,
    standardization: Option<Standardization>,
    out: Tensor,
) -> (Tensor, impl Iterator<Item = Op>) {
    let (gathered, ops) = match standardization {
        None => (out, None),
        Some(Standardization { columns, longest }) => {
            let gathered = program.value("gathered", out.rows, out.cols);
            let [shift, scale] = columns.map(Some);
            let standardize = Op::Standardize { input: gathered, shift, scale, out };
            (gathered, Some([standardize, Op::MaxNorm { weight: out, norm: longest, rows: true, exact: false }]))
        }
    };
    (gathered, ops.into_iter().flatten())
}

/// The program of a model and of what trains it on these rows, which may be standardised in the program.
pub(crate) fn record<'a>(
    recipe: &FineTune,
    device: &Device,
    net: &dyn Member,
    (train, standardized): (Rows<'_>, Option<Standardized<'_>>),
    held_out: HeldOut<'a>,
) -> Result<(Program, Places<'a>)> {
    let mut program = Program::default();
    let batch = recipe.batch.min(train.count);
    let feed = Feed::of(&mut program, device, &train, 0, batch).of_rank(device, recipe.shards)?;
    let minibatch = Minibatch::declare(&mut program, "", batch, net);
    let network = recipe.declare(&mut program, net);
    let optimizer = recipe.optimizer;
    let at_once = optimizer.vectors() == 0;
    let mut learn = Routine::new(if at_once { "fine-tuning step" } else { "loss and gradient" });
    let parameters = Network { layers: network.layers[recipe.frozen..].to_vec() }.parameters();
    let vectors = declare_vectors(&mut program, &parameters, optimizer.vectors());
    // Of a minimiser, the gradient is one of its vectors.
    let place = |program: &mut Program, parameter: Tensor| {
        let number = parameters.iter().position(|known| *known == parameter);
        let vector = vectors.get(GRADIENT.0 - 1).zip(number).map(|(vector, number)| vector[number]);
        vector.unwrap_or_else(|| gradient_of(program, parameter))
    };
    let slopes = minibatch.learn((&mut program, &mut learn), (net, &network), recipe, place)?;
    slopes.follow((&mut program, &mut learn), |program, parameter| optimizer.rule(program, parameter))?;
    let shift = recipe.shift.map(|ImageShift { width, pixels }| Shift { width, pixels, stream: streams::SHIFT });
    let standardization = standardized.map(|standardized| standardized.declare(&mut program));
    let mut steps = Vec::new();
    for place in 0..feed.places() {
        let name = if at_once { "fine-tuning step" } else { "gather" };
        let mut step = Routine::new(name).in_precision(recipe.precision);
        for Columns { first, shift, out } in minibatch.parts(shift) {
            let (gathered, mut ops) = gathered(&mut program, standardization, out);
            feed.gather(place, &mut step, first, shift, gathered)?;
            ops.try_for_each(|op| step.push(op))?;
        }
        if at_once {
            learn.ops().iter().try_for_each(|op| step.push(op.clone()))?;
        }
        steps.push(program.add(step));
    }
    let minimiser = (!at_once).then(|| Memory::new(parameters.clone(), vectors, program.add(learn)));
    let mut set = |name: &str, rows: Option<Source<'a>>| {
        let measured =
            |rows| TestSet::record(device, &mut program, name, (net, &network), (rows, standardization), recipe);
        rows.map(measured).transpose()
    };
    let held_out = Measured { test: set("test", held_out.test)?, validation: set("validation", held_out.validation)? };
    let columns = standardization.map(|standardization| standardization.columns);
    Ok((program, Places { network, feed, batch, steps, minimiser, held_out, columns }))
}

/// Loads a model with what trains it on rows of the host; also gives its parameters' tensors. Events tell of it by the name of `stage`.
pub(crate) fn load<'a>(
    stage: &str,
    recipe: &FineTune,
    device: &Device,
    net: &dyn Member,
    source: Source<'a>,
    held_out: HeldOut<'a>,
) -> Result<(Part<'a>, Network)> {
    let (part, network, ()) = load_with((stage, 0), recipe, device, net, (source, None), held_out, |_, _| Ok(()))?;
    Ok((part, network))
}

/// The same where the optimiser has taken `before` steps already, rows may be standardised in the program, and `more` records what else it is for.
pub(crate) fn load_with<'a, T>(
    (stage, before): (&str, usize),
    recipe: &FineTune,
    device: &Device,
    net: &dyn Member,
    (source, standardized): (Source<'a>, Option<Standardized<'_>>),
    held_out: HeldOut<'a>,
    more: impl FnOnce(&mut Program, &Network) -> Result<T>,
) -> Result<(Part<'a>, Network, T)> {
    let Some(rows) = source.on_host() else { unreachable!("rows of a model are on the host") };
    let (mut program, places) = record(recipe, device, net, (rows, standardized), held_out)?;
    let Places { network, feed, batch, steps, minimiser, held_out, columns } = places;
    let more = more(&mut program, &network)?;
    let mut execution = device.load_in_shards(program, &[], recipe.shards)?;
    network.write(&mut *execution, net.layers())?;
    held_out.sets().try_for_each(|set| set.upload(&mut *execution))?;
    if let Some((standardized, columns)) = standardized.zip(columns) {
        standardized.write(&mut *execution, columns)?;
    }
    let (recipe, stage) = (recipe.clone(), stage.to_owned());
    let method = BackPropagation { recipe, stage, before, batch, steps, minimiser, held_out };
    Ok((Part { execution, feed, source, method: Box::new(method) }, network, more))
}

/// The training of a model by back-propagation.
struct BackPropagation<'a> {
    recipe: FineTune,
    stage: String,
    /// Steps that the optimiser has taken before.
    before: usize,
    batch: usize,
    steps: Vec<RoutineId>,
    minimiser: Option<Memory>,
    held_out: Measured<'a>,
}

impl Method for BackPropagation<'_> {
    fn stage(&self) -> &str {
        &self.stage
    }

    fn epochs(&self) -> usize {
        self.recipe.epochs
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn rate(&self) -> f64 {
        f64::from(self.recipe.optimizer.rate().unwrap_or(f32::NAN))
    }

    fn visits(&self) -> Visits {
        Visits::Shuffled { seed: self.recipe.seed, stream: streams::EPOCH_ORDER }
    }

    fn routines(&self) -> &[RoutineId] {
        &self.steps
    }

    fn step(&self, place: Place, minibatch: (u32, u32)) -> Step {
        let (recipe, number) = (&self.recipe, place.number());
        let factor = recipe.schedule.factor(number, place.minibatches, recipe.epochs);
        recipe.optimizer.at(recipe.step(number, minibatch), self.before + number, factor)
    }

    fn retune(&mut self, recipe: FineTune, before: usize) {
        (self.recipe, self.before) = (recipe, before);
    }

    fn minimises(&self) -> bool {
        self.minimiser.is_some()
    }

    fn minimise(&mut self, execution: &mut dyn Execution, step: &Step) -> strait_compute::Result<f64> {
        let Some(memory) = &mut self.minimiser else { unreachable!("it minimises") };
        self.recipe.optimizer.minimize(&mut NetProblem::new(execution, memory, step.rows))
    }

    fn outcome(&mut self, execution: &mut dyn Execution, tally: &Tally, rows: usize) -> Result<Outcome> {
        let error = if self.minimises() { tally.minimised / rows as f64 } else { tally.metrics.mean_loss() };
        if !error.is_finite() {
            return Ok(Outcome { error, ..Outcome::default() });
        }
        let Measured { test, validation } = &self.held_out;
        let mut measure = |set: &Option<TestSet<'_>>| set.as_ref().map(|set| set.measure(execution)).transpose();
        let (test, validation) = (measure(test)?, measure(validation)?.map(|(error, _)| error));
        Ok(Outcome { error, test, validation, free_energy_gap: None })
    }
}
