//! Where windows lie on maps.

use crate::Window;

/// Which pixel and channel of the map a column of windows sees at a position.
pub(super) fn seen_at(window: Window, position: usize, col: usize) -> ([Option<usize>; 2], usize) {
    let across = window.steps()[1];
    let (tap, channel) = (col / window.channels, col % window.channels);
    let y = window.seen(position / across, tap / window.kernel, window.height);
    let x = window.seen(position % across, tap % window.kernel, window.width);
    ([y, x], channel)
}

/// Where a value of a row's map lies.
pub(super) fn map_index(window: Window, row: usize, pixel: usize, channel: usize) -> usize {
    row * window.values() + pixel * window.channels + channel
}
