//! Patches of pictures, turned and scaled at random.

use super::SIZE;
use crate::compute::philox::{Stream, uniform};
use crate::models::{Error, Result};

/// Pixels of an edge of a patch.
pub const EDGE: usize = 25;

/// How patches are cut out of pictures.
///
/// ```
/// use strait::faces::{EDGE, Patches, made_up};
/// let patches = Patches::default();
/// patches.check()?;
/// assert_eq!(patches.cut(&made_up(1), 10, 1).len(), 10 * EDGE * EDGE);
/// # Ok::<(), strait::models::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Patches {
    /// By how many degrees a patch is turned at most, to either side.
    pub turn: f32,
    /// How many times as large a picture is made, least and most, before a square of its former size is cut out of it
    /// and made small.
    pub scale: [f32; 2],
    /// How far the middle of the square is from the picture's at most, along either axis, as a share of the edge.
    pub offset: f32,
}

impl Default for Patches {
    /// Those of the paper.
    fn default() -> Self {
        Self { turn: 90.0, scale: [1.4, 1.8], offset: 0.1 }
    }
}

impl Patches {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// With the one that does not.
    pub fn check(&self) -> Result<()> {
        let Self { turn, scale: [least, largest], offset } = *self;
        if !(1.0 <= least && least <= largest && largest <= 100.0) {
            let message = format!("scale = [{least}, {largest}]: these are numbers from 1 to 100, the lesser first");
            return Err(Error::Shape(message));
        }
        if !(0.0..=180.0).contains(&turn) || !(0.0..=0.5).contains(&offset) {
            let message =
                format!("turn = {turn}, offset = {offset}: these are degrees from 0 to 180 and a share from 0 to 0.5");
            return Err(Error::Shape(message));
        }
        Ok(())
    }

    /// That many patches of these pictures, row after row; each depends on the seed and on its number alone.
    ///
    /// # Panics
    /// If there are no pictures.
    pub fn cut(&self, pictures: &[Vec<f32>], count: usize, seed: u64) -> Vec<f32> {
        let patch = |i: usize| {
            let mut stream = Stream::new(seed, 1000 + i as u32);
            self.patch(&pictures[stream.next_word() as usize % pictures.len()], &mut stream)
        };
        (0..count).flat_map(patch).collect()
    }

    fn patch(&self, picture: &[f32], stream: &mut Stream) -> Vec<f32> {
        /// Points along an edge of a pixel whose mean it is.
        const POINTS: usize = 2;
        let mut between = |low: f32, high: f32| low + (high - low) * uniform(stream.next_word());
        let (sin, cos) = between(-self.turn, self.turn).to_radians().sin_cos();
        let step = SIZE as f32 / (EDGE * POINTS) as f32 / between(self.scale[0], self.scale[1]);
        let [x, y] = [0; 2].map(|_| SIZE as f32 * (0.5 + between(-self.offset, self.offset)));
        let place = |i: usize| (i as f32 + 0.5 - (EDGE * POINTS) as f32 / 2.0) * step;
        let mut pixels = vec![0.0; EDGE * EDGE];
        for row in 0..EDGE * POINTS {
            for col in 0..EDGE * POINTS {
                let (u, v) = (place(col), place(row));
                let grey = between_pixels(picture, x + cos * u - sin * v, y + sin * u + cos * v);
                pixels[row / POINTS * EDGE + col / POINTS] += grey / (POINTS * POINTS) as f32;
            }
        }
        pixels
    }
}

/// The grey value at a point of a picture, linear between the middles of its pixels; beyond the border that of the
/// border.
fn between_pixels(picture: &[f32], x: f32, y: f32) -> f32 {
    let [(left, right, x), (above, below, y)] = [x, y].map(|place| {
        let place = (place - 0.5).clamp(0.0, SIZE as f32 - 1.0);
        let first = place as usize;
        (first, (first + 1).min(SIZE - 1), place.fract())
    });
    let along = |row: usize| picture[row * SIZE + left] * (1.0 - x) + picture[row * SIZE + right] * x;
    along(above) * (1.0 - y) + along(below) * y
}
