//! Convolutions: windows of maps, there and back.

use super::*;

/// Windows that overlap, that leave gaps, that end inside and outside of the map, one that sees all of it,
/// and one over time.
const WINDOWS: [Window; 7] = [
    Window { height: 1, width: 1, channels: 1, kernel: 1, stride: 1, padding: 0, over_time: false },
    Window { height: 7, width: 5, channels: 2, kernel: 3, stride: 2, padding: 1, over_time: false },
    Window { height: 6, width: 9, channels: 16, kernel: 3, stride: 1, padding: 2, over_time: false },
    Window { height: 8, width: 8, channels: 1, kernel: 2, stride: 3, padding: 0, over_time: false },
    Window { height: 5, width: 6, channels: 19, kernel: 4, stride: 2, padding: 1, over_time: false },
    Window { height: 3, width: 3, channels: 5, kernel: 3, stride: 1, padding: 0, over_time: false },
    Window { height: 11, width: 1, channels: 3, kernel: 5, stride: 2, padding: 2, over_time: true },
];

pub(super) fn cases() -> Vec<Case> {
    WINDOWS.into_iter().enumerate().map(|(i, window)| convolution(5, window, 1 + 9 * i, i % 3)).collect()
}

/// A convolution, its transpose, and the way back through both.
fn convolution(batch: usize, window: Window, filters: usize, kind: usize) -> Case {
    let mut b = Builder::new();
    let Window { channels, .. } = window;
    let (positions, taps) = (window.positions(), window.taps());
    let [x, z, below] = ["x", "z", "below"].map(|name| b.values(name, batch, window.values()));
    let flat = b.values("flat", batch, positions * filters);
    let [seen, back] = ["seen", "back"].map(|name| b.values(name, batch * positions, taps));
    let [y, delta] = ["y", "delta"].map(|name| b.values(name, batch * positions, filters));
    let weight = b.update(kind, "w", taps, filters);
    let used = if kind == 0 { b.values("w", taps, filters) } else { weight.target() };
    let bias = b.update(kind, "b", 1, filters);
    let [filter_bias, zero, channel_bias] =
        [("c", filters), ("zero", taps), ("d", channels)].map(|(name, cols)| b.values(name, 1, cols));
    let shared = b.update(kind, "a", 1, channels);
    let (activation, out) = (Activation::Logistic, y);
    let linear = Activation::Linear;
    let layer = FoldTail::Layer { bias: channel_bias, activation };
    let ops = vec![
        Op::Unfold { input: x, window, out: seen },
        Op::Linear { input: seen, weight: used, transposed: false, bias: filter_bias, activation, out, sample: None },
        Op::Linear {
            input: y,
            weight: used,
            transposed: true,
            bias: zero,
            activation: linear,
            out: back,
            sample: None,
        },
        Op::Fold { input: back, window, tail: layer, out: z },
        Op::Fold { input: back, window, tail: FoldTail::Backprop { output: x, activation }, out: below },
        Op::Backprop { delta: seen, weight: used, transposed: true, output: y, activation, out: delta },
        Op::Gradient {
            positive: (seen, delta),
            negative: None,
            weight,
            bias: Some(bias),
            input_bias: None,
            plus: None,
            positions,
            scale: 1.0,
        },
        Op::SharedBias { delta: below, bias: shared },
        Op::Fold { input: y, window: window.pixels(filters), tail: FoldTail::Sum, out: flat },
    ];
    b.finish(
        format!("convolution {batch}x{filters} update {kind} {window:?}"),
        ops,
        vec![step(batch.div_ceil(2)), step(batch)],
    )
}
