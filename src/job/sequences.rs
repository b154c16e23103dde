//! Jobs of sequences.

use serde::{Deserialize, Serialize};

use super::{Job, Resolved};
use crate::Activation;
use crate::compute::Cell;
use crate::experiment::{Error, Result, Sets};
use crate::models::{Feeding, SequenceAutoencoder, SequenceCode, SequenceShape};

/// How the rows of a job are sequences, and what reads them.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sequences {
    /// The steps of a row; those of a window of a series, or the lines of a picture, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// lstm or gru.
    pub cell: Cell,
    /// Recurrent layers on either side; 1 where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Whether the encoder also reads from the end.
    pub bidirectional: bool,
    /// Whether the code is drawn from a normal distribution.
    pub variational: bool,
    /// What the decoder is fed with: code, in each step, or previous, the step before.
    pub feeding: Feeding,
    /// Whether the decoder writes the last step first.
    pub reversed: bool,
    /// Whether each row ends in its number of steps.
    pub lengths: bool,
    /// Whether the biases of an LSTM's forget gates start at 1.
    pub open_forget_gates: bool,
}

impl Job {
    /// The shape of the rows: steps, and the values of each.
    fn steps(&self, table: &Sequences, sets: &Sets) -> Result<[usize; 2]> {
        let width = sets.train.width() - usize::from(table.lengths);
        let told = match (sets.train.series(), sets.train.picture_shape()) {
            (Some(cut), _) => Some(cut.length),
            (None, Some([height, _])) if sets.train.shape.len() > 1 => Some(height),
            (None, _) => None,
        };
        let steps = table.steps.or(told).ok_or_else(|| {
            let message = "a table does not say where a sequence ends: read a long series by --window STEPS, or say by --set \
                           sequence.steps=N that each row holds N steps, one after the other";
            Error::Job(message.to_owned())
        })?;
        if steps == 0 || width == 0 || !width.is_multiple_of(steps) {
            return Err(Error::Job(format!(
                "sequence.steps = {steps}: {width} values are not so many steps of the same size"
            )));
        }
        Ok([steps, width / steps])
    }
}

impl Resolved {
    /// Chooses what the job leaves open of its sequences.
    pub(super) fn sequences(&mut self, sets: &Sets) -> Result<()> {
        let mut table = self.job.sequence.clone().unwrap_or_default();
        let [steps, _] = self.job.steps(&table, sets)?;
        (table.steps, table.depth) = (Some(steps), Some(table.depth.unwrap_or(1)));
        self.job.sequence = Some(table);
        if self.sizes.len() > 3 {
            let message = format!(
                "hidden = {:?}: of sequences these are the units of the recurrent layers, and the numbers of a code that is not their last state; \
                 sequence.depth says how many layers there are",
                &self.sizes[1..]
            );
            return Err(Error::Job(message));
        }
        Ok(())
    }

    /// The model with random weights.
    pub(super) fn sequence_autoencoder(&self) -> Result<SequenceAutoencoder> {
        let table = self.job.sequence.clone().unwrap_or_default();
        let width = self.sizes[0] - usize::from(table.lengths);
        let (steps, units) = (table.steps.unwrap_or(width), self.sizes[1]);
        let code = match (self.sizes.get(2), table.variational) {
            (None, false) => SequenceCode::State,
            (None, true) => SequenceCode::Gaussian(units),
            (Some(&size), false) => SequenceCode::Linear(size),
            (Some(&size), true) => SequenceCode::Gaussian(size),
        };
        let shape = SequenceShape {
            cell: table.cell,
            units,
            depth: table.depth.unwrap_or(1),
            bidirectional: table.bidirectional,
            code,
            feeding: table.feeding,
            reversed: table.reversed,
            lengths: table.lengths,
            outputs: self.job.output.unwrap_or(Activation::Linear),
            ..SequenceShape::of(steps, width / steps)
        };
        let mut net = SequenceAutoencoder::new(shape, self.job.seed)?;
        if table.open_forget_gates {
            net = net.with_open_forget_gates();
        }
        if let Some(training) = &self.training {
            (net.corruption, net.kl_weight) = (training.corruption, training.kl_weight);
        }
        Ok(net)
    }
}
