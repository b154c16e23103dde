//! What autoencoders of sequences are made of.

use serde::{Deserialize, Serialize};
use strait_compute::{Activation, Cell, Device};

use crate::network::EVALUATION_BATCH;
use crate::{Error, Result};

/// What a code is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SequenceCode {
    /// The last state of the encoder, or those of both directions side by side.
    #[default]
    State,
    /// So many linear units on that.
    Linear(usize),
    /// So many numbers drawn from normal distributions, whose means and logarithms of variances are linear units on the last state.
    Gaussian(usize),
}

/// What a decoder is fed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feeding {
    /// The code in each step: Keras' `RepeatVector`.
    #[default]
    Code,
    /// The step before: the true one in training (teacher forcing, Williams & Zipser 1989), else the one that it gave. Its first state is made of
    /// the code by a layer of tanh units.
    Previous,
}

/// The shape of a [`SequenceAutoencoder`](crate::SequenceAutoencoder).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceShape {
    /// T, the steps of a sequence.
    pub steps: usize,
    /// F, the values of a step.
    pub features: usize,
    /// The cell of the recurrent layers.
    pub cell: Cell,
    /// H, the units of a recurrent layer.
    pub units: usize,
    /// Recurrent layers of the encoder, and of the decoder.
    pub depth: usize,
    /// Whether the encoder's layers also read sequences from their ends: each layer then has units for both directions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bidirectional: bool,
    /// What a code is.
    pub code: SequenceCode,
    /// What the decoder is fed with.
    #[serde(default)]
    pub feeding: Feeding,
    /// Whether the decoder writes the last step first (Srivastava et al. 2015).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversed: bool,
    /// Whether each row ends in its number of steps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lengths: bool,
    /// The units that give the values of a step.
    pub outputs: Activation,
}

/// A layer of a shape.
pub(crate) struct Described {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) activation: Activation,
    /// Whether it is a part of a recurrent layer.
    pub(crate) recurrent: bool,
    /// Whether that part takes the state.
    pub(crate) of_state: bool,
    /// The name of the module, and what stands behind its parameters' names, as PyTorch has them.
    pub(crate) name: (&'static str, String),
}

/// The places of layers among all.
pub(crate) struct Places {
    /// For each layer of the encoder, the parts of each direction.
    pub(crate) encoder: Vec<Vec<[usize; 2]>>,
    pub(crate) code: Option<usize>,
    pub(crate) start: Option<usize>,
    pub(crate) decoder: Vec<[usize; 2]>,
    pub(crate) output: usize,
}

impl SequenceShape {
    /// One LSTM layer of 64 units on either side, whose last state is the code that the decoder is fed with in each step; linear outputs.
    pub fn of(steps: usize, features: usize) -> Self {
        Self {
            steps,
            features,
            cell: Cell::Lstm,
            units: 64,
            depth: 1,
            bidirectional: false,
            code: SequenceCode::State,
            feeding: Feeding::Code,
            reversed: false,
            lengths: false,
            outputs: Activation::Linear,
        }
    }

    /// Whether there are such sequences and layers.
    pub(super) fn check(&self) -> Result<()> {
        let code = match self.code {
            SequenceCode::State => 1,
            SequenceCode::Linear(size) | SequenceCode::Gaussian(size) => size,
        };
        let sizes = [self.steps, self.features, self.units, self.depth, code];
        let fits = self.steps.checked_mul(self.features).is_some_and(|values| values < usize::MAX / 8);
        if sizes.contains(&0) || !fits || self.units > 1 << 20 || self.depth > 64 {
            return Err(Error::Shape(format!(
                "an autoencoder of sequences needs steps, values, recurrent layers, units and a code, none of them 0, but these are {}, {}, {}, {} and {:?}",
                self.steps, self.features, self.depth, self.units, self.code
            )));
        }
        Ok(())
    }

    /// T F
    pub(crate) fn values(&self) -> usize {
        self.steps * self.features
    }

    /// Rows of a minibatch of evaluation, whose gates in all steps a device can hold, and mostly the caches of a processor, too.
    pub(crate) fn evaluation_batch(&self, device: &Device) -> usize {
        const NUMBERS: usize = 1 << 21;
        let widest = self.cell.gates().saturating_mul(self.units).max(self.features).saturating_mul(self.steps);
        let numbers = device.largest_tensor().map_or(NUMBERS, |limit| NUMBERS.min(limit as usize / 4));
        let rows = (numbers / widest.max(1)).clamp(1, EVALUATION_BATCH);
        // Whole tiles of every processor, for two workers.
        if rows < 24 { rows } else { rows / 24 * 24 }
    }

    fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    pub(crate) fn code_size(&self) -> usize {
        match self.code {
            SequenceCode::State => self.directions() * self.units,
            SequenceCode::Linear(size) | SequenceCode::Gaussian(size) => size,
        }
    }

    /// Its layers: those of the encoder from below, each with its directions; the code's, if that is not the state; what makes the decoder's
    /// first states of the code, if it is not fed with that; those of the decoder; the outputs.
    pub(crate) fn layers(&self) -> Vec<Described> {
        let (units, gates, linear) = (self.units, self.cell.gates() * self.units, Activation::Linear);
        let recurrent = |module, inputs: usize, number: usize, back: bool| {
            let name = format!("_l{number}{}", if back { "_reverse" } else { "" });
            [(inputs, false), (units, true)].map(|(inputs, of_state)| Described {
                inputs,
                outputs: gates,
                activation: linear,
                recurrent: true,
                of_state,
                name: (module, format!("_{}{name}", if of_state { "hh" } else { "ih" })),
            })
        };
        let plain = |module, inputs: usize, outputs: usize, activation| Described {
            inputs,
            outputs,
            activation,
            recurrent: false,
            of_state: false,
            name: (module, String::new()),
        };
        let (wide, mut layers) = (self.directions() * units, Vec::new());
        for number in 0..self.depth {
            let inputs = if number == 0 { self.features } else { wide };
            layers.extend(recurrent("encoder", inputs, number, false));
            if self.bidirectional {
                layers.extend(recurrent("encoder", inputs, number, true));
            }
        }
        match self.code {
            SequenceCode::State => {}
            SequenceCode::Linear(size) => layers.push(plain("code", wide, size, linear)),
            SequenceCode::Gaussian(size) => layers.push(plain("code", wide, 2 * size, linear)),
        }
        let first = match self.feeding {
            Feeding::Code => self.code_size(),
            Feeding::Previous => {
                layers.push(plain("start", self.code_size(), self.depth * units, Activation::Tanh));
                self.features
            }
        };
        for number in 0..self.depth {
            layers.extend(recurrent("decoder", if number == 0 { first } else { units }, number, false));
        }
        layers.push(plain("output", units, self.features, self.outputs));
        layers
    }

    /// Where its layers stand in that order.
    pub(crate) fn places(&self) -> Places {
        let mut next = 0..;
        let mut one = || next.next().unwrap_or_default();
        let encoder = (0..self.depth).map(|_| (0..self.directions()).map(|_| [one(), one()]).collect()).collect();
        let code = (self.code != SequenceCode::State).then(&mut one);
        let start = (self.feeding == Feeding::Previous).then(&mut one);
        let decoder = (0..self.depth).map(|_| [one(), one()]).collect();
        Places { encoder, code, start, decoder, output: one() }
    }
}
