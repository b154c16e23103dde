//! What the contractive penalty needs of a layer.

use super::kernel::*;
use super::math::times_derivative;
use crate::Activation;

compile_for_each_isa!(
    run = kernel(
        layer: (&Panels, &Panels, Activation), penalty: f32, squares: &Panels, costs: &Panels, step: &Step,
        share: Taking<'_>
    )
);

/// See [`Op::Contraction`](crate::Op::Contraction).
#[inline(always)]
fn kernel<T: Target>(
    (weight, output, activation): (&Panels, &Panels, Activation),
    penalty: f32,
    squares: &Panels,
    costs: &Panels,
    step: &Step,
    share: Taking<'_>,
) {
    let factor = 2.0 * penalty / step.all_rows();
    for panel in share.of(weight.count()) {
        let (mut square, mut cost) = (Lanes::ZERO, Lanes::ZERO);
        // SAFETY: weights and outputs are only read.
        for w in unsafe { weight.panel(panel, 0..weight.rows) } {
            for c in 0..WIDTH {
                square.0[c] += w.0[c] * w.0[c];
            }
        }
        // SAFETY: as above.
        for y in unsafe { output.panel(panel, 0..step.rows as usize) } {
            let mut slope = [1.0; WIDTH];
            times_derivative::<T, WIDTH>(activation, &mut slope, &y.0);
            for c in 0..WIDTH {
                cost.0[c] += slope[c] * slope[c];
            }
        }
        cost.0.iter_mut().for_each(|sum| *sum *= factor);
        cost.0[costs.width(panel)..].fill(0.0);
        // SAFETY: this panel is this worker's in both.
        unsafe {
            squares.panel_mut(panel, 0..1)[0] = square;
            costs.panel_mut(panel, 0..1)[0] = cost;
        }
    }
}
