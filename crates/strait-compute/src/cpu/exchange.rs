//! Parallel tempering: chains that swap their states.

use super::kernel::*;
use super::math::exp;
use crate::philox::{philox, uniform};

/// A chain; see [`Replica`](crate::Replica).
pub(super) struct Chain<'a> {
    pub(super) visible: &'a Panels,
    pub(super) inputs: &'a Panels,
    pub(super) hidden: &'a Panels,
}

/// See [`Op::Exchange`](crate::Op::Exchange).
pub(super) struct Exchange<'a> {
    pub(super) chains: [Chain<'a>; 2],
    pub(super) bias: &'a Panels,
    pub(super) difference: f32,
    pub(super) stream: u32,
}

compile_for_each_isa!(run = kernel(job: &Exchange<'_>, step: &Step, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &Exchange<'_>, step: &Step, share: Taking<'_>) {
    let [one, two] = &job.chains;
    for r in share.of(one.hidden.rows) {
        let energies = |chain: &Chain<'_>| dot(chain.visible, r, job.bias, 0) + dot(chain.inputs, r, chain.hidden, r);
        let log_odds = job.difference * (energies(two) - energies(one));
        let words = philox([0, step.row(r), step.counter, step.seed_high], [step.seed_low, job.stream]);
        if uniform(words[0]) < exp::<T>(log_odds) {
            for panel in 0..one.hidden.count() {
                // SAFETY: these rows of both chains are this worker's.
                let (one, two) =
                    unsafe { (one.hidden.panel_mut(panel, r..r + 1), two.hidden.panel_mut(panel, r..r + 1)) };
                one.swap_with_slice(two);
            }
        }
    }
}

/// Σ x y over a row of either.
#[inline(always)]
fn dot(x: &Panels, r: usize, y: &Panels, s: usize) -> f32 {
    let mut sums = [0.0; WIDTH];
    for panel in 0..x.count() {
        // SAFETY: nobody writes these rows meanwhile.
        let (x, y) = unsafe { (&x.panel(panel, r..r + 1)[0], &y.panel(panel, s..s + 1)[0]) };
        for c in 0..WIDTH {
            sums[c] += x.0[c] * y.0[c];
        }
    }
    sums.iter().sum()
}
