//! Codes drawn from normal distributions whose moments are learned (Kingma & Welling 2013). They are narrow, so that
//! these kernels go element by element.

use super::isa::{Target, compile_for_each_isa};
use super::math::exp;
use super::random::{normals, random_words};
use super::storage::{Lanes, Panels, Shared, WIDTH};
use super::workers::Taking;
use crate::Step;

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
    reparameterize = reparameterize_kernel(
        latent: &Latent<'_>, stream: u32, out: &Panels, metrics: (&Shared<f32>, usize), step: &Step, share: Taking<'_>
    )
);
compile_for_each_isa!(
    reparameterize_backward = reparameterize_backward_kernel(
        latent: &Latent<'_>, delta: &Panels, out: &Panels, step: &Step, share: Taking<'_>
    )
);

#[inline(always)]
fn reparameterize_kernel<T: Target>(
    latent: &Latent<'_>,
    stream: u32,
    out: &Panels,
    metrics: (&Shared<f32>, usize),
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
            let start = metrics.1 + 2 * r;
            // SAFETY: the numbers of this row are this worker's.
            unsafe { metrics.0.slice_mut(start..start + 2).copy_from_slice(&[loss, 0.0]) };
        }
    }
}

#[inline(always)]
fn reparameterize_backward_kernel<T: Target>(
    latent: &Latent<'_>,
    delta: &Panels,
    out: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    let (size, beta) = (delta.cols, latent.kl_weight);
    for r in share.of(out.rows) {
        for panel in 0..out.count() {
            let mut lanes = Lanes::ZERO;
            let active = if r < step.rows as usize { out.width(panel) } else { 0 };
            for c in 0..active {
                let col = panel * WIDTH + c;
                // SAFETY: the operands are only read.
                let moment = unsafe { latent.moments.at(r, col) };
                // SAFETY: as above.
                let of = |panels: &Panels| unsafe { panels.at(r, col % size) };
                lanes.0[c] = if col < size {
                    of(delta) + beta * moment
                } else {
                    let deviation = exp::<T>(0.5 * moment);
                    0.5 * (of(delta) * of(latent.noise) * deviation + beta * (deviation * deviation - 1.0))
                };
            }
            // SAFETY: this row is this worker's.
            unsafe { out.panel_mut(panel, r..r + 1)[0] = lanes };
        }
    }
}
