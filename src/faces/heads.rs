//! Faces that are made up: ellipses with shades.

use super::SIZE;
use crate::compute::philox::{Stream, uniform};

/// Pictures like the Olivetti faces: 10 of each of 40 heads, which turn, nod, tilt, open their mouths and are lit from
/// elsewhere. Those of a head follow each other.
///
/// ```
/// let pictures = strait::faces::made_up(1);
/// assert_eq!((pictures.len(), pictures[0].len()), (400, 64 * 64));
/// ```
pub fn made_up(seed: u64) -> Vec<Vec<f32>> {
    const HEADS: usize = 40;
    const PICTURES: usize = 10;
    let pictures_of = |head: usize| {
        let mut stream = Stream::new(seed, 800 + head as u32);
        let head = Head::new(&mut stream);
        (0..PICTURES).map(|_| head.picture(&mut stream)).collect::<Vec<_>>()
    };
    (0..HEADS).flat_map(pictures_of).collect()
}

/// What is the same in all pictures of a head: lengths as shares of the picture's edge, and grey values.
struct Head {
    width: f32,
    height: f32,
    eyes_apart: f32,
    eye: f32,
    nose: f32,
    mouth: f32,
    fringe: f32,
    skin: f32,
    hair: f32,
}

impl Head {
    fn new(stream: &mut Stream) -> Self {
        let mut between = |low: f32, high: f32| low + (high - low) * uniform(stream.next_word());
        Self {
            width: between(0.3, 0.38),
            height: between(0.4, 0.48),
            eyes_apart: between(0.12, 0.17),
            eye: between(0.045, 0.065),
            nose: between(0.12, 0.2),
            mouth: between(0.09, 0.15),
            fringe: between(-0.42, -0.22),
            skin: between(0.55, 0.85),
            hair: between(0.08, 0.5),
        }
    }

    /// One picture of it.
    fn picture(&self, stream: &mut Stream) -> Vec<f32> {
        let mut around = |deviation: f32| deviation * stream.next_normal().clamp(-2.0, 2.0);
        let [turned, nodded, tilted] = [around(0.05), around(0.03), around(0.08)];
        let (open, smile, gaze) = (0.02 + around(0.015).abs(), around(0.03), around(0.015));
        let (from_left, from_above, ground) = (around(0.5), 0.3 + around(0.2), 0.45 + around(0.15));
        let (sin, cos) = tilted.sin_cos();
        let paint = |i: usize| {
            let [x, y] = [i % SIZE, i / SIZE].map(|place| (place as f32 + 0.5) / SIZE as f32 - 0.5);
            let (x, y) = (cos * x + sin * y, cos * y - sin * x);
            // Features move with the turn of the head, its outline does not.
            let (u, v) = (x - turned, y - nodded);
            let (across, down) = (x / self.width, y / self.height);
            let depth = (1.0 - across * across - down * down).max(0.0).sqrt();
            let light = 0.55 + 0.4 * depth + 0.35 * (from_left * across - from_above * down);
            let mut grey = ground + 0.2 * y;
            let mut lay = |value: f32, share: f32| grey += (value - grey) * share;
            lay(self.hair, ellipse(x, y + 0.05, self.width + 0.05, self.height + 0.02));
            lay(self.skin * light, ellipse(x, y, self.width, self.height));
            let fringe = 1.0 / (1.0 + ((v - self.fringe) * 60.0).exp());
            lay(self.hair, fringe * ellipse(x, y, self.width + 0.02, self.height + 0.02));
            let face = ellipse(x, y, self.width, self.height);
            let mut lay = |value: f32, share: f32| lay(value, face * share);
            for side in [-1.0, 1.0] {
                let eye = u - side * self.eyes_apart;
                lay(0.5 * self.skin * light, 0.6 * ellipse(eye, v + 0.08, 1.7 * self.eye, 1.3 * self.eye));
                lay(0.6 * self.hair, ellipse(eye, v + 0.16 - 0.4 * eye * eye, 1.6 * self.eye, 0.018));
                lay(0.95 * light.min(1.0), ellipse(eye, v + 0.07, self.eye, 0.5 * self.eye));
                lay(0.1, ellipse(eye - gaze, v + 0.07, 0.45 * self.eye, 0.45 * self.eye));
            }
            lay(1.1 * self.skin * light, 0.7 * ellipse(u, v - 0.3 * self.nose, 0.025, 0.6 * self.nose));
            lay(0.4 * self.skin, 0.7 * ellipse(u, v - self.nose, 0.05, 0.016));
            let bent = v - 0.26 + smile * (u / self.mouth).powi(2);
            lay(0.5 * self.skin, ellipse(u, bent, self.mouth, open + 0.018));
            lay(0.15, ellipse(u, bent, 0.8 * self.mouth, open));
            grey.clamp(0.0, 1.0)
        };
        (0..SIZE * SIZE).map(paint).collect()
    }
}

/// How much an ellipse with these half axes covers a point, from 0 to 1, with a soft border.
fn ellipse(x: f32, y: f32, width: f32, height: f32) -> f32 {
    /// The width of the border, as a share of the picture's edge.
    const SOFT: f32 = 0.012;
    let distance = ((x / width).hypot(y / height) - 1.0) * width.min(height);
    1.0 / (1.0 + (distance / SOFT * 2.0).exp())
}
