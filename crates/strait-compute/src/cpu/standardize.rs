//! Columns shifted and scaled.

use super::kernel::*;

compile_for_each_isa!(
    run = kernel(
        input: &Panels, shift: Option<&Panels>, scale: Option<&Panels>, out: &Panels, share: Taking<'_>
    )
);

/// out = (x − m) s
#[inline(always)]
fn kernel<T: Target>(input: &Panels, shift: Option<&Panels>, scale: Option<&Panels>, out: &Panels, share: Taking<'_>) {
    for panel in share.of(out.count()) {
        let rows = 0..out.rows;
        // SAFETY: the operands are only read, and this panel of the result is this worker's.
        let (x, out) = unsafe { (input.panel(panel, rows.clone()), out.panel_mut(panel, rows)) };
        let columns = |numbers: Option<&Panels>, none: f32| {
            // SAFETY: as above.
            numbers.map_or(Lanes([none; WIDTH]), |numbers| unsafe { numbers.panel(panel, 0..1)[0] })
        };
        let (shift, scale) = (columns(shift, 0.0), columns(scale, 1.0));
        for (x, out) in x.iter().zip(out) {
            row_by_row();
            let mut row = *x;
            for c in 0..WIDTH {
                row.0[c] = (row.0[c] - shift.0[c]) * scale.0[c];
            }
            *out = row;
        }
    }
}
