//! Matrix Market files: coordinates or a full array, general, symmetric or skew-symmetric.

use std::path::Path;

use super::lines::{Lines, push, wrong};
use super::matrix::Matrix;
use crate::array::Array;
use crate::sparse::{Sparse, Triple};
use crate::{Error, Result};

/// How what is not stored follows from what is.
#[derive(Clone, Copy, PartialEq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

/// Reads the matrix of a file.
pub(crate) fn matrix(path: &Path, text: &[u8]) -> Result<Matrix> {
    let mut lines = Lines::new(path, text);
    let Some((number, banner)) = lines.next_line()? else {
        return Err(Error::format(path, "the file is empty"));
    };
    let banner = banner.to_lowercase();
    let words: Vec<&str> = banner.split_whitespace().collect();
    let ["%%matrixmarket", "matrix", layout, field, symmetry] = words[..] else {
        return Err(wrong(path, number, "expected `%%MatrixMarket matrix LAYOUT FIELD SYMMETRY`"));
    };
    let pattern = match field {
        "real" | "double" | "integer" | "unsigned-integer" => false,
        "pattern" if layout == "coordinate" => true,
        _ => return Err(wrong(path, number, format!("values of the field `{field}`, not real numbers"))),
    };
    let symmetry = match symmetry {
        "general" => Symmetry::General,
        "symmetric" => Symmetry::Symmetric,
        "skew-symmetric" => Symmetry::Skew,
        _ => return Err(wrong(path, number, format!("the symmetry `{symmetry}` is not known"))),
    };
    let (number, sizes) = loop {
        match lines.next_line()? {
            Some((_, line)) if line.starts_with('%') => {}
            Some(line) => break line,
            None => return Err(Error::format(path, "it ends before its sizes; it was cut short")),
        }
    };
    let sizes: Option<Vec<u64>> = sizes.split_whitespace().map(|size| size.parse().ok()).collect();
    let sizes = sizes.unwrap_or_default();
    let largest = u64::from(u32::MAX);
    match (layout, &sizes[..]) {
        ("coordinate", &[rows, columns, stored]) if rows < largest && columns < largest => {
            coordinates(path, lines, [rows, columns, stored], pattern, symmetry)
        }
        ("array", &[rows, columns]) if rows < largest && columns < largest => {
            array(path, lines, text.len(), [rows as usize, columns as usize], symmetry)
        }
        _ => Err(wrong(path, number, format!("it is not the sizes of a matrix in the layout `{layout}`"))),
    }
}

fn coordinates(
    path: &Path,
    mut lines: Lines<'_>,
    [rows, columns, stored]: [u64; 3],
    pattern: bool,
    symmetry: Symmetry,
) -> Result<Matrix> {
    let mut triples: Vec<Triple> = Vec::new();
    let mut found = 0;
    while let Some((number, line)) = lines.next_line()? {
        let wrong = |message: String| wrong(path, number, message);
        let mut fields = line.split_whitespace();
        let mut place = |most: u64, what: &str| {
            let place = fields.next().and_then(|place| place.parse().ok()).filter(|place| (1..=most).contains(place));
            place
                .map(|place: u64| place as u32 - 1)
                .ok_or_else(|| wrong(format!("there is no {what} from 1 to {most}")))
        };
        let (row, column) = (place(rows, "row")?, place(columns, "column")?);
        let value = if pattern { Some(1.0) } else { fields.next().and_then(number_of) };
        let value = value.ok_or_else(|| wrong("a number is missing behind row and column".to_owned()))?;
        if fields.next().is_some() {
            return Err(wrong("something follows the value".to_owned()));
        }
        push(path, &mut triples, (row, column, value))?;
        found += 1;
        if symmetry != Symmetry::General && row != column {
            if u64::from(column) >= rows || u64::from(row) >= columns {
                return Err(wrong(format!("a symmetric matrix of {rows} x {columns} is not square")));
            }
            let mirrored = if symmetry == Symmetry::Skew { -value } else { value };
            push(path, &mut triples, (column, row, mirrored))?;
        }
    }
    if found != stored {
        return Err(Error::format(path, format!("its header claims {stored} entries, but {found} follow")));
    }
    Sparse::summed(path, [rows as usize, columns as usize], triples).map(Matrix::Sparse)
}

/// Values column after column; of a symmetric matrix from the diagonal down.
fn array(path: &Path, mut lines: Lines<'_>, bytes: usize, shape: [usize; 2], symmetry: Symmetry) -> Result<Matrix> {
    let [rows, columns] = shape;
    let count = rows.checked_mul(columns).filter(|&count| count / 2 <= bytes);
    let count = count.ok_or_else(|| {
        Error::format(path, format!("a matrix of {rows} x {columns} is claimed, more than {bytes} bytes hold"))
    })?;
    if symmetry != Symmetry::General && rows != columns {
        return Err(Error::format(path, format!("a symmetric matrix of {rows} x {columns} is not square")));
    }
    let mut values = vec![0.0; count];
    for column in 0..columns {
        let first = match symmetry {
            Symmetry::General => 0,
            Symmetry::Symmetric => column,
            Symmetry::Skew => column + 1,
        };
        for row in first..rows {
            let (number, line) = lines.next_line()?.ok_or_else(|| {
                Error::format(path, format!("its header claims {rows} x {columns} values, but fewer follow"))
            })?;
            let value = number_of(line.trim());
            let value = value.ok_or_else(|| wrong(path, number, format!("`{line:.40}` is not a finite number")))?;
            values[row * columns + column] = value;
            match symmetry {
                Symmetry::General => {}
                Symmetry::Symmetric => values[column * columns + row] = value,
                Symmetry::Skew => values[column * columns + row] = -value,
            }
        }
    }
    if let Some((number, _)) = lines.next_line()? {
        return Err(wrong(path, number, "more values follow than the header claims"));
    }
    Ok(Matrix::Full(Array::doubles(&values, vec![rows, columns])))
}

fn number_of(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}
