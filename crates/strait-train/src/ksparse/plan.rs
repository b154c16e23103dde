//! The training of a dictionary as a plan: a part for each round.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strait_compute::Device;
use strait_compute::philox::{Stream, streams};
use strait_data::{Keeper, Kept, Rows, Standard, Values};
use strait_models::{Autoencoder, Network};

use super::looked_at::LookedAt;
use super::restart::restart;
use super::sparsity::{Start, calibrate};
use super::units::{self, dead_units, directions, fold_into, length};
use super::{KSparse, KSparseTrained};
use crate::backpropagation::{self, HeldOut, Standardized};
use crate::checkpoint::{Hashed, Modeller, of_rows};
use crate::finetune_plan::record_of;
use crate::method::{Part, Source};
use crate::monitor::Watching;
use crate::plan::{Epoch, Plan};
use crate::sample::sample;
use crate::{FineTune, FineTuneEpoch, Member, Result, Run, Schedule};

/// Rows on which units are looked at between the rounds.
const LOOKED_AT: usize = 10_000;

/// The plan of [`KSparse`]: a part for each round.
pub struct KSparsePlan<'a> {
    recipe: KSparse,
    /// First and last epoch of the rounds, counted from the start.
    rounds: Vec<(usize, usize)>,
    standard: Standard,
    /// Rows that are far from the centre.
    far: usize,
    /// The rows as they were given; those that are left out are not among them.
    rows: Source<'a>,
    /// Rows that rounds are judged on, where early stopping or a plateau is asked for.
    validation: Option<Rows<'a>>,
    /// Some of them with mean 0 and variance 1.
    looked_at: Vec<f32>,
    stream: Stream,
    net: Autoencoder,
    network: Option<Network>,
    /// What looks at units between rounds.
    between: Option<LookedAt>,
    /// The round before, whose program the next one goes on with.
    before: Option<Part<'a>>,
    /// A number among those learned that is not finite.
    wrong: Option<f64>,
    dead: Vec<usize>,
    /// Of units with thresholds.
    starts: Option<Start>,
}

/// What is left of finished rounds.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Rounds {
    /// Where the stream of new directions is.
    position: u64,
    dead: Vec<usize>,
    #[serde(default)]
    starts: Option<Start>,
}

impl<'a> KSparsePlan<'a> {
    pub(super) fn new(recipe: KSparse, rows: Rows<'a>) -> Result<Self> {
        let KSparse { rounds, training, .. } = &recipe;
        let (standard, far) = Standard::of_most(rows, recipe.outlier, recipe.centre);
        let source = match recipe.leave_out && !far.is_empty() {
            false => Source::Host(rows),
            true => Source::Made(Arc::new(without(rows, &far)?)),
        };
        let Some(kept) = source.on_host() else { unreachable!("these rows are on the host") };
        let width = rows.width;
        let scaled = |mut values: Vec<f32>| {
            standard.apply(&mut values);
            shorten(&mut values, width, recipe.outlier);
            values
        };
        let looked_at = Stream::new(training.seed, streams::LOOKED_AT);
        let looked_at = scaled(sample(kept, LOOKED_AT, looked_at));
        let mut stream = Stream::new(training.seed, streams::DICTIONARY);
        let row = |row: usize| scaled(kept.range(row..row + 1).to_numbers());
        let net = units::start(&recipe, (kept.count, width), row, &mut stream);
        net.check()?;
        let round = |round: usize| (training.epochs * round / rounds, training.epochs * (round + 1) / rounds);
        let rounds = (0..*rounds).map(round).filter(|(first, end)| first < end).collect();
        Ok(Self {
            recipe,
            rounds,
            standard,
            far: far.len(),
            rows: source,
            validation: None,
            looked_at,
            stream,
            net,
            network: None,
            between: None,
            before: None,
            wrong: None,
            dead: Vec::new(),
            starts: None,
        })
    }

    /// The net before training, for rows as they were given.
    pub(super) fn untrained(mut self) -> Autoencoder {
        fold_into(&self.standard, &mut self.net);
        self.net
    }

    /// The training of a round. All but the last one run at a constant learning rate.
    fn round(&self, part: usize) -> FineTune {
        let (first, end) = self.rounds[part];
        let (training, last) = (&self.recipe.training, part + 1 == self.rounds.len());
        // Rounds without an epoch have seeds of their own, too.
        let number = (0..self.recipe.rounds).find(|round| training.epochs * round / self.recipe.rounds == first);
        let number = if last { self.recipe.rounds - 1 } else { number.unwrap_or(part) };
        FineTune {
            epochs: end - first,
            schedule: if last { training.schedule } else { Schedule::Constant },
            seed: training.seed.wrapping_add(number as u64),
            ..training.clone()
        }
    }
}

impl<'a> Run<'a, KSparsePlan<'a>> {
    /// Judges each round on rows that are held out of training; see [`EarlyStopping`](crate::EarlyStopping).
    ///
    /// # Errors
    /// If they do not fit the rows trained on.
    pub fn validation(mut self, rows: Rows<'a>) -> Result<Self> {
        let plan = self.plan_mut();
        let Some(train) = plan.rows.on_host() else { unreachable!("these rows are on the host") };
        plan.recipe.training.check_model(&plan.net, &train, Some(&rows))?;
        plan.validation = Some(rows);
        Ok(self)
    }
}

fn rows_of(values: &[f32], width: usize) -> Result<Rows<'_>> {
    Ok(Rows::numbers(values, width).map_err(strait_models::Error::from)?)
}

impl<'a> Plan<'a> for KSparsePlan<'a> {
    type Record = FineTuneEpoch;
    type Output = KSparseTrained;
    type Progress = Rounds;

    fn parts(&self) -> usize {
        self.rounds.len()
    }

    fn epochs_of(&self, part: usize) -> usize {
        self.rounds[part].1 - self.rounds[part].0
    }

    fn start(&mut self, device: &Device, part: usize) -> Result<Part<'a>> {
        let recipe = self.round(part);
        let Some(rows) = self.rows.on_host() else { unreachable!("these rows are on the host") };
        let (count, width) = (rows.count, rows.width);
        let before = self.rounds[part].0 * count.div_ceil(recipe.batch);
        if let Some(mut round) = self.before.take() {
            round.method.retune(recipe, before);
            return Ok(round);
        }
        // A run that goes on knows it, and the net has been on the device since.
        if let (None, Some(thresholds)) = (self.starts, self.net.thresholds) {
            let start = Start::find(device, &mut self.net, thresholds, rows_of(&self.looked_at, width)?)?;
            start.apply(&mut self.net);
            self.starts = Some(start);
        }
        self.net.thresholds = self.recipe.thresholds(width, self.starts);
        recipe.check_model(&self.net, &rows, None)?;
        let stage = (Member::stage(&self.net), before);
        let looked_at = rows_of(&self.looked_at, width)?;
        let (net, another) = (&self.net, part + 1 < self.rounds.len());
        let standardized = Standardized { standard: &self.standard, longest: longest(width, self.recipe.outlier) };
        let source = (self.rows.clone(), Some(standardized));
        let held_out = HeldOut { test: None, validation: self.validation.map(Source::Host) };
        let (loaded, network, between) =
            backpropagation::load_with(stage, &recipe, device, net, source, held_out, |program, network| {
                another.then(|| LookedAt::record(device, program, network, net, looked_at)).transpose()
            })?;
        (self.network, self.between) = (Some(network), between);
        // The device has them now; they come back when training is over.
        self.net.layers.iter_mut().for_each(|layer| layer.weight = Vec::new());
        Ok(loaded)
    }

    fn record(&self, part: usize, epoch: Epoch) -> FineTuneEpoch {
        let record = record_of(epoch);
        FineTuneEpoch { epoch: self.rounds[part].0 + record.epoch, ..record }
    }

    fn take(&mut self, _: usize, trained: &mut Part<'a>) -> Result<()> {
        self.wrong = None;
        for parameter in self.network.iter().flat_map(Network::parameters) {
            let values = trained.execution.read(parameter)?;
            self.wrong = self.wrong.or(values.into_iter().find(|x| !x.is_finite()).map(f64::from));
        }
        Ok(())
    }

    fn end(&mut self, device: &Device, _: usize, goes_on: bool, mut trained: Part<'a>) -> Result<()> {
        let looked_at = rows_of(&self.looked_at, self.standard.mean.len())?;
        let Some(network) = &self.network else {
            return Ok(());
        };
        if let (true, Some(between)) = (goes_on, &self.between) {
            let (codes, made) = between.look(&mut *trained.execution, looked_at, self.recipe.units)?;
            let dead = dead_units(&codes);
            self.dead.push(dead.len());
            let units = directions(&dead, looked_at, &made, &mut self.stream);
            restart(&mut trained, network, &units, self.starts)?;
            self.before = Some(trained);
            return Ok(());
        }
        network.read(&mut *trained.execution, &mut self.net.layers)?;
        drop(trained);
        calibrate(device, &mut self.net, looked_at)?;
        self.dead.push(dead_units(&self.net.encode_largest(device, looked_at)?).len());
        Ok(())
    }

    fn wrong(&self, _: usize) -> Option<f64> {
        self.wrong
    }

    fn told(&self, part: usize, epoch: usize, _: usize) -> (usize, usize) {
        (self.rounds[part].0 + epoch, self.recipe.training.epochs)
    }

    fn output(mut self, records: Vec<Vec<FineTuneEpoch>>, stopped: bool) -> Result<KSparseTrained> {
        fold_into(&self.standard, &mut self.net);
        Ok(KSparseTrained { net: self.net, epochs: records.concat(), far: self.far, dead: self.dead, stopped })
    }

    fn rewind(&mut self, _: usize) -> bool {
        // What a round starts from is gone once it was taken over.
        false
    }

    fn watching(&self) -> Watching {
        self.recipe.training.watching()
    }

    fn has_held_out(&self) -> bool {
        self.validation.is_some()
    }

    fn identity(&self, hashed: Hashed) -> serde_json::Value {
        let Standard { mean, deviation } = &self.standard;
        let means = Rows { count: 1, width: mean.len(), values: Values::Numbers(mean) };
        serde_json::json!({
            "recipe": self.recipe,
            "training-set": self.rows.on_host().map(|rows| of_rows(&rows, hashed)),
            "validation-set": self.validation.as_ref().map(|rows| of_rows(rows, hashed)),
            "mean": of_rows(&means, hashed),
            "deviation": deviation,
        })
    }

    fn modeller(&self, _: usize, _: &mut Part<'a>) -> Result<Option<Modeller>> {
        let Some(network) = self.network.clone() else {
            return Ok(None);
        };
        let (standard, template) = (self.standard.clone(), self.net.clone());
        Ok(Some(Box::new(move |read| {
            let mut net = template.clone();
            network.read_from(read, &mut net.layers)?;
            fold_into(&standard, &mut net);
            Ok(net.into())
        })))
    }

    fn save(&self) -> (Vec<(String, Vec<f32>)>, Rounds) {
        (Vec::new(), Rounds { position: self.stream.position(), dead: self.dead.clone(), starts: self.starts })
    }

    fn restore(
        &mut self,
        _: &Device,
        _: usize,
        _: &mut dyn FnMut(&str) -> Result<Vec<f32>>,
        Rounds { position, dead, starts }: Rounds,
    ) -> Result<bool> {
        self.stream.seek(position);
        self.before = None;
        self.dead = dead;
        self.starts = starts;
        // Those that a device has had are gone; the snapshot's take their place.
        for layer in &mut self.net.layers {
            layer.weight.resize(layer.inputs * layer.outputs, 0.0);
        }
        Ok(true)
    }
}

/// These rows without some, which are numbered ascending.
fn without(rows: Rows<'_>, far: &[usize]) -> Result<Kept> {
    let unkept = |cause| crate::Error::Kept { what: "rows", cause };
    let (mut keeper, mut number, mut far, mut failed) = (Keeper::default(), 0, far.iter().peekable(), None);
    rows.each_row(|row| {
        if far.next_if_eq(&&number).is_none() {
            failed = failed.take().or(keeper.push(row).err());
        }
        number += 1;
    });
    failed.map_or(Ok(()), Err).and_then(|()| keeper.finish(rows.width)).map_err(unkept)
}

/// The length of a row at `outlier` times the distance of the median one.
fn longest(width: usize, outlier: f64) -> f32 {
    (outlier * (width as f64).sqrt()) as f32
}

/// Scales rows that are further from the centre than that down to it, so that no single row decides what is learned.
fn shorten(scaled: &mut [f32], width: usize, outlier: f64) {
    let longest = longest(width, outlier);
    for row in scaled.chunks_exact_mut(width) {
        let length = length(row);
        if length > longest {
            row.iter_mut().for_each(|x| *x *= longest / length);
        }
    }
}
