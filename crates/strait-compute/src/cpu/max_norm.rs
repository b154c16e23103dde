//! Weights of bounded length.

use super::kernel::*;

compile_for_each_isa!(run = kernel(weight: &Values, norm: f32, rows: bool, exact: bool, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(weight: &Values, norm: f32, rows: bool, exact: bool, share: Taking<'_>) {
    let panels = &weight.panels;
    // Rows that are scaled to a length keep their direction however small they are.
    let least = if exact { 0.0 } else { norm * norm };
    let factor = |square: f32| if square > least { norm / square.sqrt() } else { 1.0 };
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
