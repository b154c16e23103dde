//! The training of one machine of a stack by contrastive divergence, whatever its chains.

use strait_compute::philox::{Stream, streams};
use strait_compute::{Device, Execution, Factors, Kind, Op, Program, Routine, RoutineId, Step, Tensor};
use strait_data::{Rows, Values};
use strait_models::{Rbm, Units, Wanted};

use crate::Result;
use crate::chain::{Learning, Negative};
use crate::feed::Feed;
use crate::free_energy_gap::{Watch, Watched};
use crate::machine_tensors::{MachineTensors, Recording, squared_error, write_states};
use crate::method::{Method, Outcome, Part, Place, Source, Tally, Visits};
use crate::optimizer::{gradient_of, momentum};
use crate::plan::numbered;
use crate::pretrain::{Pretrain, SparsityTarget};
use crate::statistics::{gradient, record_sparsity};

/// What the program of a machine depends on.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) recipe: &'a Pretrain,
    /// Its place in the stack.
    pub(crate) number: usize,
    pub(crate) rows: usize,
    /// Rows whose free energies are watched.
    pub(crate) watched: Option<&'a Watched>,
    /// Whether it was trained before, and its biases are those without offsets.
    pub(crate) trained: bool,
    /// How many machines before it have its sizes.
    pub(crate) alike: usize,
}

/// Where everything is in the program of a machine.
pub(crate) struct Places {
    feed: Feed,
    /// For each place of the feed, one step of training.
    steps: Vec<RoutineId>,
    learned: Learned,
    watch: Option<Watch>,
    negative: Negative,
}

/// What a machine has learned, on a device.
#[derive(Clone, Copy)]
pub(crate) struct Learned {
    machine: MachineTensors,
    /// 1 / σ of the visible units, where it is learned.
    precision: Option<Tensor>,
}

/// The program of a machine; `data` are its rows, where they come from the host.
pub(crate) fn record(
    device: &Device,
    setup: Setup<'_>,
    rbm: &Rbm,
    data: Option<&Rows<'_>>,
) -> Result<(Program, Places)> {
    let mut program = Program::default();
    let Setup { recipe, number, rows, watched, .. } = setup;
    let (visible, hidden) = (rbm.visible_bias.len(), rbm.hidden_bias.len());
    let batch = recipe.batch.min(rows);
    let feed = match data {
        None => Feed::given(&mut program, rows, visible, batch),
        Some(data) => Feed::of(&mut program, device, data, hidden, batch),
    }
    .of_rank(device, recipe.shards)?;
    let weight = program.parameter("weight", visible, hidden);
    let visible_bias = program.parameter("visible_bias", 1, visible);
    let hidden_bias = program.parameter("hidden_bias", 1, hidden);
    let mut column = |wanted: bool, name: &str, cols: usize| wanted.then(|| program.data(name, 1, cols, Kind::Values));
    let offsets = (
        column(recipe.centred, "visible_offset", visible),
        column(recipe.centred && rbm.hidden == Units::Bernoulli, "hidden_offset", hidden),
    );
    let deviates = recipe.deviation_rate.filter(|_| rbm.visible == Units::Gaussian);
    let precision = deviates.map(|_| program.parameter("precision", 1, visible));
    let v0 = program.value("v0", batch, visible);
    let gathered = precision.map_or(v0, |_| program.value("v0.data", batch, visible));
    let h0 = program.value("h0", batch, hidden);
    let machine = MachineTensors {
        units: (rbm.visible, rbm.hidden),
        weight,
        biases: (visible_bias, hidden_bias),
        offsets,
        stream: streams::OF_MACHINE * number as u32,
    };
    let chain = recipe.chain.recorder();
    let mut step = Routine::new(format!("{}-{}", chain.name(), recipe.cd_steps));
    let to = &mut Recording { program: &mut program, step: &mut step };
    let negative = chain.record(to, &machine, (v0, h0), recipe.cd_steps)?;
    let mut positive = (v0, h0);
    if let (Some(SparsityTarget { weight, target }), Units::Bernoulli) = (recipe.sparsity, rbm.hidden) {
        positive.1 = record_sparsity(to, h0, (weight, target))?;
    }
    let mut after = Vec::new();
    if let (Some(precision), Some(rate)) = (precision, deviates) {
        after = record_deviations(to, &machine, (v0, h0), (precision, rate))?;
    }
    let mut centred = |(v, h): (Tensor, Tensor)| -> Result<(Tensor, Tensor)> {
        Ok((to.centred(v, offsets.0)?, to.centred(h, offsets.1)?))
    };
    let statistics = (centred(positive)?, centred(negative.statistics)?);
    let error = squared_error(negative.reconstruction, v0);
    let gradients = machine.parameters().map(|parameter| gradient_of(&mut program, parameter));
    let updates = machine.parameters().map(|parameter| momentum(&mut program, parameter));
    let limit = |norm| Op::MaxNorm { weight, norm, rows: false, exact: false };
    let shrink = Op::Threshold { weight, threshold: recipe.rate_of(rbm) * recipe.absolute_cost };
    let shrink = Some(shrink).filter(|_| recipe.absolute_cost > 0.0);
    let limits: Vec<Op> = shrink.into_iter().chain(recipe.max_norm.map(limit)).collect();
    let learning = Learning { gradients, updates, limits: &limits, rates: (recipe.rate_of(rbm), recipe.rate) };
    let following = chain.learn(&mut program, &negative, learning);
    let learn = gradient(statistics.0, statistics.1, gradients, 1.0);
    let mut steps = Vec::new();
    for place in 0..feed.places() {
        let mut whole = Routine::new(step.name()).in_precision(recipe.precision);
        feed.gather(place, &mut whole, 0, None, gathered)?;
        if precision.is_some() {
            whole.push(Op::Standardize { input: gathered, shift: None, scale: precision, out: v0 })?;
        }
        step.ops().iter().try_for_each(|op| whole.push(op.clone()))?;
        // The error goes right before the gradient, with which GPUs compute it in one go.
        whole.push(error.clone())?;
        std::iter::once(&learn).chain(&following).chain(&after).try_for_each(|op| whole.push(op.clone()))?;
        steps.push(program.add(whole));
    }
    let watch = watched.filter(|_| rbm.hidden == Units::Bernoulli && rbm.visible != Units::Rectified);
    let watch = watch.map(|rows| Watch::record(&mut program, &machine, precision, rows)).transpose()?;
    Ok((program, Places { feed, steps, learned: Learned { machine, precision }, watch, negative }))
}

/// Loads a machine with what trains it; also gives where its parameters are.
pub(crate) fn load<'a>(
    device: &Device,
    setup: Setup<'_>,
    rbm: &Rbm,
    source: Source<'a>,
) -> Result<(Part<'a>, Learned)> {
    let Setup { recipe, number, rows, watched, trained, alike } = setup;
    let (program, places) = record(device, setup, rbm, source.on_host().as_ref())?;
    let Places { feed, steps, learned, watch, negative } = places;
    let Learned { machine, precision } = learned;
    let shared = match &source {
        Source::Device(buffer) => vec![(feed.whole(), buffer.clone())],
        _ => Vec::new(),
    };
    let mut execution = device.load_in_shards(program, &shared, recipe.shards)?;
    execution.write_many(&[
        (machine.weight, &rbm.weight),
        (machine.biases.0, &rbm.visible_bias),
        (machine.biases.1, &rbm.hidden_bias),
    ])?;
    if let Some(driving) = negative.driving {
        execution.write_many(&[
            (driving.weight, &rbm.weight),
            (driving.biases.0, &rbm.visible_bias),
            (driving.biases.1, &rbm.hidden_bias),
        ])?;
    }
    // A centred machine that goes on has the offsets in its biases: b + μ W and a + λ Wᵀ take them out again.
    let mut biases = (rbm.visible_bias.clone(), rbm.hidden_bias.clone());
    let hidden = rbm.hidden_bias.len();
    if let Some(offset) = machine.offsets.0 {
        let means = match source.on_host() {
            Some(rows) => rows.mean(),
            None => {
                let values = execution.read(feed.whole())?;
                Rows { count: rows, width: rbm.visible_bias.len(), values: Values::Numbers(&values) }.mean()
            }
        };
        let means: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
        execution.write(offset, &means)?;
        for (row, mean) in rbm.weight.chunks_exact(hidden).zip(&means) {
            biases.1.iter_mut().zip(row).for_each(|(bias, w)| *bias += mean * w);
        }
    }
    if let Some(offset) = machine.offsets.1 {
        // What binary units are on the mean while they know nothing.
        execution.write(offset, &vec![0.5; offset.cols])?;
        for (bias, row) in biases.0.iter_mut().zip(rbm.weight.chunks_exact(hidden)) {
            *bias += row.iter().map(|w| 0.5 * w).sum::<f32>();
        }
    }
    if trained && recipe.centred {
        execution.write_many(&[(machine.biases.0, &biases.0), (machine.biases.1, &biases.1)])?;
    }
    if let Some(precision) = precision {
        let known = rbm.deviation.as_ref().map(|deviation| deviation.iter().map(|deviation| 1.0 / deviation).collect());
        execution.write(precision, &known.unwrap_or_else(|| vec![1.0; precision.cols]))?;
    }
    if let (Some(watch), Some(rows)) = (&watch, watched) {
        watch.write(&mut *execution, rows)?;
    }
    let mut stream = Stream::new(recipe.seed, streams::CHAINS + number as u32);
    for chain in negative.chains {
        write_states(&mut *execution, chain, &mut stream)?;
    }
    let method = Machine {
        stage: numbered(format!("RBM {}-{}", rbm.visible_bias.len(), rbm.hidden_bias.len()), alike),
        rate: recipe.rate_of(rbm),
        recipe: recipe.clone(),
        number,
        batch: recipe.batch.min(rows),
        steps,
        watch,
    };
    Ok((Part { execution, feed, source, method: Box::new(method) }, learned))
}

impl Learned {
    /// Gives the parameters that were learned, without offsets.
    pub(crate) fn read(&self, execution: &mut dyn Execution, rbm: &mut Rbm) -> Result<()> {
        Ok(self.read_from(&mut |tensor| Ok(execution.read(tensor)?), rbm)?)
    }

    /// The same from wherever `read` finds the tensors.
    pub(crate) fn read_from(
        &self,
        read: &mut dyn FnMut(Tensor) -> strait_models::Result<Vec<f32>>,
        rbm: &mut Rbm,
    ) -> strait_models::Result<()> {
        let MachineTensors { weight, biases, offsets, .. } = self.machine;
        rbm.weight = read(weight)?;
        rbm.visible_bias = read(biases.0)?;
        rbm.hidden_bias = read(biases.1)?;
        let hidden = rbm.hidden_bias.len();
        // a + (h − λ) Wᵀ and b + (v − μ) W
        if let Some(offset) = offsets.0 {
            for (row, mean) in rbm.weight.chunks_exact(hidden).zip(read(offset)?) {
                rbm.hidden_bias.iter_mut().zip(row).for_each(|(bias, w)| *bias -= mean * w);
            }
        }
        if let Some(offset) = offsets.1 {
            let offset = read(offset)?;
            for (bias, row) in rbm.visible_bias.iter_mut().zip(rbm.weight.chunks_exact(hidden)) {
                *bias -= row.iter().zip(&offset).map(|(w, mean)| w * mean).sum::<f32>();
            }
        }
        if let Some(precision) = self.precision {
            rbm.deviation = Some(read(precision)?.into_iter().map(|precision| 1.0 / precision).collect());
        }
        Ok(())
    }

    /// What does not change while the machine is trained.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = Tensor> {
        let (visible, hidden) = self.machine.offsets;
        visible.into_iter().chain(hidden)
    }
}

/// The training of a machine by contrastive divergence, whatever its chains.
struct Machine {
    stage: String,
    rate: f32,
    recipe: Pretrain,
    number: usize,
    batch: usize,
    steps: Vec<RoutineId>,
    watch: Option<Watch>,
}

impl Method for Machine {
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
        f64::from(self.rate)
    }

    fn visits(&self) -> Visits {
        match self.number {
            0 => Visits::Once { seed: self.recipe.seed, stream: streams::PRETRAINING_ORDER },
            // Features lie in the order in which the rows were visited.
            _ => Visits::InOrder,
        }
    }

    fn routines(&self) -> &[RoutineId] {
        &self.steps
    }

    fn step(&self, place: Place, (offset, rows): (u32, u32)) -> Step {
        let early = place.epoch < self.recipe.initial_epochs;
        Step {
            offset,
            rows,
            counter: place.number() as u32,
            learning_rate: self.rate,
            momentum: if early { self.recipe.initial_momentum } else { self.recipe.final_momentum },
            weight_cost: self.recipe.weight_cost,
            ..Step::seeded(self.recipe.seed.wrapping_add(self.number as u64))
        }
    }

    fn outcome(&mut self, execution: &mut dyn Execution, tally: &Tally, _: usize) -> Result<Outcome> {
        let error = tally.metrics.mean_error();
        let watch = self.watch.as_ref().filter(|_| error.is_finite());
        let free_energy_gap = watch.map(|watch| watch.gap(execution)).transpose()?;
        Ok(Outcome { error, free_energy_gap, ..Outcome::default() })
    }
}

/// The smallest σ that is learned.
const SMALLEST_DEVIATION: f32 = 0.01;

/// Records the slope of the logarithm of each visible unit's σ, and gives the operations that follow it.
///
/// With ṽ = v / σ and the mean m of ṽ given the hidden units, ln p(v) changes by ⟨ṽ (ṽ − m)⟩ − 1 with ln σ: what the model
/// itself expects of ṽ (ṽ − m) is the variance 1, so that no negative phase is needed. s = 1 / σ follows, to first order, as
/// s ← s (1 − ε slope).
fn record_deviations(
    to: &mut Recording<'_>,
    machine: &MachineTensors,
    (v0, h0): (Tensor, Tensor),
    (precision, rate): (Tensor, f32),
) -> Result<Vec<Op>> {
    let [mean, rest] = ["v0.mean", "v0.rest"].map(|name| to.like(name, v0));
    let [slope, product] = ["precision.slope", "precision.change"].map(|name| to.like(name, precision));
    machine.down(to, h0, Wanted::mean(mean))?;
    to.step.push(Op::Combine { x: v0, y: mean, factors: Factors::Fixed(1.0, -1.0), out: rest })?;
    to.step.push(Op::ColumnMeans { input: v0, times: Some(rest), out: slope })?;
    Ok(vec![
        Op::Standardize { input: precision, shift: None, scale: Some(slope), out: product },
        Op::Combine { x: precision, y: product, factors: Factors::Fixed(1.0 + rate, -rate), out: precision },
        // The σ of a column that never changes would shrink for ever.
        Op::MaxNorm { weight: precision, norm: 1.0 / SMALLEST_DEVIATION, rows: false, exact: false },
    ])
}
