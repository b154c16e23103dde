//! Where windows lie on maps.

use crate::Window;

/// Which pixel and channel of the map a column of windows sees at a position.
pub(super) fn seen_at(window: Window, position: usize, col: usize) -> ([Option<usize>; 2], usize) {
    (window.seen(position, col / window.channels), col % window.channels)
}

/// Where a value of a row's map lies.
pub(super) fn map_index(window: Window, row: usize, pixel: usize, channel: usize) -> usize {
    row * window.values() + pixel * window.channels + channel
}
