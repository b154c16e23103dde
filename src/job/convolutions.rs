//! Jobs of convolutional nets: of pictures, or over the steps of sequences.

use super::Resolved;
use super::resolve::Values;
use crate::experiment::{Error, Result, Sets};
use crate::models::Autoencoder;

impl Resolved {
    /// Chooses what the job leaves open of its convolutions.
    pub(super) fn convolutions(&mut self, values: Values, sets: &Sets) -> Result<()> {
        self.job.kernel.get_or_insert(3);
        let width = self.sizes[0];
        if let Some(steps) = self.job.steps.or(sets.train.series().map(|cut| cut.length)) {
            if steps == 0 || !width.is_multiple_of(steps) {
                return Err(Error::Job(format!(
                    "steps = {steps}: {width} values are not so many steps of the same size"
                )));
            }
            self.job.steps = Some(steps);
            return Ok(());
        }
        let unknown = || {
            format!(
                "rows of {width} numbers are no pictures; read a long series by --window STEPS, or say by --set steps=N that \
                 each row holds N steps, one after the other"
            )
        };
        sets.train.picture_shape().ok_or_else(|| Error::Job(unknown()))?;
        if values != Values::Probabilities {
            return Err(Error::Job("a convolutional net takes pixels from 0 to 1: use --scale clipped".to_owned()));
        }
        Ok(())
    }

    /// The net with random weights.
    pub(super) fn convolutional_autoencoder(&self, sets: &Sets) -> Result<Autoencoder> {
        let (width, filters, seed) = (self.sizes[0], &self.sizes[1..], self.job.seed);
        let kernel = self.job.kernel.unwrap_or(3);
        let mut net = if let Some(steps) = self.job.steps {
            Autoencoder::convolutional_over_time([steps, width / steps], filters, kernel, seed)?
        } else {
            let [height, across] = sets.train.picture_shape().unwrap_or([1, width]);
            Autoencoder::convolutional([height, across, width / (height * across)], filters, kernel, seed)?
        };
        if let Some((last, output)) = net.layers.last_mut().zip(self.job.output) {
            last.activation = output;
        }
        Ok(net)
    }
}
