//! Pictures as rows of grey or of red, green and blue, from 0 (black) to 1.

use std::collections::HashSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::imageops::{FilterType, crop_imm, resize};
use image::{DynamicImage, ImageBuffer, ImageReader, Limits, Luma, Rgb};

use super::raw::Raw;
use crate::array::Array;
use crate::element::Element;
use crate::guard::guarded;
use crate::packing::{Content, Spool};
use crate::{Error, Fit, Labels, Options, Result};

/// The widest and highest picture that is read.
const MAX_SIDE: u32 = 32768;

/// The bytes that decoding any picture may take, beside four times those of its file.
const ALLOCATION: u64 = 48 << 20;

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// Whether a file begins as a picture does.
pub(crate) fn is(start: &[u8]) -> bool {
    let portable = matches!(start, [b'P', b'1'..=b'6', space, ..] if space.is_ascii_whitespace());
    let magics: [&[u8]; 6] = [b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"BM"];
    portable
        || magics.iter().any(|magic| start.starts_with(magic))
        || (start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP"))
}

/// A picture as numbers.
struct Picture {
    height: usize,
    width: usize,
    /// Row by row; where colours are kept, red, green and blue of a pixel behind each other.
    pixels: Pixels,
}

enum Pixels {
    Bytes(Vec<u8>),
    /// Of 16 bits, from 0 to 1.
    Numbers(Vec<f32>),
}

/// The pictures of a folder and of the folders in it, in the order of their paths. Where all of them lie in folders of the folder,
/// these name their classes.
pub(crate) fn folder(path: &Path, options: &Options) -> Result<Raw> {
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    collect(path, 0, &mut files, &mut seen)?;
    files.sort();
    let mut pictures = Vec::new();
    for file in files {
        let mut start = [0; 16];
        let got = std::fs::File::open(&file).and_then(|mut file| std::io::Read::read(&mut file, &mut start));
        let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let named = ending.as_deref().is_some_and(|ending| image::ImageFormat::from_extension(ending).is_some());
        // A file that is named as a picture but is not one is an error, not skipped.
        if named || got.is_ok_and(|got| is(&start[..got])) {
            pictures.push(file);
        }
    }
    let class = |file: &PathBuf| {
        let inside = file.strip_prefix(path).ok()?;
        let mut parts = inside.components();
        let class = parts.next()?.as_os_str().to_str()?.to_owned();
        parts.next().map(|_| class)
    };
    let (mut raw, kept) = list(path, &pictures, options)?;
    let classes: Option<Vec<String>> = kept.iter().map(|&i| class(&pictures[i])).collect();
    raw.labels = classes.map(Labels::of);
    Ok(raw)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>, seen: &mut HashSet<PathBuf>) -> Result<()> {
    let io = |cause| Error::io(folder, cause);
    // A folder that links lead to again is looked at once.
    if depth > MAX_DEPTH || !seen.insert(folder.canonicalize().map_err(io)?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        match std::fs::metadata(&path) {
            _ if hidden => {}
            Ok(metadata) if metadata.is_dir() => collect(&path, depth + 1, files, seen)?,
            // Opening a pipe would wait for its writer.
            Ok(metadata) if !metadata.is_file() => {}
            // A link that leads nowhere fails when it is opened, by its name.
            _ => files.push(path),
        }
    }
    Ok(())
}

/// Reads pictures, in this order; also gives the places of those that were not left out.
pub(crate) fn list(path: &Path, files: &[PathBuf], options: &Options) -> Result<(Raw, Vec<usize>)> {
    if files.is_empty() {
        return Err(Error::format(
            path,
            "it holds no pictures, and not MNIST's four files (train-images-idx3-ubyte and so on)",
        ));
    }
    let read = |file: &PathBuf| {
        let content = Content::open(file, options.max_bytes)?;
        guarded(file, || decode(&content.bytes, options).map_err(|message| Error::format(file, message)))
    };
    gather(path, files, options, read)
}

/// Reads one picture whose bytes are there.
pub(crate) fn one(path: &Path, bytes: &[u8], options: &Options) -> Result<Raw> {
    let read = |file: &PathBuf| decode(bytes, options).map_err(|message| Error::format(file, message));
    Ok(gather(path, &[path.to_owned()], options, read)?.0)
}

fn gather(
    path: &Path,
    files: &[PathBuf],
    options: &Options,
    read: impl Fn(&PathBuf) -> Result<Picture>,
) -> Result<(Raw, Vec<usize>)> {
    let mut spool = Spool::new(path, u64::MAX);
    let (mut shape, mut kept, mut notes, mut wide): (Option<(usize, usize)>, _, _, _) =
        (None, Vec::new(), Vec::new(), false);
    let mut i = 0;
    while i < files.len() {
        let picture = match read(&files[i]) {
            Ok(picture) => picture,
            Err(error) if options.skip_bad => {
                notes.push(format!("left out: {error}"));
                i += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let size = (picture.height, picture.width);
        let first = *shape.get_or_insert(size);
        if first != size {
            let message = format!(
                "a picture of {} x {} pixels, but the first has {} x {}; choose a size by --size HEIGHTxWIDTH",
                size.0, size.1, first.0, first.1
            );
            return Err(Error::format(&files[i], message));
        }
        match picture.pixels {
            Pixels::Bytes(bytes) if !wide => spool.write(&bytes)?,
            Pixels::Bytes(bytes) => {
                bytes.iter().try_for_each(|&b| spool.write(&(f32::from(b) / 255.0).to_le_bytes()))?
            }
            // The first of 16 bits: all before it are read once more, as numbers.
            Pixels::Numbers(_) if !wide && !kept.is_empty() => {
                (spool, kept, notes, wide, i) = (Spool::new(path, u64::MAX), Vec::new(), Vec::new(), true, 0);
                continue;
            }
            Pixels::Numbers(numbers) => {
                wide = true;
                numbers.iter().try_for_each(|x| spool.write(&x.to_le_bytes()))?;
            }
        }
        kept.push(i);
        i += 1;
    }
    let Some((height, width)) = shape else {
        return Err(Error::format(path, format!("none of its {} pictures can be read", files.len())));
    };
    if !notes.is_empty() {
        notes.insert(0, format!("{} of {} pictures are left out, since they cannot be read", notes.len(), files.len()));
    }
    let mut dimensions = vec![kept.len(), height, width];
    if options.color {
        dimensions.push(3);
    }
    let element = if wide { Element::F32 } else { Element::U8 };
    let array = Array::spooled(spool.finish()?, element, dimensions.clone()).into_pixels();
    let mut raw = Raw::new(Arc::new(array), kept.len(), dimensions[1..].to_vec());
    raw.element = Some(element);
    raw.notes = notes;
    Ok((raw, kept))
}

fn decode(bytes: &[u8], options: &Options) -> std::result::Result<Picture, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("this is not a readable picture ({error})");
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if is_cut_jpeg(bytes) {
        return Err("this JPEG has no end; it was cut short".to_owned());
    }
    if !is_sound_tiff(bytes) {
        return Err("a field of this TIFF claims more values than the file holds".to_owned());
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| wrong(&error))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(ALLOCATION + 4 * bytes.len() as u64);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| wrong(&error))?;
    let deep = matches!(
        image,
        DynamicImage::ImageLuma16(_)
            | DynamicImage::ImageLumaA16(_)
            | DynamicImage::ImageRgb16(_)
            | DynamicImage::ImageRgba16(_)
            | DynamicImage::ImageRgb32F(_)
            | DynamicImage::ImageRgba32F(_)
    );
    let grey = matches!(
        image,
        DynamicImage::ImageLuma8(_)
            | DynamicImage::ImageLumaA8(_)
            | DynamicImage::ImageLuma16(_)
            | DynamicImage::ImageLumaA16(_)
    );
    Ok(match (deep, options.color) {
        (false, true) => picture(&fitted(&image.to_rgb8(), options), Pixels::Bytes),
        (false, false) if grey => picture(&fitted(&image.to_luma8(), options), Pixels::Bytes),
        (false, false) => {
            let colours = image.to_rgb8();
            let grey = ImageBuffer::from_fn(colours.width(), colours.height(), |x, y| {
                Luma([grey_of(colours.get_pixel(x, y))])
            });
            picture(&fitted(&grey, options), Pixels::Bytes)
        }
        (true, true) => picture(&fitted(&image.to_rgb16(), options), sixteen),
        (true, false) if grey => picture(&fitted(&image.to_luma16(), options), sixteen),
        (true, false) => {
            let colours = image.to_rgb16();
            let grey = ImageBuffer::from_fn(colours.width(), colours.height(), |x, y| {
                let Rgb([red, green, blue]) = *colours.get_pixel(x, y);
                let grey = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
                Luma([grey.round() as u16])
            });
            picture(&fitted(&grey, options), sixteen)
        }
    })
}

/// Whether a JPEG has no end behind the last scan, which decoders fill up with grey.
fn is_cut_jpeg(bytes: &[u8]) -> bool {
    let marker = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    bytes.starts_with(b"\xff\xd8\xff") && marker(0xda).is_some_and(|scan| marker(0xd9).is_none_or(|end| end < scan))
}

/// Whether the fields of a TIFF's first directory have no more values than the file has room for: the crate tiff takes memory for what
/// they claim. Other files are sound.
fn is_sound_tiff(bytes: &[u8]) -> bool {
    let big = bytes.starts_with(b"MM\0*");
    if !big && !bytes.starts_with(b"II*\0") {
        return true;
    }
    let half = |at: usize| bytes.get(at..at + 2).and_then(|b| b.try_into().ok());
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    let half = |at: usize| half(at).map(|b| if big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) });
    let word = |at: usize| word(at).map(|b| if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) });
    let Some(directory) = word(4).map(|at| at as usize) else { return false };
    let Some(fields) = half(directory) else { return false };
    (0..usize::from(fields)).all(|field| {
        let at = directory + 2 + 12 * field;
        let (Some(kind), Some(count)) = (half(at + 2), word(at + 4)) else { return false };
        // Sizes of bytes, shorts, longs, fractions, ...; unknown types are left out by readers.
        let size = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8].get(usize::from(kind)).copied().unwrap_or(0);
        u64::from(count) * size <= bytes.len() as u64
    })
}

/// Grey by ITU-R BT.601, in the whole numbers in which Pillow computes it.
fn grey_of(&Rgb([red, green, blue]): &Rgb<u8>) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16) as u8
}

fn sixteen(values: Vec<u16>) -> Pixels {
    Pixels::Numbers(values.into_iter().map(|x| f32::from(x) / 65535.0).collect())
}

type Buffer<P> = ImageBuffer<P, Vec<<P as image::Pixel>::Subpixel>>;

/// A picture cut and scaled as the options say.
fn fitted<P: image::Pixel + 'static>(image: &Buffer<P>, options: &Options) -> Buffer<P>
where
    P::Subpixel: 'static,
{
    let Some([height, width]) = options.size else { return image.clone() };
    let (wide, high) = image.dimensions();
    let cut = match options.fit {
        Fit::Stretch => image.clone(),
        // The largest part from the middle that has the wanted shape.
        Fit::Crop => {
            let scale = f64::min(f64::from(wide) / f64::from(width), f64::from(high) / f64::from(height));
            let part = |size: u32, most: u32| ((f64::from(size) * scale).round() as u32).clamp(1, most);
            let (w, h) = (part(width, wide), part(height, high));
            crop_imm(image, (wide - w) / 2, (high - h) / 2, w, h).to_image()
        }
    };
    if cut.dimensions() == (width, height) { cut } else { resize(&cut, width, height, FilterType::Triangle) }
}

fn picture<P: image::Pixel>(image: &Buffer<P>, pixels: fn(Vec<P::Subpixel>) -> Pixels) -> Picture {
    let (width, height) = image.dimensions();
    Picture { height: height as usize, width: width as usize, pixels: pixels(image.as_raw().clone()) }
}
