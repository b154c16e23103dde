//! The derivative of codes drawn from normal distributions.

use super::kernel::*;
use super::math::exp;
use super::reparameterize::Latent;

compile_for_each_isa!(
    run = kernel(
        latent: &Latent<'_>, delta: &Panels, out: &Panels, step: &Step, share: Taking<'_>
    )
);

#[inline(always)]
fn kernel<T: Target>(latent: &Latent<'_>, delta: &Panels, out: &Panels, step: &Step, share: Taking<'_>) {
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
