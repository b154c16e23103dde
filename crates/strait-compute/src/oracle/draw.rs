//! Random states, from the bits that every device draws.

use crate::groups::draw_words;
use crate::philox::{philox, uniform};
use crate::{Sampling, Step};

/// The uniform random number of an element.
pub(super) fn draw_uniform(row: usize, col: usize, stream: u32, step: &Step) -> f64 {
    let words = philox([col as u32 / 4, step.row(row), step.counter, step.seed_high], [step.seed_low, stream]);
    f64::from(uniform(words[col % 4]))
}

/// The state of a stochastic unit with mean `mean`, in row `row` and column `col`.
pub(super) fn draw(sampling: Sampling, mean: f64, row: usize, col: usize, stream: u32, step: &Step) -> f64 {
    let words = philox([col as u32 / 4, step.row(row), step.counter, step.seed_high], [step.seed_low, stream]);
    match sampling {
        Sampling::Bernoulli => f64::from(u8::from(f64::from(uniform(words[col % 4])) < mean)),
        Sampling::Gaussian => {
            let pair = col % 4 / 2 * 2;
            let u1 = (f64::from(words[pair] >> 8) + 1.0) / 16_777_216.0;
            let angle = std::f64::consts::TAU * f64::from(uniform(words[pair + 1]));
            mean + (-2.0 * u1.ln()).sqrt() * if col.is_multiple_of(2) { angle.cos() } else { angle.sin() }
        }
        Sampling::Rectified => {
            let noise = draw(Sampling::Gaussian, 0.0, row, col, stream, step);
            // logistic(x), and x, of a unit whose mean is softplus(x).
            let logistic = -(-mean).exp_m1();
            (mean + logistic.ln() + noise * logistic.sqrt()).max(0.0)
        }
    }
}

/// Which unit a group draws for the `number`-th time, by the cumulated means of its units.
pub(super) fn draw_class(
    means: &[f64],
    (row, group, number): (usize, usize, usize),
    stream: u32,
    step: &Step,
) -> usize {
    let words = draw_words((row, group, number), stream, step);
    let mut left = f64::from(uniform(words[number % 4])) * means.iter().sum::<f64>();
    let last = means.len() - 1;
    let below = |mean: &f64| {
        left -= mean;
        left < 0.0
    };
    means[..last].iter().position(below).unwrap_or(last)
}
