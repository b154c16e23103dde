//! Sums that travel in 16 bits, with what rounding has left behind.

use std::collections::HashMap;

use half::bf16;
use half::slice::HalfFloatSliceExt;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

/// What rounding has left behind of each tensor: of what this rank sends, and of the part that it sums for all.
#[derive(Default)]
pub(crate) struct Residuals(HashMap<usize, [Vec<f32>; 2]>);

impl Residuals {
    /// Adds up the numbers of all ranks. Each sums a part of them, in single precision.
    pub(crate) fn sum(&mut self, world: &SimpleCommunicator, tensor: usize, values: &mut [f32]) {
        let ranks = world.size() as usize;
        let part = values.len().div_ceil(ranks);
        let [sent, summed] = self.0.entry(tensor).or_default();
        // Another tensor had this number before, in a part of the run that has ended.
        if sent.len() != values.len() {
            (*sent, *summed) = (vec![0.0; values.len()], vec![0.0; part]);
        }
        let mut own = vec![0u16; part * ranks];
        round(values, sent, &mut own[..values.len()]);
        let mut received = vec![0u16; part * ranks];
        world.all_to_all_into(&own[..], &mut received[..]);
        let mut sum = vec![0.0; part];
        for other in received.chunks_exact(part) {
            sum.iter_mut().zip(other).for_each(|(sum, &bits)| *sum += bf16::from_bits(bits).to_f32());
        }
        round(&sum, summed, &mut own[..part]);
        world.all_gather_into(&own[..part], &mut received[..]);
        let halves: &[bf16] = bytemuck::cast_slice(&received[..values.len()]);
        halves.convert_to_f32_slice(values);
    }
}

/// Rounds numbers with what was left behind of them before, and keeps what is left behind now.
fn round(values: &[f32], residual: &mut [f32], rounded: &mut [u16]) {
    for ((value, residual), rounded) in values.iter().zip(residual).zip(rounded) {
        let wanted = value + *residual;
        let half = bf16::from_f32(wanted);
        *rounded = half.to_bits();
        // NaN and infinities stay as they are and leave no residual.
        let left = wanted - half.to_f32();
        *residual = if left.is_finite() { left } else { 0.0 };
    }
}
