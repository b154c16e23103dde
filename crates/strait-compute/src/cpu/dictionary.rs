//! Sparse codes of a dictionary: a step of iterative shrinkage, and the lengths of weights; sparse weights.

use super::isa::{Target, compile_for_each_isa, row_by_row};
use super::storage::{Lanes, Panels, Values, WIDTH};
use super::workers::Taking;
use crate::op::Shrinkage;

compile_for_each_isa!(
    shrink = shrink_kernel(
        code: &Panels, differences: [&Panels; 3], shrinkage: Shrinkage, out: &Panels, share: Taking<'_>
    )
);
compile_for_each_isa!(max_norm = max_norm_kernel(weight: &Values, norm: f32, rows: bool, share: Taking<'_>));

compile_for_each_isa!(threshold = threshold_kernel(weight: &Values, threshold: f32, share: Taking<'_>));

/// v, nearer to 0 by the threshold; NaN stays.
#[inline(always)]
fn soft(v: f32, threshold: f32) -> f32 {
    let left = v.abs() - threshold;
    if left < 0.0 { 0.0 } else { left.copysign(v) }
}

#[inline(always)]
fn threshold_kernel<T: Target>(weight: &Values, threshold: f32, share: Taking<'_>) {
    let panels = &weight.panels;
    for panel in share.of(panels.count()) {
        // SAFETY: this panel is this worker's.
        for lanes in unsafe { panels.panel_mut(panel, 0..panels.rows) } {
            row_by_row();
            for c in 0..WIDTH {
                lanes.0[c] = soft(lanes.0[c], threshold);
            }
        }
        // SAFETY: this panel is this worker's, in the copies as well.
        (0..weight.blocks()).for_each(|block| unsafe { weight.renew(block, panel) });
    }
}

/// `differences`: overlap, correlation and prediction.
#[inline(always)]
fn shrink_kernel<T: Target>(
    code: &Panels,
    [overlap, correlation, prediction]: [&Panels; 3],
    Shrinkage { rate, sparsity, pull }: Shrinkage,
    out: &Panels,
    share: Taking<'_>,
) {
    let threshold = rate * sparsity;
    for panel in share.of(out.count()) {
        let rows = 0..out.rows;
        // SAFETY: the operands are only read, and this panel is this worker's.
        let (z, s, c, f, out) = unsafe {
            (
                code.panel(panel, rows.clone()),
                overlap.panel(panel, rows.clone()),
                correlation.panel(panel, rows.clone()),
                prediction.panel(panel, rows.clone()),
                out.panel_mut(panel, rows),
            )
        };
        for ((((z, s), c), f), out) in z.iter().zip(s).zip(c).zip(f).zip(out) {
            let mut lanes = Lanes::ZERO;
            for i in 0..WIDTH {
                let slope = 2.0 * (s.0[i] - c.0[i]) + 2.0 * pull * (z.0[i] - f.0[i]);
                let v = z.0[i] - rate * slope;
                lanes.0[i] = soft(v, threshold);
            }
            *out = lanes;
        }
    }
}

#[inline(always)]
fn max_norm_kernel<T: Target>(weight: &Values, norm: f32, rows: bool, share: Taking<'_>) {
    let panels = &weight.panels;
    let factor = |square: f32| if square > norm * norm { norm / square.sqrt() } else { 1.0 };
    if rows {
        for block in share.of(weight.blocks()) {
            let rows = block * WIDTH..((block + 1) * WIDTH).min(panels.rows);
            let mut squares = [0.0; WIDTH];
            for panel in 0..panels.count() {
                // SAFETY: these rows are this worker's.
                for (square, lanes) in squares.iter_mut().zip(unsafe { panels.panel(panel, rows.clone()) }) {
                    row_by_row();
                    *square += lanes.0.iter().map(|w| w * w).sum::<f32>();
                }
            }
            for panel in 0..panels.count() {
                // SAFETY: these rows are this worker's.
                for (square, lanes) in squares.iter().zip(unsafe { panels.panel_mut(panel, rows.clone()) }) {
                    row_by_row();
                    lanes.0.iter_mut().for_each(|w| *w *= factor(*square));
                }
                // SAFETY: as above, in the copies as well.
                unsafe { weight.renew(block, panel) };
            }
        }
        return;
    }
    for panel in share.of(panels.count()) {
        // SAFETY: this panel is this worker's.
        let lanes = unsafe { panels.panel_mut(panel, 0..panels.rows) };
        let mut squares = Lanes::ZERO;
        for lanes in &*lanes {
            for c in 0..WIDTH {
                squares.0[c] += lanes.0[c] * lanes.0[c];
            }
        }
        let factors = squares.0.map(factor);
        for lanes in lanes {
            row_by_row();
            for c in 0..WIDTH {
                lanes.0[c] *= factors[c];
            }
        }
        // SAFETY: this panel is this worker's, in the copies as well.
        (0..weight.blocks()).for_each(|block| unsafe { weight.renew(block, panel) });
    }
}
