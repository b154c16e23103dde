//! Maps into windows.

use super::Replay;
use super::windows::{map_index, seen_at};
use crate::{Tensor, Window};

impl Replay<'_> {
    pub(super) fn unfold(&self, input: Tensor, window: Window, out: Tensor) {
        let map = self.get(input);
        let element = |r: usize, c: usize| {
            let ([y, x], channel) = seen_at(window, r % window.positions(), c);
            let pixel = y.zip(x).map(|(y, x)| y * window.width + x);
            pixel.map_or(0.0, |pixel| map.values[map_index(window, r / window.positions(), pixel, channel)])
        };
        self.put(out, element);
    }
}
