//! New starts of dead units, where they train.

use strait_compute::{Role, Tensor};
use strait_models::Network;

use super::sparsity::Start;
use crate::Result;
use crate::method::Part;
use crate::run::state::tensors_of;

/// Gives units these directions, of length 1. What an optimiser keeps of them is cleared; all the rest stays. One tensor at a time is on the host.
pub(super) fn restart(
    part: &mut Part<'_>,
    network: &Network,
    units: &[(usize, Vec<f32>)],
    start: Option<Start>,
) -> Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    let [encoder, decoder] = [&network.layers[0], &network.layers[1]];
    let gain = start.map_or(1.0, |start| start.gain);
    change(part, encoder.weight, |weights| {
        for (unit, direction) in units {
            let column = weights.iter_mut().skip(*unit).step_by(encoder.weight.cols);
            column.zip(direction).for_each(|(w, d)| *w = gain * d);
        }
    })?;
    change(part, decoder.weight, |weights| {
        for (unit, direction) in units {
            weights[unit * direction.len()..][..direction.len()].copy_from_slice(direction);
        }
    })?;
    change(part, encoder.bias, |bias| units.iter().for_each(|(unit, _)| bias[*unit] = 0.0))?;
    if let Some(threshold) = encoder.threshold {
        change(part, threshold, |thresholds| {
            let mean = thresholds.iter().sum::<f32>() / thresholds.len() as f32;
            units.iter().for_each(|(unit, _)| thresholds[*unit] = mean);
        })?;
    }
    forget(part, network, units)
}

/// Clears what the optimiser keeps of units.
fn forget(part: &mut Part<'_>, network: &Network, units: &[(usize, Vec<f32>)]) -> Result<()> {
    let [encoder, decoder] = [&network.layers[0], &network.layers[1]];
    let kept: Vec<(Tensor, String)> = tensors_of(part, &[Role::State]).collect();
    for (tensor, name) in kept {
        // Its name is that of the parameter with more behind it.
        let of = |parameter: Tensor| name.starts_with(&format!("{}.", part.execution.program().name(parameter)));
        let by_rows = [Some(decoder.weight), Some(encoder.bias), encoder.threshold].into_iter().flatten().any(of);
        let by_columns = of(encoder.weight);
        if !by_rows && !by_columns {
            continue;
        }
        let all = network.layers[0].outputs();
        change(part, tensor, |moments| {
            let each = moments.len() / all;
            for &(unit, _) in units {
                match by_rows {
                    true => moments[unit * each..][..each].fill(0.0),
                    false => moments.iter_mut().skip(unit).step_by(all).for_each(|moment| *moment = 0.0),
                }
            }
        })?;
    }
    Ok(())
}

fn change(part: &mut Part<'_>, tensor: Tensor, change: impl FnOnce(&mut [f32])) -> Result<()> {
    let mut values = part.execution.read(tensor)?;
    change(&mut values);
    Ok(part.execution.write(tensor, &values)?)
}
