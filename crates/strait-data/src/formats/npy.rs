//! NumPy's `.npy` files.

use std::path::Path;
use std::sync::Arc;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use crate::array::{Array, Layout};
use crate::element::Element;
use crate::packing::Bytes;
use crate::{Error, Result};

/// The longest header that is read. An array of numbers needs some hundred bytes.
const MAX_HEADER: usize = 1 << 16;

/// Reads the array of a file; `start` is where the file begins in the bytes.
pub(crate) fn array(path: &Path, bytes: Arc<Bytes>) -> Result<Array> {
    let (layout, start) = header(&bytes).map_err(|message| Error::format(path, message))?;
    let there = bytes.len() - start;
    if layout.size() != Some(there) {
        let claim = layout.size().map_or("more than can be counted".to_owned(), |size| size.to_string());
        return Err(Error::format(path, format!("its header claims {claim} bytes, but {there} follow")));
    }
    Array::new(path, bytes, start, layout)
}

/// What the header says, and where the numbers begin.
pub(crate) fn header(bytes: &[u8]) -> std::result::Result<(Layout, usize), String> {
    let start = bytes.get(..10).filter(|start| start.starts_with(b"\x93NUMPY")).ok_or("this is not a .npy file")?;
    let (text, length): (usize, usize) = match (start[6], bytes.get(8..12)) {
        (1, _) => (10, usize::from(u16::from_le_bytes([start[8], start[9]]))),
        (2 | 3, Some(length)) => (12, length.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte))),
        (2 | 3, None) => return Err("its header is cut off".to_owned()),
        (version, _) => return Err(format!("version {version} of .npy is not known")),
    };
    if length > MAX_HEADER {
        return Err(format!("its header takes {length} bytes, more than an array of numbers needs"));
    }
    let end = text + length;
    let text = bytes.get(text..end).ok_or("its header is cut off")?;
    // The crate believes the depth of the brackets and the product of the sizes.
    if text.iter().filter(|byte| b"([{".contains(byte)).count() > 4 {
        return Err("its header describes records, not an array of numbers".to_owned());
    }
    countable(text)?;
    let header = NpyHeader::from_reader(bytes)
        .map_err(|error| format!("its header cannot be read ({:.100})", error.to_string()))?;
    let DType::Plain(kind) = header.dtype() else {
        return Err("it holds records, not numbers".to_owned());
    };
    let element = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Bool, 1) => Element::Bool,
        (TypeChar::Int, 1) => Element::I8,
        (TypeChar::Uint, 1) => Element::U8,
        (TypeChar::Int, 2) => Element::I16,
        (TypeChar::Uint, 2) => Element::U16,
        (TypeChar::Int, 4) => Element::I32,
        (TypeChar::Uint, 4) => Element::U32,
        (TypeChar::Int, 8) => Element::I64,
        (TypeChar::Uint, 8) => Element::U64,
        (TypeChar::Float, 2) => Element::F16,
        (TypeChar::Float, 4) => Element::F32,
        (TypeChar::Float, 8) => Element::F64,
        (TypeChar::Complex, _) => return Err(format!("it holds complex numbers (`{kind}`); save the real parts")),
        _ => return Err(format!("it holds values of type `{kind}`, not real numbers or booleans")),
    };
    let shape = header.shape().iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    let fortran = header.order() == Order::Fortran;
    Ok((Layout { element, big: kind.endianness() == Endianness::Big, fortran, shape }, end))
}

/// Refuses sizes whose product is more than a computer holds.
fn countable(text: &[u8]) -> std::result::Result<(), String> {
    let text = String::from_utf8_lossy(text);
    // Without a shape, the crate says what is wrong.
    let Some((_, shape)) = text.split_once("shape") else { return Ok(()) };
    let sizes = shape.trim_start_matches(['\'', '"', ':', ' ']).strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (sizes, _) = sizes.ok_or("its header cannot be read (its shape does not stand in round brackets)")?;
    let mut product = 1usize;
    for size in sizes.split(',').map(|size| size.trim().trim_end_matches('L')).filter(|size| !size.is_empty()) {
        let counted = size.parse().ok().and_then(|size: usize| product.checked_mul(size.max(1)));
        product = counted
            .filter(|&product| product <= isize::MAX as usize / 8)
            .ok_or_else(|| format!("its shape ({sizes:.100}) is not a shape that a file can hold"))?;
    }
    Ok(())
}
