//! Pictures of faces, and the patches of them on which Hinton & Salakhutdinov (Science 2006) trained: read your own, or synthesise
//! some like the Olivetti faces.

mod heads;
mod patches;

use std::path::{Path, PathBuf};

use image::imageops::FilterType;

use crate::data::{Error, Result, Table};

pub use heads::made_up;
pub use patches::{EDGE, Patches};

/// Pixels of an edge of a picture, as the Olivetti faces have them.
pub const SIZE: usize = 64;

/// Reads the Olivetti faces, a MATLAB file, or the PNG and PGM pictures of a folder, all of one size. Each picture is given row by
/// row with values from 0 to 1; of those of a folder the square in the middle, scaled to the size of the Olivetti faces.
///
/// # Errors
/// If the file or the folder cannot be read, holds something else, or holds fewer than 4 pictures.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Vec<f32>>> {
    let path = path.as_ref();
    let pictures = if path.is_dir() { folder(path)? } else { olivetti(path)? };
    if pictures.len() < 4 {
        return Err(wrong(path, format!("it holds {} pictures, but at least 4 are needed", pictures.len())));
    }
    Ok(pictures)
}

fn wrong(path: &Path, message: impl Into<String>) -> Error {
    Error::Format { path: path.to_owned(), message: message.into() }
}

/// The Olivetti faces: each column is a picture, column by column.
fn olivetti(path: &Path) -> Result<Vec<Vec<f32>>> {
    let message = "this is neither a folder of pictures nor the Olivetti faces";
    let table = Table::read(path, Some("faces")).map_err(|cause| wrong(path, format!("{message}: {cause}")))?;
    let height = table.values.len() / table.width;
    if height != SIZE * SIZE {
        let pixels = SIZE * SIZE;
        let message = format!("`faces` has {height} rows, but pictures of {SIZE} x {SIZE} pixels have {pixels}");
        return Err(wrong(path, message));
    }
    let pixel = |i: usize, picture: usize| table.values[(i % SIZE * SIZE + i / SIZE) * table.width + picture] / 255.0;
    Ok((0..table.width).map(|picture| (0..SIZE * SIZE).map(|i| pixel(i, picture)).collect()).collect())
}

/// The pictures of a folder by their names; of each the square in its middle.
fn folder(path: &Path) -> Result<Vec<Vec<f32>>> {
    let entries: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|cause| Error::Io { path: path.to_owned(), cause })?;
    let ending = |file: &PathBuf| file.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
    let picture = |file: &PathBuf| ending(file).is_some_and(|ending| ["png", "pgm"].contains(&ending.as_str()));
    let mut files: Vec<PathBuf> = entries.into_iter().filter(picture).collect();
    if files.is_empty() {
        return Err(wrong(path, "there are no PNG or PGM pictures in this folder"));
    }
    files.sort_unstable();
    let mut size = None;
    let mut open = |file: &PathBuf| -> Result<Vec<f32>> {
        let refused = |cause| wrong(file, format!("this is no PNG or PGM picture: {cause}"));
        let image = image::open(file).map_err(refused)?;
        let found = [image.width(), image.height()];
        let expected = *size.get_or_insert(found);
        if found != expected {
            let shown = |[width, height]: [u32; 2]| format!("{width} x {height}");
            let (found, expected) = (shown(found), shown(expected));
            return Err(wrong(
                file,
                format!("it has {found} pixels, but the first picture {expected}; all must be alike"),
            ));
        }
        if found.into_iter().any(|edge| edge < EDGE as u32) {
            return Err(wrong(file, format!("it has fewer than {EDGE} x {EDGE} pixels")));
        }
        let square = image.resize_to_fill(SIZE as u32, SIZE as u32, FilterType::Triangle);
        Ok(square.to_luma32f().into_raw())
    };
    files.iter().map(&mut open).collect()
}
