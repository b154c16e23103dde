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
    /// The number of successive rows without use after which a unit is dead.
    pub after: usize,
}

impl AuxK {
    pub(crate) fn check(self, units: usize) -> Result<()> {
        let Self { k, weight, after } = self;
        // Rows are counted in single precision.
        if k == 0 || k > units || !(1..1 << 24).contains(&after) {
            let message = format!(
                "AuxK takes 1 to {units} units that are dead after 1 to 16,777,215 rows, not {k} that are after {after}"
            );
            return Err(Error::Shape(message));
        }
        if !(weight > 0.0 && weight.is_finite()) {
            let (setting, value) = ("the weight of AuxK", weight.to_string());
            return Err(Error::Setting { setting, value, expected: "it must be above 0" });
        }
        Ok(())
    }
}
