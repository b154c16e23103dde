//! Layers: a product of rows with weights, its activation and random states.

use super::kernel::*;
use std::sync::atomic::Ordering;

use super::bf16_product::Bf16Product;
use super::binary::{self, Lookups, binary_product};
use super::math::activate;
use super::matmul::{Tail, rows_product, units};
use super::multiplier::Multiplier;
use super::random::{draw, random_words};
use crate::{Activation, Sampling};

/// What `linear` does with X W: out = act(X W + b), with random states where they are wanted.
pub(super) struct Linear<'a> {
    pub(super) bias: &'a Panels,
    pub(super) activation: Activation,
    pub(super) out: &'a Panels,
    pub(super) sample: Option<(Sampling, u32, &'a Panels)>,
}

compile_for_each_isa!(
    run = kernel(
        job: &Linear<'_>, x: &Panels, lookups: Option<&Lookups>, w: &Panels, step: &Step, share: Taking<'_>
    )
);
compile_for_each_multiplier!(
    run_bf16 = kernel_bf16(job: &Linear<'_>, product: &Bf16Product<'_>, step: &Step, share: Taking<'_>)
);

#[inline(always)]
fn kernel<T: Target>(
    job: &Linear<'_>,
    x: &Panels,
    lookups: Option<&Lookups>,
    w: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    let tail = &LinearTail { job, step };
    let units = units::<T>(x, w);
    let mut round = share.of(units);
    // SAFETY: an operation does not write its operands, and each worker has its own tiles of the results, and its own
    // look-ups until all meet.
    unsafe {
        if let Some(lookups) = lookups {
            lookups.take::<T>(x, share.of(x.count()), &share.counters.others);
            share.worker.meet();
            if !share.counters.others.load(Ordering::Relaxed) {
                return binary_product::<T>(x, lookups, w, share.second(binary::units(x, w)), tail);
            }
            round = share.second(units);
        }
        rows_product::<T>(x, w, round, tail);
    }
}

#[inline(always)]
fn kernel_bf16<T: Target, M: Multiplier>(job: &Linear<'_>, product: &Bf16Product<'_>, step: &Step, share: Taking<'_>) {
    // SAFETY: an operation does not write its operands, and each worker has its own tiles of the results.
    unsafe { product.with_tail::<T, M>(share.of(product.units()), &LinearTail { job, step }) }
}

struct LinearTail<'a> {
    job: &'a Linear<'a>,
    step: &'a Step,
}

impl Tail for LinearTail<'_> {
    #[inline(always)]
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize) {
        let job = self.job;
        let rows = row..row + tile.len();
        let width = job.out.width(panel);
        // SAFETY: the bias is only read, and this tile of the results is this worker's.
        let (bias, out) = unsafe { (job.bias.panel(panel, 0..1)[0], job.out.panel_mut(panel, rows.clone())) };
        for (lanes, out) in tile.iter_mut().zip(&mut *out) {
            for c in 0..WIDTH {
                lanes.0[c] += bias.0[c];
            }
            activate::<T, WIDTH>(job.activation, &mut lanes.0);
            lanes.0[width..].fill(0.0);
            *out = *lanes;
        }
        if let Some((sampling, stream, states)) = job.sample {
            // SAFETY: this tile of the states is this worker's.
            let states = unsafe { states.panel_mut(panel, rows) };
            // Two rows at a time make eight counters: two vectors of products.
            let pairs = tile.chunks(2).zip(states.chunks_mut(2));
            for (i, (means, states)) in pairs.enumerate() {
                let words = random_words::<T>(self.step, stream, panel, row + 2 * i);
                for (r, (mean, state)) in means.iter().zip(states).enumerate() {
                    *state = draw::<T>(sampling, mean, &words[r]);
                    state.0[width..].fill(0.0);
                }
            }
        }
    }
}
