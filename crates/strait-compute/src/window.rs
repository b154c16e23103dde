//! Windows that slide over maps: the geometry of convolutions.

/// A square window that slides over a map of H x W pixels with C channels, in steps of `stride` pixels, over a border of
/// `padding` pixels of zeros. A map's values lie in the order row, column, channel.
///
/// ```
/// use strait_compute::Window;
/// let window = Window { height: 28, width: 28, channels: 1, kernel: 3, stride: 2, padding: 1 };
/// assert_eq!((window.positions(), window.taps()), (14 * 14, 9));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// H
    pub height: usize,
    /// W
    pub width: usize,
    /// C
    pub channels: usize,
    /// Pixels of an edge of the window.
    pub kernel: usize,
    /// Pixels from one position to the next.
    pub stride: usize,
    /// Pixels of the border, fewer than the window has.
    pub padding: usize,
}

impl Window {
    /// Whether there is such a window, and no size overflows.
    pub fn is_sensible(&self) -> bool {
        let Self { height, width, channels, kernel, stride, padding } = *self;
        let small = [height, width, channels, kernel, stride].iter().all(|&size| (1..1 << 15).contains(&size));
        small && padding < kernel && kernel <= height.min(width) + 2 * padding
    }

    /// Positions along the height and the width; 0 where the window does not fit.
    pub fn steps(&self) -> [usize; 2] {
        let last = |size: usize| size.saturating_add(self.padding.saturating_mul(2)).checked_sub(self.kernel);
        [self.height, self.width].map(|size| last(size).map_or(0, |last| last / self.stride.max(1) + 1))
    }

    /// The window of one pixel on the map that this one's positions make, with that many channels. It takes the pixels of
    /// that map one below the other.
    pub fn pixels(&self, channels: usize) -> Self {
        let [height, width] = self.steps();
        Self { height, width, channels, kernel: 1, stride: 1, padding: 0 }
    }

    /// The number of positions, P.
    pub fn positions(&self) -> usize {
        let [down, across] = self.steps();
        down.saturating_mul(across)
    }

    /// The values that it sees at a position.
    pub fn taps(&self) -> usize {
        self.kernel.saturating_mul(self.kernel).saturating_mul(self.channels)
    }

    /// The values of a map.
    pub fn values(&self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }

    /// Rows of the minibatch, where there are so many windows.
    pub(crate) fn check(&self, windows: usize) -> Result<usize, String> {
        if !self.is_sensible() {
            return Err(format!("{self:?} is no window"));
        }
        Ok(windows / self.positions())
    }

    /// The coordinate of the map that tap `tap` sees at position `position`, along one axis of that size.
    #[inline(always)]
    pub(crate) fn seen(&self, position: usize, tap: usize, size: usize) -> Option<usize> {
        (position * self.stride + tap).checked_sub(self.padding).filter(|&at| at < size)
    }
}
