//! Tables in memory, and what the readers of all their files share.

use crate::{Result, Rows};

/// Rows of numbers that were read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Numbers in a row.
    pub width: usize,
    /// The numbers, row after row; all are finite.
    pub values: Vec<f32>,
}

impl Table {
    /// The rows.
    ///
    /// # Errors
    /// If the numbers are no whole rows or not finite, which those that were read are.
    pub fn rows(&self) -> Result<Rows<'_>> {
        Rows::numbers(&self.values, self.width)
    }
}

/// The rows and columns of a matrix whose bytes are all there.
pub(crate) fn matrix(shape: &[u64], element: usize, bytes: usize) -> std::result::Result<[usize; 2], String> {
    let &[rows, width] = shape else {
        return Err(format!("it holds an array of the shape {shape:?}, not a matrix"));
    };
    let size = |x: u64| usize::try_from(x).ok();
    let claimed = size(rows).zip(size(width)).and_then(|(rows, width)| rows.checked_mul(width)?.checked_mul(element));
    if claimed != Some(bytes) || bytes == 0 {
        return Err(format!(
            "a matrix of {rows} x {width} numbers of {element} bytes is not what its {bytes} bytes hold"
        ));
    }
    Ok([rows as usize, width as usize])
}

/// How a number is made of its bytes, the lowest first.
pub(crate) type Number = fn([u8; 8]) -> f32;

/// The numbers of `element` bytes each, which are stored highest byte first if `reversed`.
pub(crate) fn numbers(data: &[u8], element: usize, reversed: bool, number: Number) -> Vec<f32> {
    let decoded = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..element].copy_from_slice(bytes);
        if reversed {
            word[..element].reverse();
        }
        number(word)
    };
    data.chunks_exact(element).map(decoded).collect()
}

/// A matrix that is stored column after column, row after row.
pub(crate) fn turned(columns: &[f32], [rows, width]: [usize; 2]) -> Vec<f32> {
    (0..columns.len()).map(|i| columns[i % width * rows + i / width]).collect()
}

/// The place of the one that is wanted among things that have names.
pub(crate) fn chosen(names: &[&str], wanted: Option<&str>, what: &str) -> std::result::Result<usize, String> {
    let listed = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (wanted, names) {
        (Some(wanted), _) => names
            .iter()
            .position(|name| *name == wanted)
            .ok_or_else(|| format!("it has no {what} `{wanted}`, but {}", listed())),
        (None, [_]) => Ok(0),
        (None, []) => Err(format!("it holds no {what}")),
        (None, _) => Err(format!("it holds several {what}s, one of which must be named: {}", listed())),
    }
}
