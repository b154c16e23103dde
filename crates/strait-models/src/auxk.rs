//! The auxiliary loss that is to bring dead units back.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// AuxK (Gao et al. 2024): the largest outputs of units that are dead reconstruct, by themselves, the error that the others leave; α times the squared error of that is a
/// loss. It costs one more product with all units, and tensors of the weights' size for the second gradients.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AuxK {
    /// Dead units of a row.
    pub k: usize,
    /// α
    pub weight: f32,
    /// A unit is dead when so many rows have not used it.
    pub after: usize,
}

impl AuxK {
    pub(crate) fn check(self, units: usize) -> Result<()> {
        let Self { k, weight, after } = self;
        if k == 0 || k > units || after == 0 {
            let message = format!("AuxK takes from 1 to {units} dead units after some rows, not {k} after {after}");
            return Err(Error::Shape(message));
        }
        if !(weight > 0.0 && weight.is_finite()) {
            let (setting, value) = ("the weight of AuxK", weight.to_string());
            return Err(Error::Setting { setting, value, expected: "it must be above 0" });
        }
        Ok(())
    }
}
