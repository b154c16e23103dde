//! Gradients of biases that all positions of a map share. Each unit of work is a panel of the bias.

use super::kernel::*;
use super::update::{Destination, update};

compile_for_each_isa!(
    run = kernel(
        delta: &Panels, channels: usize, bias: Destination<'_>, step: &Step, share: Taking<'_>
    )
);

/// Each unit of work is a panel of the bias.
#[inline(always)]
fn kernel<T: Target>(delta: &Panels, channels: usize, bias: Destination<'_>, step: &Step, share: Taking<'_>) {
    let used = 0..step.rows as usize;
    for unit in share.of(channels.div_ceil(WIDTH)) {
        let own = unit * WIDTH..((unit + 1) * WIDTH).min(channels);
        let mut mean = Lanes::ZERO;
        // Where a map has one position, the channels of this panel lie in one.
        let panels = if delta.cols == channels { unit..unit + 1 } else { 0..delta.count() };
        for panel in panels {
            let mut sums = Lanes::ZERO;
            // SAFETY: the derivatives are only read.
            for lanes in unsafe { delta.panel(panel, used.clone()) } {
                for c in 0..WIDTH {
                    sums.0[c] += lanes.0[c];
                }
            }
            for (c, sum) in sums.0[..delta.width(panel)].iter().enumerate() {
                let channel = (panel * WIDTH + c) % channels;
                if own.contains(&channel) {
                    mean.0[channel - own.start] += sum;
                }
            }
        }
        mean.0.iter_mut().for_each(|sum| *sum /= step.all_rows());
        // SAFETY: this panel of the bias is this worker's.
        unsafe { update::<T>(bias, &[mean], unit, 0, step, 0.0) };
    }
}
