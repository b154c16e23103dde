//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::{below, positive, positive_rate};

/// How the learning rate changes over a training run, as a factor to the rate that the optimiser names.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Always 1.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `epochs` epochs.
    Step {
        /// Epochs between two changes.
        epochs: usize,
        /// The factor.
        factor: f32,
    },
    /// Rises linearly over the first `warmup` epochs, then falls to zero along a half cosine (Loshchilov & Hutter 2017).
    Cosine {
        /// Epochs of the rise.
        warmup: f32,
    },
}

impl Schedule {
    /// Whether it is one for a run of so many epochs.
    pub(crate) fn check(&self, epochs: usize) -> Result<()> {
        match *self {
            Self::Constant => Ok(()),
            Self::Step { epochs, factor } => {
                positive("the epochs of the schedule", epochs)?;
                positive_rate("the factor of the schedule", factor)
            }
            Self::Cosine { warmup } => below("the warm-up", warmup, epochs as f32, "it must be shorter than the run"),
        }
    }

    /// The factor at a step of a run of `epochs` epochs of `steps` steps each.
    ///
    /// ```
    /// use strait_train::Schedule;
    /// let cosine = Schedule::Cosine { warmup: 1.0 };
    /// assert_eq!(cosine.factor(0, 10, 11), 0.1);
    /// assert_eq!(cosine.factor(10, 10, 11), 1.0);
    /// assert!((cosine.factor(60, 10, 11) - 0.5).abs() < 1e-6);
    /// assert_eq!(Schedule::Cosine { warmup: 0.5 }.factor(0, 1, 11), 1.0);
    /// assert_eq!(Schedule::Step { epochs: 2, factor: 0.5 }.factor(45, 10, 11), 0.25);
    /// ```
    pub fn factor(&self, step: usize, steps: usize, epochs: usize) -> f32 {
        match *self {
            Self::Constant => 1.0,
            Self::Step { epochs, factor } => factor.powi((step / steps.max(1) / epochs.max(1)) as i32),
            Self::Cosine { warmup } => {
                let rise = warmup * steps as f32;
                if (step as f32) < rise {
                    return ((step as f32 + 1.0) / rise).min(1.0);
                }
                let rest = (steps * epochs) as f32 - rise;
                0.5 * (1.0 + (std::f32::consts::PI * (step as f32 - rise) / rest).cos())
            }
        }
    }
}
