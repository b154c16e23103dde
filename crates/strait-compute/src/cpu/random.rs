//! Random numbers for whole panels: the bits that [`philox`](crate::philox) gives each element.

use super::kernel::*;
use super::math::{exp, ln, sin_cos_turns};
use crate::philox::uniform;
use crate::{Sampling, Step};

/// The random words of rows `row` and `row + 1` of a panel, one for each lane.
#[inline(always)]
pub(super) fn random_words<T: Target>(step: &Step, stream: u32, panel: usize, row: usize) -> [[u32; WIDTH]; 2] {
    let column = (panel * WIDTH / 4) as u32;
    T::philox([column, step.row(row), step.counter, step.seed_high], [step.seed_low, stream])
}

/// The states of stochastic units with these means.
#[inline(always)]
pub(super) fn draw<T: Target>(sampling: Sampling, mean: &Lanes, words: &[u32; WIDTH]) -> Lanes {
    let mut state = Lanes::ZERO;
    match sampling {
        Sampling::Bernoulli => {
            for c in 0..WIDTH {
                // A mean that is no number leaves none: a sum of looked-up states would not tell.
                state.0[c] = if uniform(words[c]) < mean.0[c] { 1.0 } else { 0.0 * mean.0[c] };
            }
        }
        Sampling::Gaussian => {
            let normal = normals::<T>(words);
            for c in 0..WIDTH {
                state.0[c] = mean.0[c] + normal.0[c];
            }
        }
        Sampling::Rectified => {
            let normal = normals::<T>(words);
            for c in 0..WIDTH {
                // logistic(x), and x, of a unit whose mean is softplus(x). Where the mean is so small that little is left
                // of this difference, x is far below 0 and the state is 0.
                let logistic = 1.0 - exp::<T>(-mean.0[c]);
                let x = mean.0[c] + ln::<T>(logistic.max(f32::MIN_POSITIVE));
                state.0[c] = (x + normal.0[c] * logistic.max(0.0).sqrt()).max(0.0);
            }
        }
    }
    state
}

/// Standard normal numbers (Box and Muller).
#[inline(always)]
pub(super) fn normals<T: Target>(words: &[u32; WIDTH]) -> Lanes {
    let mut normal = Lanes::ZERO;
    for c in (0..WIDTH).step_by(2) {
        let u1 = ((words[c] >> 8) as f32 + 1.0) * (1.0 / 16_777_216.0);
        let radius = (-2.0 * ln::<T>(u1)).sqrt();
        let (sin, cos) = sin_cos_turns::<T>(uniform(words[c + 1]));
        normal.0[c] = radius * cos;
        normal.0[c + 1] = radius * sin;
    }
    normal
}
