//! The IDX format of MNIST: two zeros, a type, the number of dimensions, their sizes, the numbers, highest byte first.

use std::path::Path;
use std::sync::Arc;

use crate::array::{Array, Layout};
use crate::element::Element;
use crate::packing::Bytes;
use crate::{Error, Result};

/// The types of numbers, by their byte in the magic number.
const ELEMENTS: [(u8, Element); 6] = [
    (0x08, Element::U8),
    (0x09, Element::I8),
    (0x0b, Element::I16),
    (0x0c, Element::I32),
    (0x0d, Element::F32),
    (0x0e, Element::F64),
];

/// Reads the array of a file. Bytes stand for `byte / 255` in arrays of two and more dimensions.
pub(crate) fn array(path: &Path, bytes: Arc<Bytes>) -> Result<Array> {
    let wrong = |message: String| Error::format(path, message);
    let (layout, start) = header(&bytes).map_err(wrong)?;
    let there = bytes.len() - start;
    if layout.size() != Some(there) {
        let claim = layout.size().map_or("more than can be counted".to_owned(), |size| size.to_string());
        return Err(wrong(format!("its header claims {claim} bytes, but {there} follow")));
    }
    let images = layout.shape.len() > 1;
    let array = Array::new(path, bytes, start, layout)?;
    Ok(if images { array.into_pixels() } else { array })
}

/// What the header says, and where the numbers begin.
pub(crate) fn header(bytes: &[u8]) -> std::result::Result<(Layout, usize), String> {
    let &[zero, zero_too, kind, rank] =
        bytes.first_chunk().ok_or("it ends within its magic number; it was cut short")?;
    if [zero, zero_too] != [0, 0] {
        return Err(format!("this is not an IDX file: it starts with {:02x?}, not with two zeros", &bytes[..4]));
    }
    let Some(&(_, element)) = ELEMENTS.iter().find(|(byte, _)| *byte == kind) else {
        return Err(format!("its numbers are of IDX type {kind:#04x}; 0x08, 0x09 and 0x0b to 0x0e are known"));
    };
    if rank == 0 {
        return Err("it has 0 dimensions, so it holds no rows".to_owned());
    }
    let start = 4 + 4 * usize::from(rank);
    let sizes = bytes.get(4..start).ok_or("it ends within its dimensions; it was cut short")?;
    let shape: Vec<usize> = sizes.as_chunks().0.iter().map(|size| u32::from_be_bytes(*size) as usize).collect();
    if shape.contains(&0) {
        return Err(format!("one of its dimensions {shape:?} is 0, so it holds no data"));
    }
    Ok((Layout { element, big: true, fortran: false, shape }, start))
}
