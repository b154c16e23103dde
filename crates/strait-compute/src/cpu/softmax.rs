//! Groups of units that exclude each other: their means and states.

use super::kernel::*;
use super::math::{exp, logistic};
use super::random::{draw, random_words};
use crate::groups::{draw_words, draws};
use crate::philox::uniform;
use crate::{Groups, Sampling};

/// See [`Op::Softmax`](crate::Op::Softmax).
pub(super) struct Softmax<'a> {
    pub(super) input: &'a Panels,
    pub(super) groups: Groups,
    pub(super) scale: f32,
    pub(super) given: Option<&'a Panels>,
    pub(super) out: &'a Panels,
    pub(super) states: Option<(&'a Panels, u32)>,
}

compile_for_each_isa!(run = kernel(job: &Softmax<'_>, step: &Step, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &Softmax<'_>, step: &Step, share: Taking<'_>) {
    // Two rows make eight counters: two vectors of products.
    for pair in share.of(job.out.rows.div_ceil(2)) {
        let rows = 2 * pair..(2 * pair + 2).min(job.out.rows);
        for r in rows.clone() {
            means::<T>(job, r);
        }
        if let Some((states, stream)) = job.states {
            for panel in 0..job.groups.first.div_ceil(WIDTH) {
                let words = random_words::<T>(step, stream, panel, rows.start);
                for r in rows.clone() {
                    // SAFETY: this row is this worker's, in the means and in the states.
                    unsafe {
                        let mean = job.out.panel(panel, r..r + 1)[0];
                        states.panel_mut(panel, r..r + 1)[0] =
                            draw::<T>(Sampling::Bernoulli, &mean, &words[r - rows.start]);
                    }
                }
            }
            rows.for_each(|r| draw_groups(job, (states, stream), step, r));
        }
    }
}

/// The groups of a row: their columns, and how many units each draws.
#[inline(always)]
fn groups_of<'a>(job: &'a Softmax<'_>, r: usize) -> impl Iterator<Item = (std::ops::Range<usize>, f32)> + use<'a> {
    let Groups { first, classes } = job.groups;
    (first..job.out.cols).step_by(classes).map(move |start| {
        let columns = start..start + classes;
        // SAFETY: what was given is only read.
        let given = job.given.map_or(1.0, |given| columns.clone().map(|c| unsafe { given.at(r, c) }).sum());
        (columns, given)
    })
}

#[inline(always)]
fn means<T: Target>(job: &Softmax<'_>, r: usize) {
    let (out, scale, first) = (job.out, job.scale, job.groups.first);
    // SAFETY: the input is only read.
    let scaled = |c: usize| scale * unsafe { job.input.at(r, c) };
    for (columns, _) in groups_of(job, r) {
        let top = columns.clone().map(scaled).fold(f32::NEG_INFINITY, |top, z| if z < top { top } else { z });
        // SAFETY: this row is this worker's.
        columns.for_each(|c| unsafe { *out.at_mut(r, c) = scaled(c) - top });
    }
    for panel in 0..out.count() {
        let (start, width) = (panel * WIDTH, out.width(panel));
        // SAFETY: the input is only read, and this row of the means is this worker's.
        let (input, lanes) = unsafe { (&job.input.panel(panel, r..r + 1)[0], &mut out.panel_mut(panel, r..r + 1)[0]) };
        let mut mean = Lanes::ZERO;
        if start < first {
            for c in 0..WIDTH {
                mean.0[c] = logistic::<T>(scale * input.0[c]);
            }
        }
        for c in 0..WIDTH {
            let grouped = exp::<T>(lanes.0[c]);
            mean.0[c] = if start + c < first { mean.0[c] } else { grouped };
        }
        mean.0[width..].fill(0.0);
        *lanes = mean;
    }
    for (columns, given) in groups_of(job, r) {
        // SAFETY: this row is this worker's.
        let factor = given / columns.clone().map(|c| unsafe { out.at(r, c) }).sum::<f32>();
        // SAFETY: as above.
        columns.for_each(|c| unsafe { *out.at_mut(r, c) *= factor });
    }
}

#[inline(always)]
fn draw_groups(job: &Softmax<'_>, (states, stream): (&Panels, u32), step: &Step, r: usize) {
    for (group, (columns, given)) in groups_of(job, r).enumerate() {
        // SAFETY: this row is this worker's, in the means and in the states.
        columns.clone().for_each(|c| unsafe { *states.at_mut(r, c) = 0.0 });
        let last = columns.end - 1;
        let mut words = [0; 4];
        for number in 0..draws(given) as usize {
            if number.is_multiple_of(4) {
                words = draw_words((r, group, number), stream, step);
            }
            let mut left = uniform(words[number % 4]) * given;
            let mut drawn = columns.start;
            // SAFETY: as above.
            while drawn < last && left >= unsafe { job.out.at(r, drawn) } {
                // SAFETY: as above.
                left -= unsafe { job.out.at(r, drawn) };
                drawn += 1;
            }
            // SAFETY: as above.
            unsafe { *states.at_mut(r, drawn) += 1.0 };
        }
    }
    // Lanes behind the last column stay zero.
    let panel = states.count() - 1;
    // SAFETY: as above.
    unsafe { states.panel_mut(panel, r..r + 1)[0].0[states.width(panel)..].fill(0.0) };
}
