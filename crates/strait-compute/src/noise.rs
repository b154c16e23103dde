//! Noise that inputs are corrupted with: what denoising autoencoders learn to undo.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Step;
use crate::philox::{philox, uniform};

/// A corruption of inputs (Vincent et al. 2010).
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Noise {
    /// A value becomes 0 with this probability.
    Masking(f32),
    /// A value becomes 0 or 1, one as often as the other, with this probability.
    SaltAndPepper(f32),
    /// A normal number of this standard deviation is added.
    Gaussian(f32),
    /// Rows are made of two parts, of which one may be missing (Ngiam et al. 2011).
    Missing(Missing),
}

/// Which part of a row becomes 0.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Missing {
    /// Values of the first part.
    pub first: u32,
    /// With what probability the first part is missing; the second one is with the same. Never both are.
    pub share: f32,
}

impl Missing {
    /// The columns that are missing from row `row` of a minibatch of rows of `cols` values.
    pub(crate) fn of(self, step: &Step, stream: u32, row: usize, cols: usize) -> Range<usize> {
        let first = self.first as usize;
        // A counter that no column has.
        let words = philox([u32::MAX, step.row(row), step.counter, step.seed_high], [step.seed_low, stream]);
        match uniform(words[0]) {
            u if u < self.share => 0..first,
            u if u < 2.0 * self.share => first..cols,
            _ => 0..0,
        }
    }
}

impl Noise {
    /// Whether its number is a probability or a deviation.
    ///
    /// ```
    /// use strait_compute::Noise;
    /// assert!(Noise::Gaussian(2.0).is_sensible() && !Noise::Masking(2.0).is_sensible());
    /// ```
    pub fn is_sensible(self) -> bool {
        match self {
            Self::Masking(share) | Self::SaltAndPepper(share) => (0.0..=1.0).contains(&share),
            Self::Gaussian(deviation) => deviation >= 0.0 && deviation.is_finite(),
            Self::Missing(Missing { share, .. }) => (0.0..=0.5).contains(&share),
        }
    }
}
