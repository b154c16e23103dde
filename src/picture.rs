//! Pictures: images in labelled rows, filters, and maps of two-dimensional codes.

use std::path::Path;

use font8x8::{BASIC_FONTS, UnicodeFonts};
use image::{ImageFormat, Rgb, RgbImage};

use crate::Affine;
use crate::models::{Error, Result, write_atomically};

/// Red, green and blue.
pub type Colour = [u8; 3];

const BLACK: Colour = [0, 0, 0];

/// One colour for each of ten classes, told apart by people with any kind of colour vision as far as ten colours can be.
const CLASSES: [Colour; 10] = [
    [31, 119, 180],
    [255, 127, 14],
    [44, 160, 44],
    [214, 39, 40],
    [148, 103, 189],
    [140, 86, 75],
    [227, 119, 194],
    [110, 110, 110],
    [188, 189, 34],
    [23, 190, 207],
];

/// A white sheet to draw on.
struct Sheet {
    pixels: RgbImage,
}

impl Sheet {
    fn new(width: usize, height: usize) -> Self {
        Self { pixels: RgbImage::from_pixel(width as u32, height as u32, Rgb([255; 3])) }
    }

    fn set(&mut self, x: usize, y: usize, colour: Colour) {
        if let Some(pixel) = self.pixels.get_pixel_mut_checked(x as u32, y as u32) {
            *pixel = Rgb(colour);
        }
    }

    fn block(&mut self, x: usize, y: usize, size: usize, colour: Colour) {
        (0..size * size).for_each(|i| self.set(x + i % size, y + i / size, colour));
    }

    /// Text in an 8 x 8 font, enlarged.
    fn text(&mut self, x: usize, y: usize, scale: usize, text: &str, colour: Colour) {
        for (i, character) in text.chars().enumerate() {
            let glyph = BASIC_FONTS.get(character).unwrap_or([0; 8]);
            for (dy, bits) in glyph.into_iter().enumerate() {
                for dx in (0..8).filter(|dx| bits >> dx & 1 == 1) {
                    self.block(x + (8 * i + dx) * scale, y + dy * scale, scale, colour);
                }
            }
        }
    }

    /// An image of values that `colour` maps, enlarged.
    fn image(
        &mut self,
        x: usize,
        y: usize,
        scale: usize,
        width: usize,
        values: &[f32],
        colour: impl Fn(f32) -> Colour,
    ) {
        for (i, &value) in values.iter().enumerate() {
            self.block(x + i % width * scale, y + i / width * scale, scale, colour(value));
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let wrong = |error: image::ImageError| Error::File { path: path.to_owned(), message: error.to_string() };
        self.pixels.write_to(&mut bytes, ImageFormat::Png).map_err(wrong)?;
        write_atomically(path, &bytes.into_inner())
    }
}

/// Dark ink on white: 0 is white, 1 black.
fn ink(value: f32) -> Colour {
    [255 - (value.clamp(0.0, 1.0) * 255.0).round() as u8; 3]
}

/// Draws rows of images below each other, each with its label on the left. A row holds the pixels of its images one after the other,
/// row-major with values from 0 to 1; all are of this height and width.
///
/// ```
/// let path = std::env::temp_dir().join(format!("strait-rows-{}.png", std::process::id()));
/// let (images, found) = (vec![0.0, 1.0, 1.0, 0.0], vec![0.1, 0.9, 0.8, 0.0]);
/// strait::picture::labelled_rows(&path, [1, 2], &[("images", images), ("found", found)])?;
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be written.
pub fn labelled_rows(path: &Path, [height, width]: [usize; 2], rows: &[(impl AsRef<str>, Vec<f32>)]) -> Result<()> {
    const MARGIN: usize = 12;
    const TEXT: usize = 2;
    let size = (height * width).max(1);
    let scale = (84 / width.max(height).max(1)).max(1);
    let (cell_x, cell_y) = (width * scale + 6, height * scale + 6);
    let longest = rows.iter().map(|(label, _)| label.as_ref().chars().count()).max().unwrap_or(0);
    let left = MARGIN + 8 * TEXT * longest + MARGIN;
    let columns = rows.iter().map(|(_, images)| images.len() / size).max().unwrap_or(0);
    let mut sheet = Sheet::new(left + columns * cell_x + MARGIN, 2 * MARGIN + rows.len() * cell_y);
    for (r, (label, images)) in rows.iter().enumerate() {
        let y = MARGIN + r * cell_y;
        sheet.text(MARGIN, y + (height * scale).saturating_sub(8 * TEXT) / 2, TEXT, label.as_ref(), BLACK);
        for (c, image) in images.chunks_exact(size).enumerate() {
            sheet.image(left + c * cell_x, y, scale, width, image, ink);
        }
    }
    sheet.save(path)
}

/// Draws filters of this width in a grid, at most 200 of them: negative weights blue, positive ones red, each scaled to its own
/// largest weight.
///
/// # Errors
/// If the file cannot be written.
pub fn filters(path: &Path, width: usize, filters: impl IntoIterator<Item: AsRef<[f32]>>) -> Result<()> {
    const COLUMNS: usize = 20;
    const MOST: usize = 200;
    let filters: Vec<_> = filters.into_iter().take(MOST).collect();
    let height = filters.first().map_or(1, |filter| filter.as_ref().len().div_ceil(width.max(1)));
    let scale = (56 / width.max(height)).max(1);
    let (cell_x, cell_y) = (width * scale + 4, height * scale + 4);
    let columns = COLUMNS.min(filters.len().max(1));
    let mut sheet = Sheet::new(columns * cell_x + 8, filters.len().div_ceil(columns) * cell_y + 8);
    for (i, filter) in filters.iter().map(AsRef::as_ref).enumerate() {
        let largest = filter.iter().fold(f32::MIN_POSITIVE, |largest, w| largest.max(w.abs()));
        let colour = |w: f32| {
            let pale = 255 - (w.abs() / largest * 255.0) as u8;
            if w < 0.0 { [pale, pale, 255] } else { [255, pale, pale] }
        };
        sheet.image(6 + i % columns * cell_x, 6 + i / columns * cell_y, scale, width, filter, colour);
    }
    sheet.save(path)
}

/// Draws what the units of an encoder's layer respond to: their incoming weights, as [`filters`].
///
/// # Errors
/// If the file cannot be written.
pub fn encoder_filters(path: &Path, layer: &Affine, width: usize) -> Result<()> {
    let filter = |unit: usize| layer.weight.iter().skip(unit).step_by(layer.outputs).copied().collect::<Vec<_>>();
    filters(path, width, (0..layer.outputs).map(filter))
}

/// Draws what the units below a decoder's layer stand for: their outgoing weights, as [`filters`].
///
/// # Errors
/// If the file cannot be written.
pub fn decoder_filters(path: &Path, layer: &Affine, width: usize) -> Result<()> {
    filters(path, width, layer.weight.chunks_exact(layer.outputs))
}

/// A map of two-dimensional codes.
pub struct Map<'a> {
    /// What made the codes.
    pub title: &'a str,
    /// The codes.
    pub points: Vec<[f32; 2]>,
}

/// Draws maps side by side, each point in the colour of its class (0 to 9), with a legend.
///
/// # Errors
/// If the file cannot be written.
pub fn maps(path: &Path, classes: &[u32], maps: &[Map<'_>]) -> Result<()> {
    const SIDE: usize = 640;
    const MARGIN: usize = 16;
    const TOP: usize = 48;
    let mut sheet = Sheet::new(MARGIN + maps.len() * (SIDE + MARGIN), TOP + SIDE + 64);
    for (m, map) in maps.iter().enumerate() {
        let left = MARGIN + m * (SIDE + MARGIN);
        sheet.text(left, MARGIN, 2, map.title, BLACK);
        let [x, y] = [0, 1].map(|axis| Axis::around(map.points.iter().map(|point| point[axis])));
        for (point, &class) in map.points.iter().zip(classes) {
            let colour = CLASSES[class as usize % CLASSES.len()];
            let (px, py) = (x.place(point[0], SIDE - 4), SIDE - 4 - y.place(point[1], SIDE - 4));
            sheet.block(left + px, TOP + py, 3, colour);
        }
        for i in 0..=SIDE {
            for (dx, dy) in [(i, 0), (i, SIDE), (0, i), (SIDE, i)] {
                sheet.set(left + dx, TOP + dy, [180; 3]);
            }
        }
    }
    for (class, colour) in CLASSES.into_iter().enumerate() {
        let x = MARGIN + class * 60;
        sheet.block(x, TOP + SIDE + 24, 16, colour);
        sheet.text(x + 22, TOP + SIDE + 24, 2, &class.to_string(), BLACK);
    }
    sheet.save(path)
}

/// The range of a coordinate, without the outermost thousandth at either end.
struct Axis {
    low: f32,
    high: f32,
}

impl Axis {
    fn around(values: impl Iterator<Item = f32>) -> Self {
        let mut values: Vec<f32> = values.filter(|value| value.is_finite()).collect();
        values.sort_by(f32::total_cmp);
        let cut = values.len() / 1000;
        let ends = values.get(cut).zip(values.get(values.len().saturating_sub(cut + 1)));
        ends.map_or(Self { low: 0.0, high: 1.0 }, |(&low, &high)| Self { low, high })
    }

    fn place(&self, value: f32, length: usize) -> usize {
        let share = (value - self.low) / (self.high - self.low).max(f32::MIN_POSITIVE);
        (share.clamp(0.0, 1.0) * length as f32) as usize
    }
}
