use super::*;

/// Maps into windows.
pub(super) fn run(at: &Replay<'_>, input: Tensor, window: Window, out: Tensor) {
    let map = at.get(input);
    let element = |r: usize, c: usize| {
        let ([y, x], channel) = seen_at(window, r % window.positions(), c);
        let pixel = y.zip(x).map(|(y, x)| y * window.width + x);
        pixel.map_or(0.0, |pixel| map.values[map_index(window, r / window.positions(), pixel, channel)])
    };
    at.put(out, element);
}
