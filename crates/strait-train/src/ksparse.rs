//! k-sparse autoencoders with more units than inputs: dictionaries of the directions that vectors are made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strait_compute::philox::{Stream, streams};
use strait_compute::{Activation, Device};
use strait_data::{Kept, Rows, Standard, Values};
use strait_models::{Affine, Autoencoder, Network};

use crate::backpropagation::{self, HeldOut};
use crate::checkpoint::{Modeller, of_rows};
use crate::error::positive;
use crate::finetune_plan::{not_finite, record_of};
use crate::method::{Part, Source};
use crate::monitor::Watching;
use crate::plan::{Epoch, Plan};
use crate::sample::sample;
use crate::{Error, FineTune, FineTuneEpoch, Objective, Optimizer, Result, Run, Schedule};

/// Rows on which units are looked at between the rounds.
const LOOKED_AT: usize = 10_000;

/// The recipe of a k-sparse autoencoder (Makhzani & Frey 2013), as it is trained today on the activations of other nets
/// (Bricken et al. 2023; Gao et al. 2024): rectified units of which the k largest stay, a linear decoder that starts as
/// the encoder's transpose, and a new start for units that no row uses.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct KSparse {
    /// Units of the code.
    pub units: usize,
    /// How many of them stay.
    pub top_k: usize,
    /// Parts of equal length into which the epochs fall. After each but the last one, dead units start anew in the
    /// direction of a badly reconstructed row. All but the last one run at a constant learning rate.
    pub rounds: usize,
    /// Training of all rounds together.
    pub training: FineTune,
}

impl Default for KSparse {
    fn default() -> Self {
        let training = FineTune {
            epochs: 16,
            batch: 500,
            optimizer: Optimizer::adam(1e-3),
            objective: Objective::SquaredError,
            ..FineTune::default()
        };
        Self { units: 2000, top_k: 32, rounds: 4, training }
    }
}

/// The result of training.
#[derive(Clone, PartialEq, Debug)]
pub struct KSparseTrained {
    /// The net, for rows as they were given.
    pub net: Autoencoder,
    /// The epochs that were completed. Their losses are those of rows that were shifted to mean 0 and scaled to variance 1.
    pub epochs: Vec<FineTuneEpoch>,
    /// For each round the units that none of 10,000 rows, which are drawn once for all, used at its end.
    pub dead: Vec<usize>,
    /// Whether the observer ended the run early. The net then is what it was when the run stopped.
    pub stopped: bool,
}

impl KSparse {
    /// Trains on these rows.
    ///
    /// ```
    /// use strait_train::{FineTune, KSparse};
    /// let device = strait_compute::Device::cpu()?;
    /// let values: Vec<f32> = (0..400).map(|i| if i % 4 == i / 4 % 4 { 1.0 } else { 0.0 }).collect();
    /// let rows = strait_data::Rows::numbers(&values, 4)?;
    /// let training = FineTune { epochs: 100, batch: 10, ..KSparse::default().training };
    /// let trained = KSparse { units: 8, top_k: 1, rounds: 2, training }.fit(&device, rows)?;
    /// assert!(trained.net.explained_variance(&device, rows)? > 0.9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn fit(&self, device: &Device, rows: Rows<'_>) -> Result<KSparseTrained> {
        self.run(device, rows)?.train()
    }

    /// A run that trains on these rows.
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn run<'a>(&self, device: &Device, rows: Rows<'a>) -> Result<Run<'a, KSparsePlan>> {
        self.check()?;
        Ok(Run::new(device, KSparsePlan::new(self.clone(), rows)?))
    }

    /// Whether the settings make sense, which [`KSparse::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) with the one that does not.
    pub fn check(&self) -> Result<()> {
        positive("units", self.units)?;
        positive("top-k", self.top_k)?;
        positive("rounds", self.rounds)?;
        if self.training.frozen > 0 {
            let (setting, value) = ("the training of a dictionary", "frozen".to_owned());
            let expected = "encoder and decoder learn, each for itself, since units that start anew are untied";
            return Err(Error::Setting { setting, value, expected });
        }
        self.training.check()?;
        // It is that of the last round.
        self.training.schedule.check(self.training.epochs - self.training.epochs * (self.rounds - 1) / self.rounds)
    }

    /// Decoding directions of unit length, and an encoder that is their transpose.
    fn start(&self, width: usize, stream: &mut Stream) -> Result<Autoencoder> {
        let mut net = Autoencoder::glorot(&[width, self.units], self.training.seed)?;
        net.layers[0].activation = Activation::Relu;
        net.layers[1].activation = Activation::Linear;
        net.top_k = Some(self.top_k);
        for unit in 0..self.units {
            let direction: Vec<f32> = (0..width).map(|_| stream.next_normal()).collect();
            set_unit(&mut net, unit, &direction, 1.0);
        }
        Ok(net)
    }
}

/// The plan of [`KSparse`]: a part for each round.
pub struct KSparsePlan {
    recipe: KSparse,
    /// First and last epoch of the rounds, counted from the start.
    rounds: Vec<(usize, usize)>,
    standard: Standard,
    /// The rows with mean 0 and variance 1.
    scaled: Arc<Kept>,
    looked_at: Vec<f32>,
    stream: Stream,
    net: Autoencoder,
    network: Option<Network>,
    dead: Vec<usize>,
}

/// What is left of finished rounds.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Rounds {
    /// Where the stream of new directions is.
    position: u64,
    dead: Vec<usize>,
}

impl KSparsePlan {
    fn new(recipe: KSparse, rows: Rows<'_>) -> Result<Self> {
        let KSparse { rounds, training, .. } = &recipe;
        let standard = Standard::of(rows);
        let mut scaled = rows.to_numbers();
        standard.apply(&mut scaled);
        let looked_at = Stream::new(training.seed, streams::LOOKED_AT);
        let looked_at = sample(rows_of(&scaled, rows.width)?, LOOKED_AT, looked_at);
        let mut stream = Stream::new(training.seed, streams::DICTIONARY);
        let net = recipe.start(rows.width, &mut stream)?;
        net.check()?;
        let round = |round: usize| (training.epochs * round / rounds, training.epochs * (round + 1) / rounds);
        let rounds = (0..*rounds).map(round).filter(|(first, end)| first < end).collect();
        let scaled = Arc::new(Kept::memory(scaled, rows.width));
        Ok(Self { recipe, rounds, standard, scaled, looked_at, stream, net, network: None, dead: Vec::new() })
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

fn rows_of(values: &[f32], width: usize) -> Result<Rows<'_>> {
    Ok(Rows::numbers(values, width).map_err(strait_models::Error::from)?)
}

impl<'a> Plan<'a> for KSparsePlan {
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
        let source = Source::Made(self.scaled.clone());
        let recipe = self.round(part);
        recipe.check_model(&self.net, &self.scaled.rows(), None)?;
        let (loaded, network) = backpropagation::load(&recipe, device, &self.net, source, HeldOut::default())?;
        self.network = Some(network);
        Ok(loaded)
    }

    fn record(&self, part: usize, epoch: Epoch) -> FineTuneEpoch {
        let record = record_of(epoch);
        FineTuneEpoch { epoch: self.rounds[part].0 + record.epoch, ..record }
    }

    fn take(&mut self, _: usize, trained: &mut Part<'a>) -> Result<()> {
        match &self.network {
            Some(network) => Ok(network.read(&mut *trained.execution, &mut self.net.layers)?),
            None => Ok(()),
        }
    }

    fn end(&mut self, device: &Device, _: usize, goes_on: bool) -> Result<()> {
        let looked_at = rows_of(&self.looked_at, self.scaled.rows().width)?;
        let dead = dead_units(device, &self.net, looked_at)?;
        self.dead.push(dead.len());
        if goes_on {
            revive(device, &mut self.net, &dead, looked_at, &mut self.stream)?;
        }
        Ok(())
    }

    fn wrong(&self, _: usize) -> Option<f64> {
        not_finite(&self.net.layers)
    }

    fn told(&self, part: usize, epoch: usize, _: usize) -> (usize, usize) {
        (self.rounds[part].0 + epoch, self.recipe.training.epochs)
    }

    fn output(mut self, records: Vec<Vec<FineTuneEpoch>>, stopped: bool) -> Result<KSparseTrained> {
        fold_into(&self.standard, &mut self.net);
        Ok(KSparseTrained { net: self.net, epochs: records.concat(), dead: self.dead, stopped })
    }

    fn rewind(&mut self, _: usize) -> bool {
        // What a round starts from is gone once it was taken over.
        false
    }

    fn watching(&self) -> Watching {
        self.recipe.training.watching()
    }

    fn identity(&self) -> serde_json::Value {
        let Standard { mean, deviation } = &self.standard;
        let means = Rows { count: 1, width: mean.len(), values: Values::Numbers(mean) };
        serde_json::json!({
            "recipe": self.recipe,
            "training-set": of_rows(&self.scaled.rows()),
            "mean": of_rows(&means),
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
        (Vec::new(), Rounds { position: self.stream.position(), dead: self.dead.clone() })
    }

    fn restore(
        &mut self,
        _: &Device,
        _: usize,
        _: &mut dyn FnMut(&str) -> Result<Vec<f32>>,
        Rounds { position, dead }: Rounds,
    ) -> Result<bool> {
        self.stream.seek(position);
        self.dead = dead;
        Ok(true)
    }
}

/// Lets a unit decode to this direction, scaled to length 1, and encode along it with weights of length `gain`.
fn set_unit(net: &mut Autoencoder, unit: usize, direction: &[f32], gain: f32) {
    let length = direction.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    let [encoder, decoder] = &mut net.layers[..] else {
        unreachable!("it was made of two layers");
    };
    for (i, &x) in direction.iter().enumerate() {
        encoder.weight[i * encoder.outputs + unit] = gain * x / length;
        decoder.weight[unit * direction.len() + i] = x / length;
    }
    encoder.bias[unit] = 0.0;
}

/// The units that are 0 for all these rows.
fn dead_units(device: &Device, net: &Autoencoder, rows: Rows<'_>) -> Result<Vec<usize>> {
    let codes = net.encode(device, rows)?;
    let mut used = vec![false; net.code_size()];
    for code in codes.chunks_exact(used.len()) {
        used.iter_mut().zip(code).for_each(|(used, &y)| *used |= y > 0.0);
    }
    Ok((0..used.len()).filter(|&unit| !used[unit]).collect())
}

/// Gives dead units the directions of errors: of rows drawn with the squares of their squared errors as weights, and a
/// fifth of the other units' sensitivity (Bricken et al. 2023).
fn revive(device: &Device, net: &mut Autoencoder, dead: &[usize], rows: Rows<'_>, stream: &mut Stream) -> Result<()> {
    if dead.is_empty() {
        return Ok(());
    }
    let reconstructions = net.reconstruct(device, rows)?;
    let errors: Vec<f32> = rows.to_numbers().iter().zip(reconstructions).map(|(x, y)| x - y).collect();
    let weight = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().powi(2);
    let weights: Vec<f64> = errors.chunks_exact(rows.width).map(weight).collect();
    let total: f64 = weights.iter().sum();
    let encoder = &net.layers[0];
    let alive = encoder.outputs - dead.len();
    let squares = |unit: usize| encoder.weight.iter().skip(unit).step_by(encoder.outputs).map(|w| w * w).sum::<f32>();
    let lengths = (0..encoder.outputs).filter(|unit| !dead.contains(unit)).map(|unit| squares(unit).sqrt());
    // Where all are dead, all start as they did first.
    let gain = if alive == 0 { 1.0 } else { 0.2 * lengths.sum::<f32>() / alive as f32 };
    for &unit in dead {
        let mut rest = f64::from(strait_compute::philox::uniform(stream.next_word())) * total;
        let chosen = weights.iter().position(|weight| {
            rest -= weight;
            rest < 0.0
        });
        let row = chosen.unwrap_or(0);
        let direction = &errors[row * rows.width..][..rows.width];
        set_unit(net, unit, direction, gain);
    }
    Ok(())
}

/// Turns a net for standardised rows into one for the rows themselves.
fn fold_into(standard: &Standard, net: &mut Autoencoder) {
    let [encoder, decoder] = &mut net.layers[..] else {
        unreachable!("it was made of two layers");
    };
    let Affine { outputs, weight, bias, .. } = encoder;
    weight.iter_mut().for_each(|w| *w /= standard.deviation);
    for (weights, m) in weight.chunks_exact(*outputs).zip(&standard.mean) {
        bias.iter_mut().zip(weights).for_each(|(b, w)| *b -= m * w);
    }
    decoder.weight.iter_mut().for_each(|w| *w *= standard.deviation);
    decoder.bias.iter_mut().zip(&standard.mean).for_each(|(b, m)| *b = *b * standard.deviation + m);
}
