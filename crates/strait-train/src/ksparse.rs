//! k-sparse autoencoders with more units than inputs: dictionaries of the directions that vectors are made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strait_compute::philox::{Stream, streams};
use strait_compute::{Activation, Device, Role, Tensor};
use strait_data::{Kept, Rows, Standard, Values};
use strait_models::{Affine, Autoencoder, Layer, Network, transpose};

use crate::backpropagation::{self, HeldOut};
use crate::checkpoint::{Modeller, of_rows};
use crate::error::positive;
use crate::finetune_plan::{not_finite, record_of};
use crate::method::{Part, Source};
use crate::monitor::Watching;
use crate::plan::{Epoch, Plan};
use crate::run::state::tensors_of;
use crate::sample::sample;
use crate::{Error, FineTune, FineTuneEpoch, Member, Objective, Optimizer, Result, Run, Schedule};

/// How much of the direction in which a unit starts is that of a row, if few units make a row; the rest is random, so that equal rows give no twins. Of
/// more units each has a smaller part in a row, and less of its direction. docs/dictionaries.md has what this is worth.
const OF_ROW: f32 = 0.9;
/// Units that are few.
const SINGLE: f32 = 4.0;

/// Rows on which units are looked at between the rounds.
const LOOKED_AT: usize = 10_000;

/// The recipe of a k-sparse autoencoder (Makhzani & Frey 2013), as it is trained today on the activations of other nets
/// (Bricken et al. 2023; Gao et al. 2024): rectified units of which the k largest stay, a linear decoder that starts as
/// the encoder's transpose, in the directions of rows, and by choice a new start for units that no row uses.
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
    /// Whether the directions of the units, the rows of the decoder's weights, are held to length 1, without the part of their gradient that would
    /// change nothing but the length.
    pub unit_rows: bool,
    /// Rows are scaled by the distance of the median one from the mean; rows that are further than so many times that are counted, do not
    /// take part in the means, and are drawn in to that distance.
    pub outlier: f64,
    /// Whether these rows are left out of training.
    pub leave_out: bool,
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
        Self { units: 2000, top_k: 32, rounds: 4, unit_rows: false, outlier: 10.0, leave_out: false, training }
    }
}

/// The result of training.
#[derive(Clone, PartialEq, Debug)]
pub struct KSparseTrained {
    /// The net, for rows as they were given.
    pub net: Autoencoder,
    /// The epochs that were completed. Their losses are those of rows that were shifted to mean 0 and scaled so that the median one has variance 1.
    pub epochs: Vec<FineTuneEpoch>,
    /// Rows that are further from the mean than [`KSparse::outlier`] allows.
    pub far: usize,
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
    /// let trained = KSparse { units: 8, top_k: 1, rounds: 2, training, ..KSparse::default() }.fit(&device, rows)?;
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
        if !(self.outlier.is_finite() && self.outlier > 1.0) {
            let (setting, value) = ("outlier", self.outlier.to_string());
            return Err(Error::Setting { setting, value, expected: "it must be larger than 1" });
        }
        if self.training.frozen > 0 {
            let (setting, value) = ("the training of a dictionary", "frozen".to_owned());
            let expected = "encoder and decoder learn, each for itself, since units that start anew are untied";
            return Err(Error::Setting { setting, value, expected });
        }
        self.training.check()?;
        // It is that of the last round.
        self.training.schedule.check(self.training.epochs - self.training.epochs * (self.rounds - 1) / self.rounds)
    }

    /// Decoding directions of unit length, and an encoder that is their transpose. A part of a direction is that of a row, each drawn once, so that
    /// every unit begins as one of the largest of some row.
    fn start(&self, width: usize, scaled: &[f32], stream: &mut Stream) -> Result<Autoencoder> {
        let mut directions: Vec<f32> = (0..width * self.units).map(|_| stream.next_normal()).collect();
        let of_row_share = (OF_ROW * SINGLE / self.top_k as f32).min(OF_ROW);
        let kept = stream.permutation(scaled.len() / width);
        for (direction, row) in directions.chunks_exact_mut(width).zip(kept) {
            let row = &scaled[row as usize * width..][..width];
            let (of_row, of_direction) = (length(row), length(direction));
            let mixed = direction.iter_mut().zip(row);
            mixed.for_each(|(d, x)| *d = of_row_share * x / of_row + (1.0 - of_row_share) * *d / of_direction);
        }
        for direction in directions.chunks_exact_mut(width) {
            let length = length(direction);
            direction.iter_mut().for_each(|x| *x /= length);
        }
        let layer = |inputs, outputs, activation, weight| {
            let bias = vec![0.0; outputs];
            Affine { inputs, outputs, activation, weight, bias, convolution: None }
        };
        let up = layer(width, self.units, Activation::Relu, transpose(&directions, width));
        let down = layer(self.units, width, Activation::Linear, directions);
        let net = Autoencoder::new(vec![up, down], 1);
        Ok(Autoencoder { top_k: Some(self.top_k), unit_rows: self.unit_rows, ..net })
    }
}

/// The plan of [`KSparse`]: a part for each round.
pub struct KSparsePlan {
    recipe: KSparse,
    /// First and last epoch of the rounds, counted from the start.
    rounds: Vec<(usize, usize)>,
    standard: Standard,
    /// Rows that are far from the mean.
    far: usize,
    /// The rows with mean 0 and variance 1.
    scaled: Arc<Kept>,
    looked_at: Vec<f32>,
    stream: Stream,
    net: Autoencoder,
    network: Option<Network>,
    /// What the optimiser keeps, by its tensors' names: the next round goes on with it.
    moments: Vec<Moments>,
    dead: Vec<usize>,
}

/// What an optimiser keeps of a parameter.
struct Moments {
    /// The tensor.
    name: String,
    values: Vec<f32>,
    units: Axis,
}

/// Where the numbers of a unit lie in a parameter.
enum Axis {
    Rows,
    Columns,
    Nothing,
}

impl Moments {
    /// Clears those of these units, which start anew.
    fn forget(&mut self, revived: &[usize], units: usize) {
        let each = self.values.len() / units;
        for &unit in revived {
            match self.units {
                Axis::Rows => self.values[unit * each..][..each].fill(0.0),
                Axis::Columns => self.values.iter_mut().skip(unit).step_by(units).for_each(|moment| *moment = 0.0),
                Axis::Nothing => {}
            }
        }
    }
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
        let (standard, far) = Standard::of_most(rows, recipe.outlier);
        let mut scaled = rows.to_numbers();
        if recipe.leave_out {
            let mut number = 0;
            let mut far = far.iter().peekable();
            // Row after row, since both are in their order.
            let kept = scaled.chunks_exact(rows.width).filter(|_| {
                let leaves = far.next_if_eq(&&number).is_some();
                number += 1;
                !leaves
            });
            scaled = kept.flatten().copied().collect();
        }
        standard.apply(&mut scaled);
        shorten(&mut scaled, rows.width, recipe.outlier);
        let looked_at = Stream::new(training.seed, streams::LOOKED_AT);
        let looked_at = sample(rows_of(&scaled, rows.width)?, LOOKED_AT, looked_at);
        let mut stream = Stream::new(training.seed, streams::DICTIONARY);
        let net = recipe.start(rows.width, &scaled, &mut stream)?;
        net.check()?;
        let round = |round: usize| (training.epochs * round / rounds, training.epochs * (round + 1) / rounds);
        let rounds = (0..*rounds).map(round).filter(|(first, end)| first < end).collect();
        let scaled = Arc::new(Kept::memory(scaled, rows.width));
        Ok(Self {
            recipe,
            rounds,
            standard,
            far: far.len(),
            scaled,
            looked_at,
            stream,
            net,
            network: None,
            moments: Vec::new(),
            dead: Vec::new(),
        })
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
        let epochs = self.rounds[part].0;
        let before = epochs * self.scaled.rows().count.div_ceil(recipe.batch);
        let stage = (Member::stage(&self.net).to_owned(), before);
        let (mut loaded, network) =
            backpropagation::load_as(stage, &recipe, device, &self.net, source, HeldOut::default())?;
        for Moments { name, values, .. } in std::mem::take(&mut self.moments) {
            if let Some(tensor) = loaded.execution.program().named(&name) {
                loaded.execution.write(tensor, &values)?;
            }
        }
        self.network = Some(network);
        // The device has them now; they come back when the round is over.
        self.net.layers.iter_mut().for_each(|layer| layer.weight = Vec::new());
        Ok(loaded)
    }

    fn record(&self, part: usize, epoch: Epoch) -> FineTuneEpoch {
        let record = record_of(epoch);
        FineTuneEpoch { epoch: self.rounds[part].0 + record.epoch, ..record }
    }

    fn take(&mut self, part: usize, trained: &mut Part<'a>) -> Result<()> {
        let Some(network) = &self.network else {
            return Ok(());
        };
        network.read(&mut *trained.execution, &mut self.net.layers)?;
        if part + 1 < self.rounds.len() {
            let of = |layer: &Layer| {
                let name = |parameter: Tensor| format!("{}.", trained.execution.program().name(parameter));
                [name(layer.weight), name(layer.bias)]
            };
            let [up, down] = [of(&network.layers[0]), of(&network.layers[1])];
            let kept: Vec<(Tensor, String)> = tensors_of(trained, &[Role::State]).collect();
            for (tensor, name) in kept {
                let begins = |parameter: &String| name.starts_with(parameter);
                let units = match () {
                    () if begins(&up[0]) => Axis::Columns,
                    () if up.iter().chain(&down[..1]).any(begins) => Axis::Rows,
                    () => Axis::Nothing,
                };
                self.moments.push(Moments { values: trained.execution.read(tensor)?, name, units });
            }
        }
        Ok(())
    }

    fn end(&mut self, device: &Device, _: usize, goes_on: bool) -> Result<()> {
        let looked_at = rows_of(&self.looked_at, self.scaled.rows().width)?;
        let dead = dead_units(device, &self.net, looked_at)?;
        self.dead.push(dead.len());
        if goes_on {
            let revived = revive(device, &mut self.net, &dead, looked_at, &mut self.stream)?;
            self.moments.iter_mut().for_each(|moments| moments.forget(revived, self.recipe.units));
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
        Ok(KSparseTrained { net: self.net, epochs: records.concat(), far: self.far, dead: self.dead, stopped })
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
        // Those that a device has had are gone; the snapshot's take their place.
        for layer in &mut self.net.layers {
            layer.weight.resize(layer.inputs * layer.outputs, 0.0);
        }
        Ok(true)
    }
}

/// Lets a unit decode to this direction, scaled to length 1, and encode along it.
fn set_unit(net: &mut Autoencoder, unit: usize, direction: &[f32]) {
    let length = length(direction);
    let [encoder, decoder] = &mut net.layers[..] else {
        unreachable!("it was made of two layers");
    };
    for (i, &x) in direction.iter().enumerate() {
        encoder.weight[i * encoder.outputs + unit] = x / length;
        decoder.weight[unit * direction.len() + i] = x / length;
    }
    encoder.bias[unit] = 0.0;
}

/// Draws rows that are further from the mean than so many times the median one in to that distance, so that none decides alone what is learned.
fn shorten(scaled: &mut [f32], width: usize, outlier: f64) {
    let longest = (outlier * (width as f64).sqrt()) as f32;
    for row in scaled.chunks_exact_mut(width) {
        let length = length(row);
        if length > longest {
            row.iter_mut().for_each(|x| *x *= longest / length);
        }
    }
}

fn length(direction: &[f32]) -> f32 {
    direction.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
}

/// The units that are 0 for all these rows.
fn dead_units(device: &Device, net: &Autoencoder, rows: Rows<'_>) -> Result<Vec<usize>> {
    let uses = net.encode_largest(device, rows)?.uses();
    Ok((0..uses.len()).filter(|&unit| uses[unit] == 0).collect())
}

/// Gives dead units the directions of errors: of rows drawn with the squares of their squared errors as weights, as Bricken et al. (2023) do, but
/// each row once, so that no two units are twins; and encoders of length 1, since units that answer with less are not among the largest.
fn revive<'d>(
    device: &Device,
    net: &mut Autoencoder,
    dead: &'d [usize],
    rows: Rows<'_>,
    stream: &mut Stream,
) -> Result<&'d [usize]> {
    if dead.is_empty() {
        return Ok(dead);
    }
    let reconstructions = net.reconstruct(device, rows)?;
    let errors: Vec<f32> = rows.to_numbers().iter().zip(reconstructions).map(|(x, y)| x - y).collect();
    let weight = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().powi(2);
    let mut weights: Vec<f64> = errors.chunks_exact(rows.width).map(weight).collect();
    for (number, &unit) in dead.iter().enumerate() {
        let total: f64 = weights.iter().sum();
        let mut rest = f64::from(strait_compute::philox::uniform(stream.next_word())) * total;
        let chosen = weights.iter().position(|weight| {
            rest -= weight;
            rest < 0.0
        });
        // Where rows run out, the other units stay dead.
        let Some(row) = chosen else {
            return Ok(&dead[..number]);
        };
        weights[row] = 0.0;
        let error = &errors[row * rows.width..][..rows.width];
        let (of_error, noise) = (length(error), (0..rows.width).map(|_| stream.next_normal()).collect::<Vec<f32>>());
        let of_noise = length(&noise);
        let mixed =
            error.iter().zip(&noise).map(|(x, noise)| OF_ROW * x / of_error + (1.0 - OF_ROW) * noise / of_noise);
        set_unit(net, unit, &mixed.collect::<Vec<f32>>());
    }
    Ok(dead)
}

/// Turns a net for standardised rows into one for the rows themselves.
fn fold_into(standard: &Standard, net: &mut Autoencoder) {
    let [encoder, decoder] = &mut net.layers[..] else {
        unreachable!("it was made of two layers");
    };
    // They had length 1 before they were scaled.
    net.unit_rows = false;
    let Affine { outputs, weight, bias, .. } = encoder;
    weight.iter_mut().for_each(|w| *w /= standard.deviation);
    for (weights, m) in weight.chunks_exact(*outputs).zip(&standard.mean) {
        bias.iter_mut().zip(weights).for_each(|(b, w)| *b -= m * w);
    }
    decoder.weight.iter_mut().for_each(|w| *w *= standard.deviation);
    decoder.bias.iter_mut().zip(&standard.mean).for_each(|(b, m)| *b = *b * standard.deviation + m);
}
