//! Images of curves, made up: each shows one curve that three random points determine (Hinton & Salakhutdinov 2006), so that
//! six numbers are all there is to know of it.

use crate::compute::philox::{Stream, uniform};

/// Pixels of an edge of an image.
pub const SIZE: usize = 28;

/// Half of a stroke's width, in pixels.
const RADIUS: f32 = 1.2;

/// How far the points stay from the border, in pixels. It is so chosen that PCA with 18 components leaves nearly the squared
/// error of the paper's images, 5.90.
const MARGIN: f32 = 6.0;

/// Points of a curve that are drawn.
const POINTS: usize = 96;

/// That many images, row after row: quadratic Bézier curves between two random points, bent by a third one. Image `i` depends on
/// the seed and on `i` alone.
///
/// ```
/// let images = strait::curves::images(10, 1);
/// assert_eq!(images.len(), 10 * strait::curves::SIZE.pow(2));
/// assert!(images.chunks(784).all(|image| image.contains(&255)));
/// ```
pub fn images(count: usize, seed: u64) -> Vec<u8> {
    (0..count).flat_map(|i| image(&mut Stream::new(seed, 400 + i as u32))).collect()
}

fn image(stream: &mut Stream) -> Vec<u8> {
    let mut coordinate = || MARGIN + (SIZE as f32 - 1.0 - 2.0 * MARGIN) * uniform(stream.next_word());
    let points: [[f32; 2]; 3] = std::array::from_fn(|_| [coordinate(), coordinate()]);
    let mut pixels = vec![0.0f32; SIZE * SIZE];
    for i in 0..=POINTS {
        let t = i as f32 / POINTS as f32;
        let [a, b, c] = [(1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t];
        let [x, y]: [f32; 2] = std::array::from_fn(|k| a * points[0][k] + b * points[1][k] + c * points[2][k]);
        let around = |center: f32| (center - RADIUS - 0.5).floor().max(0.0) as usize..=(center + RADIUS + 1.5) as usize;
        for row in around(y).take_while(|&row| row < SIZE) {
            for col in around(x).take_while(|&col| col < SIZE) {
                let distance = (col as f32 - x).hypot(row as f32 - y);
                let pixel = &mut pixels[row * SIZE + col];
                *pixel = pixel.max((RADIUS + 0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }
    pixels.into_iter().map(|x| (255.0 * x).round() as u8).collect()
}
