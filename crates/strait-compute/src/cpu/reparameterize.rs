//! Codes drawn from normal distributions whose moments are learned. They are narrow, so that this kernel and the one of the way back
//! go element by element.

use super::kernel::*;
use super::math::exp;
use super::random::{normals, random_words};

/// What both directions use.
pub(super) struct Latent<'a> {
    /// μ and ln σ²
    pub(super) moments: &'a Panels,
    /// β
    pub(super) kl_weight: f32,
    /// ε
    pub(super) noise: &'a Panels,
}

compile_for_each_isa!(
    run = kernel(
        latent: &Latent<'_>, stream: u32, out: &Panels, metrics: StepMetrics<'_>, step: &Step, share: Taking<'_>
    )
);

#[inline(always)]
fn kernel<T: Target>(
    latent: &Latent<'_>,
    stream: u32,
    out: &Panels,
    metrics: StepMetrics<'_>,
    step: &Step,
    share: Taking<'_>,
) {
    for unit in share.of(out.rows.div_ceil(2)) {
        let mut divergences = [0.0; 2];
        for panel in 0..out.count() {
            let words = random_words::<T>(step, stream, panel, 2 * unit);
            for (i, r) in (2 * unit..out.rows).take(2).enumerate() {
                let (mut z, mut epsilon) = (Lanes::ZERO, normals::<T>(&words[i]));
                epsilon.0[out.width(panel)..].fill(0.0);
                for c in 0..out.width(panel) {
                    let col = panel * WIDTH + c;
                    // SAFETY: the moments are only read.
                    let (mean, log) = unsafe { (latent.moments.at(r, col), latent.moments.at(r, out.cols + col)) };
                    z.0[c] = mean + exp::<T>(0.5 * log) * epsilon.0[c];
                    divergences[i] += 0.5 * (mean * mean + exp::<T>(log) - 1.0 - log);
                }
                // SAFETY: this row is this worker's in both.
                unsafe {
                    out.panel_mut(panel, r..r + 1)[0] = z;
                    latent.noise.panel_mut(panel, r..r + 1)[0] = epsilon;
                }
            }
        }
        for (r, divergence) in (2 * unit..out.rows).zip(divergences) {
            let loss = if r < step.rows as usize { latent.kl_weight * divergence } else { 0.0 };
            // SAFETY: the numbers of this row are this worker's.
            unsafe { metrics.report(r, loss, 0.0) };
        }
    }
}
