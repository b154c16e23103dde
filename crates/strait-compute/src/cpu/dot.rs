//! Dot products, for the host.

use super::kernel::*;
use crate::op::DOT_PARTS;

compile_for_each_isa!(run = kernel(x: &Values, y: &Values, metrics: StepMetrics<'_>, share: Taking<'_>));

/// Partial sums of Σ x y over fixed parts of the vector, so that they do not depend on the number of workers.
#[inline(always)]
fn kernel<T: Target>(x: &Values, y: &Values, metrics: StepMetrics<'_>, share: Taking<'_>) {
    let length = x.panels.lanes.len();
    for part in share.of(DOT_PARTS) {
        let range = part * length / DOT_PARTS..(part + 1) * length / DOT_PARTS;
        // SAFETY: the vectors are only read.
        let (x, y) = unsafe { (x.panels.lanes.slice(range.clone()), y.panels.lanes.slice(range)) };
        let mut sum = [0f64; WIDTH];
        for (x, y) in x.iter().zip(y) {
            for c in 0..WIDTH {
                sum[c] += f64::from(x.0[c]) * f64::from(y.0[c]);
            }
        }
        // SAFETY: this part of the metrics is this worker's.
        unsafe {
            metrics.numbers.slice_mut(metrics.start + part..metrics.start + part + 1)[0] =
                sum.iter().sum::<f64>() as f32
        };
    }
}
