//! Back-propagation as a method: a model on a device, with what trains it, and the plan of fine-tuning.

use strait_compute::philox::streams;
use strait_compute::{Device, Execution, Program, Routine, RoutineId, Shift, Step, Tensor};
use strait_data::Rows;
use strait_models::{Affine, Network};

use crate::feed::Feed;
use crate::finetune::ImageShift;
use crate::method::{Method, Outcome, Part, Place, Source, Tally, Visits};
use crate::minibatch::{Minibatch, Part as Columns};
use crate::minimize::{ConjugateGradients, Lbfgs};
use crate::net_problem::{GRADIENT, Memory, NetProblem, declare_vectors};
use crate::optimizer::{Optimizer, gradient_of};
use crate::plan::{Epoch, Plan};
use crate::test_set::TestSet;
use crate::{FineTune, FineTuneEpoch, FineTuned, Member, Result, Run};

/// What a program has of a model and of what trains it.
pub(crate) struct Recorded<'a> {
    network: Network,
    feed: Feed,
    batch: usize,
    /// For each place of the feed, one step of Adam or momentum, or the gathering of a minibatch for a minimiser.
    steps: Vec<RoutineId>,
    minimiser: Option<Memory>,
    test: Option<TestSet<'a>>,
}

/// The program of a model and of what trains it.
pub(crate) fn record<'a>(
    recipe: &FineTune,
    device: &Device,
    net: &dyn Member,
    train: Rows<'_>,
    test: Option<Rows<'a>>,
) -> Result<(Program, Recorded<'a>)> {
    let mut program = Program::default();
    let batch = recipe.batch.min(train.count);
    let feed = Feed::of(&mut program, device, &train, 0, batch);
    let minibatch = Minibatch::declare(&mut program, "", batch, net);
    let network = recipe.declare(&mut program, net);
    let mut learn = Routine::new("fine-tuning step");
    let optimizer = recipe.optimizer;
    let at_once = optimizer.vectors() == 0;
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
    let mut steps = Vec::new();
    for place in 0..feed.places() {
        let name = if at_once { "fine-tuning step" } else { "gather" };
        let mut step = Routine::new(name).in_precision(recipe.precision);
        for Columns { first, shift, out } in minibatch.parts(shift) {
            feed.gather(place, &mut step, first, shift, out)?;
        }
        if at_once {
            learn.ops().iter().try_for_each(|op| step.push(op.clone()))?;
        }
        steps.push(program.add(step));
    }
    let minimiser = (!at_once).then(|| Memory::new(parameters.clone(), vectors, learn));
    let test = test.map(|rows| TestSet::record(device, &mut program, &network, net, rows, recipe)).transpose()?;
    Ok((program, Recorded { network, feed, batch, steps, minimiser, test }))
}

/// Loads a model with what trains it on rows of the host; also gives its parameters' tensors.
pub(crate) fn load<'a>(
    recipe: &FineTune,
    device: &Device,
    net: &dyn Member,
    source: Source<'a>,
    test: Option<Rows<'a>>,
) -> Result<(Part<'a>, Network)> {
    load_as(net.stage().to_owned(), recipe, device, net, source, test)
}

/// The same by another name of its stage.
pub(crate) fn load_as<'a>(
    stage: String,
    recipe: &FineTune,
    device: &Device,
    net: &dyn Member,
    source: Source<'a>,
    test: Option<Rows<'a>>,
) -> Result<(Part<'a>, Network)> {
    let Some(rows) = source.on_host() else { unreachable!("rows of a model are on the host") };
    let (program, recorded) = record(recipe, device, net, rows, test)?;
    let Recorded { network, feed, batch, steps, minimiser, test } = recorded;
    let mut execution = device.load(program)?;
    network.write(&mut *execution, net.layers())?;
    if let Some(test) = &test {
        test.upload(&mut *execution)?;
    }
    let method = Tuning { recipe: recipe.clone(), stage, batch, steps, minimiser, test };
    Ok((Part { execution, feed, source, method: Box::new(method) }, network))
}

/// The training of a model by back-propagation.
struct Tuning<'a> {
    recipe: FineTune,
    stage: String,
    batch: usize,
    steps: Vec<RoutineId>,
    minimiser: Option<Memory>,
    test: Option<TestSet<'a>>,
}

impl Method for Tuning<'_> {
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
        let mut step = recipe.step(number, minibatch);
        match recipe.optimizer {
            Optimizer::Adam { rate, beta1, beta2 } => {
                let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powi(number as i32 + 1))) as f32;
                (step.learning_rate, step.momentum, step.beta2) = (rate * factor, beta1, beta2);
                (step.correction1, step.correction2) = (correction(beta1), correction(beta2));
            }
            Optimizer::Momentum { rate, momentum } => (step.learning_rate, step.momentum) = (rate * factor, momentum),
            Optimizer::ConjugateGradients { .. } | Optimizer::Lbfgs { .. } => {}
        }
        step
    }

    fn minimises(&self) -> bool {
        self.minimiser.is_some()
    }

    fn minimise(&mut self, execution: &mut dyn Execution, step: &Step) -> strait_compute::Result<f64> {
        let Some(memory) = &mut self.minimiser else { unreachable!("it minimises") };
        let mut problem = NetProblem::new(execution, memory, step.rows);
        match self.recipe.optimizer {
            Optimizer::Lbfgs { iterations, memory } => {
                Lbfgs { iterations, memory, ..Lbfgs::default() }.minimize(&mut problem)
            }
            Optimizer::ConjugateGradients { searches } => {
                ConjugateGradients { searches, ..ConjugateGradients::default() }.minimize(&mut problem)
            }
            Optimizer::Adam { .. } | Optimizer::Momentum { .. } => unreachable!("they have no vectors"),
        }
    }

    fn outcome(&mut self, execution: &mut dyn Execution, tally: &Tally, rows: usize) -> Result<Outcome> {
        let error = if self.minimises() { tally.minimised / rows as f64 } else { tally.metrics.mean_loss() };
        let measured = error.is_finite().then_some(&self.test).and_then(Option::as_ref);
        let test = measured.map(|test| test.measure(execution)).transpose()?;
        Ok(Outcome { error, test, free_energy_gap: None })
    }
}

/// The record of an epoch of fine-tuning.
pub(crate) fn record_of(Epoch { epoch, outcome, seconds, cost }: Epoch) -> FineTuneEpoch {
    let (test_error, test_loss) = outcome.test.unzip();
    FineTuneEpoch { epoch, train_loss: outcome.error, test_error, test_loss, seconds, cost }
}

/// The first number of these layers that is not finite.
pub(crate) fn not_finite(layers: &[Affine]) -> Option<f64> {
    let mut parameters = layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias));
    parameters.find(|x| !x.is_finite()).map(|x| f64::from(*x))
}

/// The plan of [`FineTune`]: one part.
pub struct FineTuning<'a> {
    recipe: FineTune,
    net: &'a mut dyn Member,
    rows: Rows<'a>,
    test: Option<Rows<'a>>,
    network: Option<Network>,
    /// What was learned so far.
    layers: Vec<Affine>,
}

impl<'a> FineTuning<'a> {
    pub(crate) fn new(recipe: FineTune, net: &'a mut dyn Member, rows: Rows<'a>) -> Self {
        let layers = net.layers().to_vec();
        Self { recipe, net, rows, test: None, network: None, layers }
    }
}

impl<'a> Run<'a, FineTuning<'a>> {
    /// Measures error and loss on rows held out, after each epoch.
    ///
    /// # Errors
    /// If they do not fit the model.
    pub fn test(mut self, rows: Rows<'a>) -> Result<Self> {
        let plan = self.plan_mut();
        plan.recipe.check_model(plan.net, &plan.rows, Some(&rows))?;
        plan.test = Some(rows);
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

impl<'a> Plan<'a> for FineTuning<'a> {
    type Record = FineTuneEpoch;
    type Output = FineTuned;
    type Progress = ();

    fn parts(&self) -> usize {
        1
    }

    fn epochs_of(&self, _: usize) -> usize {
        self.recipe.epochs
    }

    fn start(&mut self, device: &Device, _: usize) -> Result<Part<'a>> {
        let (part, network) = load(&self.recipe, device, self.net, Source::Host(self.rows), self.test)?;
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

    fn output(self, mut records: Vec<Vec<FineTuneEpoch>>, stopped: bool) -> Result<FineTuned> {
        self.net.layers_mut().clone_from_slice(&self.layers);
        Ok(FineTuned { epochs: records.pop().unwrap_or_default(), stopped })
    }

    fn save(&self) -> (Vec<(String, Vec<f32>)>, ()) {
        (Vec::new(), ())
    }

    fn restore(&mut self, _: &Device, _: usize, _: &mut dyn FnMut(&str) -> Result<Vec<f32>>, (): ()) -> Result<bool> {
        Ok(true)
    }
}
