//! A model on a device, with what trains it by back-propagation.

use strait_compute::{Device, Execution, Metrics, Program, Routine, RoutineId, Shift, Step};
use strait_data::Rows;
use strait_models::{Network, minibatches};

use crate::feed::Feed;
use crate::finetune::ImageShift;
use crate::minibatch::{Minibatch, Part};
use crate::minimize::{ConjugateGradients, Lbfgs};
use crate::net_problem::{Memory, NetProblem, declare_vectors};
use crate::optimizer::Optimizer;
use crate::progress::{HostCost, Progress};
use crate::test_set::TestSet;
use crate::{FineTune, Observer, Result, Trainable};

/// The stream of random numbers of the shifts; pretraining takes the lower ones, a tape the higher ones.
const SHIFT_STREAM: u32 = 1 << 16;

/// What a program has of a model and of what trains it.
pub(crate) struct Recorded<'a> {
    pub(crate) network: Network,
    feed: Feed,
    pub(crate) batch: usize,
    /// For each place of the feed, one step of Adam or momentum, or the gathering of a minibatch for a minimiser.
    pub(crate) steps: Vec<RoutineId>,
    minimiser: Option<Memory>,
    test: Option<TestSet<'a>>,
}

/// A model on a device, with what trains it.
pub(crate) struct Tuning<'a> {
    stage: &'static str,
    pub(crate) execution: Box<dyn Execution>,
    pub(crate) recorded: Recorded<'a>,
    rows: usize,
}

/// The program of a model and of what trains it.
pub(crate) fn record<'a>(
    recipe: &FineTune,
    device: &Device,
    net: &dyn Trainable,
    train: Rows<'_>,
    test: Option<Rows<'a>>,
) -> Result<(Program, Recorded<'a>)> {
    let mut program = Program::default();
    let batch = recipe.batch.min(train.count);
    let feed = Feed::of(&mut program, device, &train, 0, batch);
    let minibatch = Minibatch::declare(&mut program, "", batch, net);
    let network = recipe.declare(&mut program, net.layers());
    let mut learn = Routine::new("fine-tuning step");
    let optimizer = recipe.optimizer;
    let update = |program: &mut Program, part| optimizer.update(program, part);
    minibatch.record((&mut program, &mut learn), (net, &network), recipe, Some(update))?;
    let shift = recipe.shift.map(|ImageShift { width, pixels }| Shift { width, pixels, stream: SHIFT_STREAM });
    let at_once = optimizer.vectors() == 0;
    let mut steps = Vec::new();
    for place in 0..feed.places() {
        let name = if at_once { "fine-tuning step" } else { "gather" };
        let mut step = Routine::new(name).in_precision(recipe.precision);
        for Part { first, shift, out } in minibatch.parts(shift) {
            feed.gather(place, &mut step, first, shift, out)?;
        }
        if at_once {
            learn.ops().iter().try_for_each(|op| step.push(op.clone()))?;
        }
        steps.push(program.add(step));
    }
    let minimiser = (!at_once).then(|| {
        let vectors = declare_vectors(&mut program, &network, optimizer.vectors());
        Memory::new(&network, vectors, learn)
    });
    let test = test.map(|rows| TestSet::record(device, &mut program, &network, net, rows, recipe)).transpose()?;
    Ok((program, Recorded { network, feed, batch, steps, minimiser, test }))
}

impl<'a> Tuning<'a> {
    pub(crate) fn load(
        recipe: &FineTune,
        device: &Device,
        net: &dyn Trainable,
        train: Rows<'_>,
        test: Option<Rows<'a>>,
    ) -> Result<Self> {
        let (program, recorded) = record(recipe, device, net, train, test)?;
        let mut execution = device.load(program)?;
        recorded.feed.upload(&mut *execution, &train)?;
        recorded.network.write(&mut *execution, net.layers())?;
        if let Some(test) = &recorded.test {
            test.upload(&mut *execution)?;
        }
        Ok(Self { stage: net.stage(), execution, recorded, rows: train.count })
    }

    /// One pass over the data; gives the mean loss and what it cost the host, or nothing if the observer ended it.
    pub(crate) fn epoch(
        &mut self,
        recipe: &FineTune,
        epoch: usize,
        (train, order): (&Rows<'_>, &[u32]),
        observer: &mut Observer<'_>,
    ) -> Result<Option<(f64, HostCost)>> {
        let Recorded { feed, batch, steps: routines, minimiser, .. } = &mut self.recorded;
        let (rows, batch, epochs) = (self.rows, *batch, recipe.epochs);
        feed.write_order(&mut *self.execution, order)?;
        let batches: Vec<_> = minibatches(rows, batch).collect();
        let mut progress = Progress { stage: self.stage, epoch, epochs, rows, batch, done: 0, observer };
        let first = (epoch - 1) * batches.len();
        let step = |(i, &minibatch): (usize, &(u32, u32))| {
            let number = first + i;
            let factor = recipe.schedule.factor(number, batches.len(), epochs);
            let mut step = recipe.step(number, minibatch);
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
        let Some(memory) = minimiser else {
            let control = &mut |batches| progress.tell(batches);
            let execution = &mut *self.execution;
            let ran = feed.run(execution, routines, &steps, Some((train, order)), control, |_, _, _| Ok(()));
            let summary = |metrics: Metrics| (metrics.mean_loss(), HostCost::of(&metrics, steps.len()));
            return Ok(progress.outcome(ran)?.map(summary));
        };
        let mut sum = 0.0;
        for (i, step) in steps.iter().enumerate() {
            if progress.tell(i).is_break() {
                return Ok(None);
            }
            let gathered = feed.fetch(&mut *self.execution, routines[0], step, (train, order));
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

    /// The error and the loss on the test set.
    pub(crate) fn test(&mut self) -> Result<Option<(f64, f64)>> {
        self.recorded.test.as_ref().map(|test| test.measure(&mut *self.execution)).transpose()
    }
}
