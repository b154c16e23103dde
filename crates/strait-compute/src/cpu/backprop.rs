//! Derivatives on their way back through layers.

use super::bf16_product::Bf16Product;
use super::kernel::*;
use super::math::times_derivative;
use super::matmul::{Tail, rows_product, units};
use super::multiplier::Multiplier;
use crate::Activation;

/// What `backprop` does with δ Wᵀ: out = (δ Wᵀ) ⊙ act′(y)
pub(super) struct Backprop<'a> {
    pub(super) output: &'a Panels,
    pub(super) activation: Activation,
    pub(super) out: &'a Panels,
}

compile_for_each_isa!(run = kernel(job: &Backprop<'_>, delta: &Panels, w: &Panels, share: Taking<'_>));
compile_for_each_multiplier!(
    run_bf16 = kernel_bf16(job: &Backprop<'_>, product: &Bf16Product<'_>, share: Taking<'_>)
);

#[inline(always)]
fn kernel<T: Target>(job: &Backprop<'_>, delta: &Panels, w: &Panels, share: Taking<'_>) {
    let units = share.of(units::<T>(delta, w));
    // SAFETY: an operation does not write its operands, and each worker has its own tiles of the result.
    unsafe { rows_product::<T>(delta, w, units, job) }
}

#[inline(always)]
fn kernel_bf16<T: Target, M: Multiplier>(job: &Backprop<'_>, product: &Bf16Product<'_>, share: Taking<'_>) {
    // SAFETY: an operation does not write its operands, and each worker has its own tiles of the result.
    unsafe { product.with_tail::<T, M>(share.of(product.units()), job) }
}

impl Tail for Backprop<'_> {
    #[inline(always)]
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize) {
        let rows = row..row + tile.len();
        // SAFETY: the layer's outputs are only read, and this tile of the result is this worker's.
        let (y, out) = unsafe { (self.output.panel(panel, rows.clone()), self.out.panel_mut(panel, rows)) };
        let width = self.out.width(panel);
        for ((lanes, y), out) in tile.iter_mut().zip(y).zip(out) {
            times_derivative::<T, WIDTH>(self.activation, &mut lanes.0, &y.0);
            lanes.0[width..].fill(0.0);
            *out = *lanes;
        }
    }
}
