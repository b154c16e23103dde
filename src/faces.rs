//! Pictures of faces, and the patches of them on which Hinton & Salakhutdinov (Science 2006) trained: read your own, or synthesise
//! some like the Olivetti faces.

mod heads;
mod patches;

use std::path::Path;

use crate::data::{ByteValues, Error, Fit, Options, Result, open};

pub use heads::made_up;
pub use patches::{EDGE, Patches};

/// Pixels of an edge of a picture, as the Olivetti faces have them.
pub const SIZE: usize = 64;

/// Reads the Olivetti faces, a MATLAB file, or the pictures of a folder. Each picture is given row by row with values from 0 to 1; of
/// those of a folder the square in the middle, scaled to the size of the Olivetti faces.
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

/// The pictures of a folder, in the order of their paths.
fn folder(path: &Path) -> Result<Vec<Vec<f32>>> {
    let options = Options { size: Some([SIZE as u32; 2]), fit: Fit::Crop, ..Options::default() };
    let data = open(path, &options)?;
    Ok(data.rows()?.to_numbers().chunks_exact(data.width()).map(<[f32]>::to_vec).collect())
}

/// The Olivetti faces: each column is a picture, column by column.
fn olivetti(path: &Path) -> Result<Vec<Vec<f32>>> {
    let message = "this is neither a folder of pictures nor the Olivetti faces";
    let options = Options { array: Some("faces".to_owned()), bytes: ByteValues::Numbers, ..Options::default() };
    let data = open(path, &options).map_err(|cause| wrong(path, format!("{message}: {cause}")))?;
    let (height, width) = (data.count(), data.width());
    if height != SIZE * SIZE {
        let pixels = SIZE * SIZE;
        let message = format!("`faces` has {height} rows, but pictures of {SIZE} x {SIZE} pixels have {pixels}");
        return Err(wrong(path, message));
    }
    let values = data.rows()?.to_numbers();
    let pixel = |i: usize, picture: usize| values[(i % SIZE * SIZE + i / SIZE) * width + picture] / 255.0;
    Ok((0..width).map(|picture| (0..SIZE * SIZE).map(|i| pixel(i, picture)).collect()).collect())
}
