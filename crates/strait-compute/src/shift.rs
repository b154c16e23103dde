//! Random shifts of images: more data than there are.

use crate::Step;
use crate::philox::philox;

/// Each row is an image, `width` wide, and is moved by a whole number of pixels from −`pixels` to `pixels` along either
/// axis, drawn for every row of every step; what comes in at the border is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shift {
    /// Pixels of a row of the image.
    pub width: usize,
    /// The largest shift.
    pub pixels: u32,
    /// The stream of random numbers: different for each operation that draws.
    pub stream: u32,
}

impl Shift {
    /// Whether rows of that many values are images of this width, larger than the shift.
    pub(crate) fn fits(&self, values: usize) -> bool {
        let (width, pixels) = (self.width, self.pixels as usize);
        width > pixels && values.is_multiple_of(width) && values / width > pixels && pixels < 1 << 14
    }

    /// How far row `row` of a minibatch moves to the right and down.
    pub(crate) fn of(&self, step: &Step, row: usize) -> [i32; 2] {
        let words = philox([0, step.row(row), step.counter, step.seed_high], [step.seed_low, self.stream]);
        // Multiply-shift on 16 bits, which WGSL has too.
        [words[0], words[1]].map(|word| (((word >> 16) * (2 * self.pixels + 1)) >> 16) as i32 - self.pixels as i32)
    }

    /// Where in the image of `values` pixels the value at `col` comes from; nowhere behind the border.
    #[inline(always)]
    pub(crate) fn source(&self, [right, down]: [i32; 2], values: usize, col: usize) -> Option<usize> {
        let (x, y) = ((col % self.width) as i32 - right, (col / self.width) as i32 - down);
        let inside = x >= 0 && y >= 0 && x < self.width as i32 && y < (values / self.width) as i32;
        inside.then(|| y as usize * self.width + x as usize)
    }
}
