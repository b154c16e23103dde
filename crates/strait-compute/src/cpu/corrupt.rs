//! Noise on inputs.

use super::kernel::*;
use super::random::{normals, random_words};
use crate::Noise;
use crate::philox::uniform;

compile_for_each_isa!(
    run = kernel(
        input: &Panels, noise: Noise, stream: u32, out: &Panels, step: &Step, share: Taking<'_>
    )
);

/// Two rows are a unit of work: they make two vectors of counters.
#[inline(always)]
fn kernel<T: Target>(input: &Panels, noise: Noise, stream: u32, out: &Panels, step: &Step, share: Taking<'_>) {
    for unit in share.of(out.rows.div_ceil(2)) {
        for panel in 0..out.count() {
            let words = random_words::<T>(step, stream, panel, 2 * unit);
            for (r, words) in (2 * unit..out.rows).zip(&words) {
                let mut lanes = Lanes::ZERO;
                if r < step.rows as usize {
                    // SAFETY: the input is only read.
                    lanes = unsafe { input.panel(panel, r..r + 1)[0] };
                    match noise {
                        Noise::Missing(missing) => {
                            let gone = missing.of(step, stream, r, out.cols);
                            (0..WIDTH).filter(|c| gone.contains(&(panel * WIDTH + c))).for_each(|c| lanes.0[c] = 0.0);
                        }
                        _ => disturb::<T>(noise, &mut lanes, words),
                    }
                    lanes.0[out.width(panel)..].fill(0.0);
                }
                // SAFETY: this row is this worker's.
                unsafe { out.panel_mut(panel, r..r + 1)[0] = lanes };
            }
        }
    }
}

#[inline(always)]
fn disturb<T: Target>(noise: Noise, lanes: &mut Lanes, words: &[u32; WIDTH]) {
    match noise {
        Noise::Masking(share) => {
            for c in 0..WIDTH {
                lanes.0[c] = if uniform(words[c]) < share { 0.0 } else { lanes.0[c] };
            }
        }
        Noise::SaltAndPepper(share) => {
            for c in 0..WIDTH {
                let u = uniform(words[c]);
                let extreme = if u < 0.5 * share { 0.0 } else { 1.0 };
                lanes.0[c] = if u < share { extreme } else { lanes.0[c] };
            }
        }
        // It goes row by row.
        Noise::Missing(_) => {}
        Noise::Gaussian(deviation) => {
            let normal = normals::<T>(words);
            for c in 0..WIDTH {
                lanes.0[c] += deviation * normal.0[c];
            }
        }
    }
}
