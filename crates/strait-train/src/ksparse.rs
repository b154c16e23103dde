//! k-sparse autoencoders with more units than inputs: dictionaries of the directions that vectors are made of.

use serde::{Deserialize, Serialize};
use strait_compute::philox::Stream;
use strait_compute::{Activation, Device};
use strait_data::Rows;
use strait_models::{Affine, Autoencoder};

use crate::drawn::drawn;
use crate::error::positive;
use crate::{Error, Event, FineTune, FineTuneEpoch, Objective, Observer, Optimizer, Result, Schedule};

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
    /// use strait_train::{FineTune, KSparse, silent};
    /// let device = strait_compute::Device::cpu()?;
    /// let values: Vec<f32> = (0..400).map(|i| if i % 4 == i / 4 % 4 { 1.0 } else { 0.0 }).collect();
    /// let rows = strait_data::Rows::numbers(&values, 4)?;
    /// let training = FineTune { epochs: 100, batch: 10, ..KSparse::default().training };
    /// let trained = KSparse { units: 8, top_k: 1, rounds: 2, training }.fit(&device, rows, &mut silent)?;
    /// assert!(trained.net.explained_variance(&device, rows)? > 0.9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FineTune::fit`].
    pub fn fit(&self, device: &Device, rows: Rows<'_>, observer: &mut Observer<'_>) -> Result<KSparseTrained> {
        self.check()?;
        let scale = Scale::of(&rows);
        let values = scale.apply(&rows);
        let scaled = Rows::numbers(&values, rows.width).map_err(strait_models::Error::from)?;
        let looked_at = drawn(scaled, LOOKED_AT, Stream::new(self.training.seed, 301));
        let looked_at = Rows::numbers(&looked_at, rows.width).map_err(strait_models::Error::from)?;
        let mut stream = Stream::new(self.training.seed, 300);
        let mut net = self.start(rows.width, &mut stream)?;
        net.check()?;
        let mut result = KSparseTrained { net: net.clone(), epochs: Vec::new(), dead: Vec::new(), stopped: false };
        let all = self.training.epochs;
        for round in 0..self.rounds {
            let (first, end) = (all * round / self.rounds, all * (round + 1) / self.rounds);
            if first == end || result.stopped {
                continue;
            }
            let last = round + 1 == self.rounds;
            let part = FineTune {
                epochs: end - first,
                schedule: if last { self.training.schedule } else { Schedule::Constant },
                seed: self.training.seed.wrapping_add(round as u64),
                ..self.training.clone()
            };
            let mut count = |event: &Event| observer(&event.clone().within(first, all));
            let (tuned, ended) = part.fit_part(device, &mut net, scaled, None, &mut count)?;
            let number = |done: FineTuneEpoch| FineTuneEpoch { epoch: first + done.epoch, ..done };
            result.epochs.extend(tuned.epochs.into_iter().map(number));
            result.stopped = tuned.stopped || ended && !last;
            let dead = dead_units(device, &net, looked_at)?;
            result.dead.push(dead.len());
            if !last && !result.stopped {
                revive(device, &mut net, &dead, looked_at, &mut stream)?;
            }
        }
        scale.fold_into(&mut net);
        result.net = net;
        Ok(result)
    }

    /// Whether the settings make sense, which [`KSparse::fit`] also asks.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) with the one that does not.
    pub fn check(&self) -> Result<()> {
        positive("units", self.units)?;
        positive("top-k", self.top_k)?;
        positive("rounds", self.rounds)?;
        if self.training.tied || self.training.frozen > 0 {
            let (setting, value) = ("the training of a dictionary", "tied or frozen".to_owned());
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

/// Rows are trained on with mean 0 and, over all columns, variance 1.
struct Scale {
    mean: Vec<f32>,
    deviation: f32,
}

impl Scale {
    fn of(rows: &Rows<'_>) -> Self {
        let mean: Vec<f32> = rows.mean().into_iter().map(|m| m as f32).collect();
        let deviation = (rows.variance() / rows.width as f64).sqrt() as f32;
        Self { mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    }

    fn apply(&self, rows: &Rows<'_>) -> Vec<f32> {
        let mut values = rows.to_numbers();
        for row in values.chunks_exact_mut(rows.width) {
            row.iter_mut().zip(&self.mean).for_each(|(x, m)| *x = (*x - m) / self.deviation);
        }
        values
    }

    /// Makes a net for scaled rows one for rows as they were.
    fn fold_into(&self, net: &mut Autoencoder) {
        let [encoder, decoder] = &mut net.layers[..] else {
            unreachable!("it was made of two layers");
        };
        let Affine { outputs, weight, bias, .. } = encoder;
        weight.iter_mut().for_each(|w| *w /= self.deviation);
        for (weights, m) in weight.chunks_exact(*outputs).zip(&self.mean) {
            bias.iter_mut().zip(weights).for_each(|(b, w)| *b -= m * w);
        }
        decoder.weight.iter_mut().for_each(|w| *w *= self.deviation);
        decoder.bias.iter_mut().zip(&self.mean).for_each(|(b, m)| *b = *b * self.deviation + m);
    }
}
