//! Making the copies of a minibatch in 16 bits.

use std::sync::Arc;

use super::bf16::{Layout, STRIP};
use super::compile::compile_for_each_isa;
use super::isa::Target;
use super::plan::Copy16;
use super::storage::{Storage, Values};
use super::workers::Taking;
use crate::{Step, Tensor};

compile_for_each_isa!(
    pack = pack_kernel(copies: &[Copy16], units: usize, storage: &[Arc<Storage>], step: &Step, share: Taking<'_>)
);

/// Whole lines of every layout lie in blocks of 32 x 32 elements, which are the units of work: `units` in all
/// copies, counted elsewhere, since compilers for AVX-512 would gather the sizes.
#[inline(always)]
fn pack_kernel<T: Target>(copies: &[Copy16], units: usize, storage: &[Arc<Storage>], step: &Step, share: Taking<'_>) {
    for unit in share.of(units) {
        let mut block = unit;
        for &Copy16 { tensor, layout, positions } in copies {
            if let (true, Storage::Values(values)) = (block < blocks(&tensor), &*storage[tensor.id]) {
                pack_block(values, layout, block, step.rows as usize * positions);
                break;
            }
            block -= blocks(&tensor);
        }
    }
}

/// The blocks of one copy.
fn blocks(tensor: &Tensor) -> usize {
    tensor.rows.div_ceil(STRIP) * tensor.cols.div_ceil(STRIP)
}

/// The blocks of these copies.
pub(super) fn units(copies: &[Copy16]) -> usize {
    copies.iter().map(|copy| blocks(&copy.tensor)).sum()
}

#[inline(always)]
fn pack_block(values: &Values, layout: Layout, block: usize, terms: usize) {
    let panels = &values.panels;
    let across = panels.cols.div_ceil(STRIP);
    let active = if layout.sums_rows() { panels.rows.min(terms) } else { panels.rows };
    let (top, left) = (block / across * 2, block % across * 2);
    for i in top..(top + 2).min(values.blocks()) {
        for j in left..(left + 2).min(panels.count()) {
            // SAFETY: the tensor is only read, and this block of the copy is this worker's.
            unsafe { values.bf16.pack(panels, layout, active, i, j) };
        }
    }
}
