//! What an optimiser keeps of a dictionary from one round to the next.

use strait_compute::{Role, Tensor};
use strait_models::{Layer, Network};

use crate::Result;
use crate::method::Part;
use crate::run::state::tensors_of;

/// What an optimiser keeps of a parameter.
pub(super) struct Moments {
    /// The name of its tensor.
    name: String,
    values: Vec<f32>,
    /// Where the numbers of a unit lie in it.
    units: Axis,
}

/// The axis of a parameter that units are counted along.
enum Axis {
    Rows,
    Columns,
    /// The parameter has nothing of single units.
    Neither,
}

impl Moments {
    /// Reads those of all parameters.
    pub(super) fn read(trained: &mut Part<'_>, network: &Network) -> Result<Vec<Self>> {
        let of = |layer: &Layer| {
            let name = |parameter: Tensor| format!("{}.", trained.execution.program().name(parameter));
            [name(layer.weight), name(layer.bias), name(layer.threshold.unwrap_or(layer.bias))]
        };
        let [[encoder, encoder_bias, threshold], [decoder, ..]] = [of(&network.layers[0]), of(&network.layers[1])];
        let kept: Vec<(Tensor, String)> = tensors_of(trained, &[Role::State]).collect();
        let mut all = Vec::new();
        for (tensor, name) in kept {
            let units = if name.starts_with(&encoder) {
                Axis::Columns
            } else if [&encoder_bias, &threshold, &decoder].into_iter().any(|start| name.starts_with(start)) {
                Axis::Rows
            } else {
                Axis::Neither
            };
            all.push(Self { values: trained.execution.read(tensor)?, name, units });
        }
        Ok(all)
    }

    /// Writes them to the next round.
    pub(super) fn write(&self, loaded: &mut Part<'_>) -> Result<()> {
        if let Some(tensor) = loaded.execution.program().named(&self.name) {
            loaded.execution.write(tensor, &self.values)?;
        }
        Ok(())
    }

    /// Clears those of these units, which start anew.
    pub(super) fn forget(&mut self, revived: &[usize], units: usize) {
        let each = self.values.len() / units;
        for &unit in revived {
            match self.units {
                Axis::Rows => self.values[unit * each..][..each].fill(0.0),
                Axis::Columns => self.values.iter_mut().skip(unit).step_by(units).for_each(|moment| *moment = 0.0),
                Axis::Neither => {}
            }
        }
    }
}
