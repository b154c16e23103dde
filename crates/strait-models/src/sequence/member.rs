//! How sequences go through an autoencoder.

use strait_compute::{Activation, Device, Tensor};
use strait_data::Rows;

use super::{Feeding, SequenceAutoencoder, SequenceCode};
use crate::member::{Member, check_noise, follows_gradients};
use crate::objective::check_number;
use crate::{Affine, Error, Goal, Layer, Model, Objective, Recurrent, Result, States, Tape, Value};

/// The logit behind the end of a sequence: the probability that stands for it is 0.
const IMPOSSIBLE: f32 = -200.0;

impl SequenceAutoencoder {
    fn recurrent(&self, state: Layer, reversed: bool, lengths: Option<Tensor>) -> Recurrent {
        Recurrent { cell: self.shape.cell, state, steps: self.shape.steps, reversed, lengths }
    }

    /// The values of rows, and the lengths that stand behind them.
    pub(crate) fn parted(&self, tape: &mut Tape<'_>, x: Value) -> Result<(Value, Option<Tensor>)> {
        let width = self.shape.values();
        if !self.shape.lengths {
            return Ok((x, None));
        }
        let lengths = tape.columns(x, width..width + 1)?;
        Ok((tape.columns(x, 0..width)?, Some(tape.tensor(lengths))))
    }

    /// Values without those behind the ends.
    fn ended(&self, tape: &mut Tape<'_>, x: Value, lengths: Option<Tensor>) -> Result<Value> {
        lengths.map_or(Ok(x), |lengths| tape.truncate(x, lengths, self.shape.features, 0.0))
    }

    /// The codes of sequences, or what they are drawn from.
    pub(crate) fn record_code(
        &self,
        tape: &mut Tape<'_>,
        layers: &[Layer],
        x: Value,
        lengths: Option<Tensor>,
    ) -> Result<Value> {
        let places = self.shape.places();
        let mut below = tape.split_steps(x, self.shape.steps)?;
        for (number, directions) in places.encoder.iter().enumerate() {
            let wanted = if number + 1 == places.encoder.len() { States::Last } else { States::Each };
            let mut states = Vec::new();
            for (back, &[input, state]) in directions.iter().enumerate() {
                let gates = tape.layer(below, layers[input])?;
                let layer = self.recurrent(layers[state], back == 1, lengths);
                states.push(tape.recur(layer, [Some(gates), None], None, wanted)?);
            }
            below = if let [one] = states[..] { one } else { tape.join(&states)? };
        }
        places.code.map_or(Ok(below), |code| tape.layer(below, layers[code]))
    }

    /// The codes of rows; of those that are drawn their means.
    pub(crate) fn record_means(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value) -> Result<Tensor> {
        let (x, lengths) = self.parted(tape, x)?;
        let x = self.ended(tape, x, lengths)?;
        let mut code = self.record_code(tape, layers, x, lengths)?;
        if let SequenceCode::Gaussian(size) = self.shape.code {
            code = tape.columns(code, 0..size)?;
        }
        Ok(tape.tensor(code))
    }

    /// The values of sequences with these codes, `previous` being those that the decoder is fed with. Where logits are wanted, these.
    pub(crate) fn record_sequences(
        &self,
        tape: &mut Tape<'_>,
        layers: &[Layer],
        code: Value,
        previous: Option<Value>,
        lengths: Option<Tensor>,
        logits: bool,
    ) -> Result<Value> {
        let (places, units) = (self.shape.places(), self.shape.units);
        let starts = places.start.map(|start| tape.layer(code, layers[start])).transpose()?;
        let (mut inputs, mut constant) = (previous, previous.is_none().then_some(code));
        for (number, &[input, state]) in places.decoder.iter().enumerate() {
            let mut below = |value: Option<Value>| value.map(|value| tape.layer(value, layers[input])).transpose();
            let (gates, always) = (below(inputs)?, below(constant)?);
            let start = match starts {
                Some(starts) if places.decoder.len() == 1 => Some(starts),
                Some(starts) => Some(tape.columns(starts, number * units..(number + 1) * units)?),
                None => None,
            };
            let layer = self.recurrent(layers[state], self.shape.reversed, lengths);
            let states = tape.recur(layer, [gates, always], start, States::Each)?;
            (inputs, constant) = (Some(states), None);
        }
        let Some(states) = inputs else { unreachable!("a decoder has a layer") };
        let output = layers[places.output];
        let activation = if logits { Activation::Linear } else { output.activation };
        let steps = tape.layer(states, Layer { activation, ..output })?;
        tape.join_steps(steps)
    }

    fn goal(&self, goal: &Goal) -> Result<()> {
        let (wanted, setting) = match goal.objective {
            Objective::CrossEntropy => (Activation::Logistic, "the outputs of an autoencoder of sequences"),
            Objective::SquaredError => return Ok(()),
            Objective::SoftmaxCrossEntropy => {
                let (setting, value) = ("the objective", "softmax cross-entropy".to_owned());
                let expected = "a sequence is reconstructed by the cross-entropy or the squared error";
                return Err(Error::Setting { setting, value, expected });
            }
        };
        if self.shape.outputs != wanted {
            let value = self.shape.outputs.name().to_owned();
            let expected = "the cross-entropy takes logistic outputs; use the squared error";
            return Err(Error::Setting { setting, value, expected });
        }
        Ok(())
    }
}

impl Member for SequenceAutoencoder {
    fn to_model(&self) -> Option<Model> {
        Some(self.clone().into())
    }

    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn inputs(&self) -> usize {
        Self::inputs(self)
    }

    fn check_rows(&self, rows: &Rows<'_>) -> Result<()> {
        Self::check_rows(self, rows)
    }

    fn compared(&self, rows: &Rows<'_>) -> Option<Vec<f32>> {
        let (width, each) = (self.inputs(), self.shape.features);
        self.shape.lengths.then(|| {
            let numbers = rows.to_numbers();
            let own = numbers.chunks_exact(width).flat_map(|row| {
                row[..self.shape.values()]
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| self.lasts(row, i / each))
                    .map(|(_, &x)| x)
            });
            own.collect()
        })
    }

    fn evaluation_batch(&self, device: &Device, rows: usize) -> usize {
        self.shape.evaluation_batch(device).min(rows).max(1)
    }

    fn check(&self, goal: &Goal) -> Result<()> {
        Self::check(self)?;
        check_noise(self.corruption, goal)?;
        check_number("kl-weight", self.kl_weight)?;
        if let SequenceCode::Gaussian(_) = self.shape.code {
            let expected = "conjugate gradients and L-BFGS compare losses, which change with each random code; use Adam or momentum";
            follows_gradients(goal, expected)?;
        }
        self.goal(goal)
    }

    fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, _: Value, goal: &Goal) -> Result<()> {
        let (x, lengths) = self.parted(tape, x)?;
        let target = self.ended(tape, x, lengths)?;
        let input = match self.corruption {
            None => target,
            Some(noise) => {
                let noisy = tape.corrupt(target, noise)?;
                self.ended(tape, noisy, lengths)?
            }
        };
        let mut code = self.record_code(tape, layers, input, lengths)?;
        if let SequenceCode::Gaussian(_) = self.shape.code {
            code = tape.reparameterize(code, self.kl_weight)?;
        }
        let previous = match self.shape.feeding {
            Feeding::Code => None,
            Feeding::Previous => {
                let previous = tape.previous_steps(target, self.shape.steps, self.shape.reversed)?;
                Some(tape.split_steps(previous, self.shape.steps)?)
            }
        };
        let logits = goal.objective != Objective::SquaredError;
        let made = self.record_sequences(tape, layers, code, previous, lengths, logits)?;
        let beyond = if logits { IMPOSSIBLE } else { 0.0 };
        let made = match lengths {
            Some(lengths) => tape.truncate(made, lengths, self.shape.features, beyond)?,
            None => made,
        };
        tape.compare(made, target, goal.objective)
    }
}
