//! How codes whose units have thresholds are trained.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How training keeps the mean number of units of a code whose units have thresholds at `k` a row. It works on lists of the largest numbers of each row: four
/// times k of them at most, 16 where that is more.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Thresholds {
    /// BatchTopK (Bussmann et al. 2024): of a minibatch the k times rows largest numbers stay, so that rows get as many as they need. The thresholds, which
    /// are all the same, follow the smallest of them as a moving average.
    BatchTopK {
        /// Units a row on average.
        k: usize,
    },
    /// JumpReLU (Rajamanoharan et al. 2024): each unit learns its own threshold, by estimates from the outputs near it and by the loss w (L₀ / k − 1)² for L₀ units a row. The
    /// thresholds themselves learn, where that paper's are e to the power of what learns.
    JumpRelu {
        /// Units a row on average.
        k: usize,
        /// The width of the window around a threshold whose outputs count.
        bandwidth: f32,
        /// w
        weight: f32,
    },
}

impl Thresholds {
    /// Units a row on average.
    pub fn k(self) -> usize {
        match self {
            Self::BatchTopK { k } | Self::JumpRelu { k, .. } => k,
        }
    }

    /// The length of a row's list, for a code of `units` units.
    pub fn most(self, units: usize) -> usize {
        self.k().saturating_mul(4).max(16).min(units)
    }

    /// Whether the settings fit a code of `units` units.
    pub(crate) fn check(self, units: usize) -> Result<()> {
        let k = self.k();
        if k == 0 || k > units {
            return Err(Error::Shape(format!("{k} units a row cannot be kept of a code of {units}")));
        }
        if let Self::JumpRelu { bandwidth, weight, .. } = self {
            for (setting, x) in [("the bandwidth of thresholds", bandwidth), ("the weight of L0", weight)] {
                if !(x > 0.0 && x.is_finite()) {
                    return Err(Error::Setting { setting, value: x.to_string(), expected: "it must be above 0" });
                }
            }
        }
        Ok(())
    }
}
