//! The largest values of rows.

use super::kernel::*;

/// The key of NaN, whose sign says nothing.
const NAN: u32 = f32::NAN.to_bits() | 1 << 31;

compile_for_each_isa!(run = kernel(input: &Panels, k: usize, out: &Panels, share: Taking<'_>));

/// Numbers that are ordered as the values are, with NaN as the largest.
#[inline(always)]
pub(super) fn key(value: f32) -> u32 {
    if value.is_nan() {
        return NAN;
    }
    // Both zeros are equal.
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The key of the k-th largest value is found bit by bit, with a count for each.
#[inline(always)]
fn kernel<T: Target>(input: &Panels, k: usize, out: &Panels, share: Taking<'_>) {
    for r in share.of(out.rows) {
        // SAFETY: the input is only read.
        let row = |panel: usize| unsafe { &input.panel(panel, r..r + 1)[0].0[..input.width(panel)] };
        let count = |least: u32| {
            let in_panel = |panel: usize| row(panel).iter().map(|&x| u32::from(key(x) >= least)).sum::<u32>();
            (0..input.count()).map(in_panel).sum::<u32>() as usize
        };
        let threshold = (0..32)
            .rev()
            .map(|bit| 1u32 << bit)
            .fold(0, |threshold, bit| if count(threshold | bit) >= k { threshold | bit } else { threshold });
        let above = threshold.checked_add(1).map_or(0, count);
        let mut equal = k - above;
        for panel in 0..out.count() {
            let mut lanes = Lanes::ZERO;
            for (lane, &x) in lanes.0.iter_mut().zip(row(panel)) {
                let kept = key(x) > threshold || key(x) == threshold && equal > 0;
                equal -= usize::from(kept && key(x) == threshold);
                *lane = if kept { x } else { 0.0 };
            }
            // SAFETY: this row is this worker's.
            unsafe { out.panel_mut(panel, r..r + 1)[0] = lanes };
        }
    }
}
