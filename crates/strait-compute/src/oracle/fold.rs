use super::*;

/// Windows into maps.
pub(super) fn run(at: &Replay<'_>, input: Tensor, window: Window, tail: FoldTail, out: Tensor) {
    let windows = at.get(input);
    let mut sums = vec![0.0; out.len()];
    for r in 0..input.rows {
        for c in 0..input.cols {
            if let ([Some(y), Some(x)], channel) = seen_at(window, r % window.positions(), c) {
                let pixel = y * window.width + x;
                sums[map_index(window, r / window.positions(), pixel, channel)] += windows.at(r, c);
            }
        }
    }
    let other = tail.tensor().map(|tensor| at.get(tensor).values).unwrap_or_default();
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = match tail {
            FoldTail::Sum => *sum,
            FoldTail::Layer { activation, .. } => activation.apply(*sum + other[i % window.channels]),
            FoldTail::Backprop { activation, .. } => *sum * activation.derivative(other[i]),
        };
    }
    at.set(out, sums);
}
