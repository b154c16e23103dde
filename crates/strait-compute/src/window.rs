//! Windows that slide over maps: the geometry of convolutions.

/// A square window that slides over a map of H x W pixels with C channels, in steps of `stride` pixels, over a border of
/// `padding` pixels of zeros. A map's values lie in the order row, column, channel. Or a window of `kernel` steps that slides
/// over a sequence, PyTorch's `Conv1d`: a map that is one pixel wide, whose border has a side above and below alone.
///
/// ```
/// use strait_compute::Window;
/// let window = Window { height: 28, width: 28, channels: 1, kernel: 3, stride: 2, padding: 1, over_time: false };
/// assert_eq!((window.positions(), window.taps()), (14 * 14, 9));
/// let steps = Window { height: 100, width: 1, over_time: true, ..window };
/// assert_eq!((steps.positions(), steps.taps()), (50, 3));
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
    /// Whether it slides over the H steps of a sequence, and is one pixel wide like the map.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_time: bool,
}

impl Window {
    /// Whether there is such a window, and no size overflows.
    pub fn is_sensible(&self) -> bool {
        let Self { height, width, channels, kernel, stride, padding, over_time } = *self;
        let small = [height, width, channels, kernel, stride].iter().all(|&size| (1..1 << 15).contains(&size));
        let narrowest = if over_time { height } else { height.min(width) };
        small && padding < kernel && kernel <= narrowest + 2 * padding && !(over_time && width > 1)
    }

    /// Its pixels along the height and the width.
    pub fn edges(&self) -> [usize; 2] {
        [self.kernel, if self.over_time { 1 } else { self.kernel }]
    }

    /// The pixels of the border above and below, and of that on either side.
    pub fn borders(&self) -> [usize; 2] {
        [self.padding, if self.over_time { 0 } else { self.padding }]
    }

    /// Positions along the height and the width; 0 where the window does not fit.
    pub fn steps(&self) -> [usize; 2] {
        let ([tall, wide], [above, beside]) = (self.edges(), self.borders());
        let steps = |size: usize, border: usize, edge: usize| {
            let last = size.saturating_add(border.saturating_mul(2)).checked_sub(edge);
            last.map_or(0, |last| last / self.stride.max(1) + 1)
        };
        [steps(self.height, above, tall), steps(self.width, beside, wide)]
    }

    /// The window of one pixel on the map that this one's positions make, with that many channels. It takes the pixels of
    /// that map one below the other.
    pub fn pixels(&self, channels: usize) -> Self {
        let [height, width] = self.steps();
        Self { height, width, channels, kernel: 1, stride: 1, padding: 0, over_time: false }
    }

    /// The number of positions, P.
    pub fn positions(&self) -> usize {
        let [down, across] = self.steps();
        down.saturating_mul(across)
    }

    /// The values that it sees at a position.
    pub fn taps(&self) -> usize {
        let [tall, wide] = self.edges();
        tall.saturating_mul(wide).saturating_mul(self.channels)
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

    /// Row and column of the map that a tap sees at a position, each if it is on the map.
    #[inline(always)]
    pub(crate) fn seen(&self, position: usize, tap: usize) -> [Option<usize>; 2] {
        let (across, wide, [above, beside]) = (self.steps()[1], self.edges()[1], self.borders());
        let at = |position: usize, tap: usize, border: usize, size: usize| {
            (position * self.stride + tap).checked_sub(border).filter(|&at| at < size)
        };
        [at(position / across, tap / wide, above, self.height), at(position % across, tap % wide, beside, self.width)]
    }
}
