//! Noise that inputs are corrupted with: what denoising autoencoders learn to undo.

use serde::{Deserialize, Serialize};

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
        }
    }
}
