//! MATLAB's level 4 files (`-v4`): for each variable five words, its name and its numbers.

use std::path::Path;
use std::sync::Arc;

use super::matrix::Matrix;
use crate::Error;
use crate::array::{Array, Layout};
use crate::element::Element;
use crate::open::Entry;
use crate::packing::Bytes;
use crate::sparse::{Sparse, Triple};

type Result<T> = std::result::Result<T, String>;

/// The bytes before a variable's name.
const HEADER: usize = 20;

/// What kind of matrix a variable is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Full,
    Text,
    Sparse,
}

/// A variable as it lies in the file.
struct Variable {
    name: String,
    kind: Kind,
    complex: bool,
    element: Element,
    big: bool,
    shape: [usize; 2],
    start: usize,
}

/// The variables of a file.
pub(crate) struct Variables(Vec<Variable>);

/// Whether a file begins as one of level 4 does.
pub(crate) fn is(bytes: &[u8]) -> bool {
    variable(bytes, 0).is_ok()
}

impl Variables {
    pub(crate) fn open(bytes: &[u8]) -> Result<Self> {
        let (mut variables, mut start): (Vec<Variable>, usize) = (Vec::new(), 0);
        while start < bytes.len() {
            let (found, end) = variable(bytes, start)?;
            if variables.iter().any(|other| other.name == found.name) {
                return Err(format!("it has several variables `{}`", found.name));
            }
            variables.push(found);
            start = end;
        }
        Ok(Self(variables))
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        let real = |variable: &Variable| variable.kind != Kind::Text && !variable.complex;
        let entry = |variable: &Variable| Entry {
            name: variable.name.clone(),
            element: real(variable).then_some(variable.element),
            shape: variable.shape.to_vec(),
        };
        self.0.iter().map(entry).collect()
    }

    /// The numbers of a variable.
    pub(crate) fn matrix(&self, path: &Path, bytes: &Arc<Bytes>, name: &str) -> Result<Matrix> {
        let found = self.0.iter().find(|variable| variable.name == name);
        let variable = found.ok_or_else(|| format!("it has no variable `{name}`"))?;
        let wrong = |message: &str| format!("variable `{name}`: {message}");
        if variable.complex || variable.kind == Kind::Text {
            let what = if variable.complex { "complex" } else { "text" };
            return Err(wrong(&format!("it is {what}; matrices of real numbers are read")));
        }
        let layout =
            Layout { element: variable.element, big: variable.big, fortran: true, shape: variable.shape.to_vec() };
        let array =
            Array::new(path, bytes.clone(), variable.start, layout).map_err(|error| wrong(&error.to_string()))?;
        if variable.kind == Kind::Full {
            return Ok(Matrix::Full(array));
        }
        // A row for each entry: row and column from 1, value; the last row has the sizes of the matrix.
        let cells = array.to_doubles();
        let [rows @ .., sizes] = cells.as_chunks::<3>().0 else {
            return Err(wrong("it is a sparse matrix without its sizes"));
        };
        if variable.shape[1] != 3 || sizes[..2].iter().any(|&size| !(0.0..=f64::from(u32::MAX)).contains(&size)) {
            return Err(wrong("it is not a sparse matrix of real numbers"));
        }
        let mut triples: Vec<Triple> = Vec::new();
        for &[row, column, value] in rows {
            if !(1.0..=sizes[0]).contains(&row) || !(1.0..=sizes[1]).contains(&column) {
                return Err(wrong(&format!("an entry lies in row {row}, column {column}, outside of the matrix")));
            }
            triples.push((row as u32 - 1, column as u32 - 1, value));
        }
        let repeated = |row: u32, column: u32| {
            Error::format(path, format!("the entry in row {} and column {} comes twice", row + 1, column + 1))
        };
        let sizes = [sizes[0] as usize, sizes[1] as usize];
        Sparse::new(path, sizes, triples, repeated).map(Matrix::Sparse).map_err(|error| wrong(&error.to_string()))
    }
}

/// The variable that begins there, and where it ends.
fn variable(bytes: &[u8], start: usize) -> Result<(Variable, usize)> {
    let cut = || "it ends within a variable; it was cut short".to_owned();
    let header = bytes.get(start..start + HEADER).ok_or_else(cut)?;
    let [kind, ..] = header.as_chunks::<4>().0 else { return Err(cut()) };
    // The first word is below 5000 in the file's byte order.
    let big = u32::from_le_bytes(*kind) >= 5000;
    let word = |i: usize| {
        let word = header.as_chunks::<4>().0[i];
        if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    let [kind, rows, columns, complex, name] = [0, 1, 2, 3, 4].map(word);
    let unknown = || "this is not a MATLAB file of version 4".to_owned();
    let machine = u32::from(big);
    if kind / 1000 != machine || kind / 100 % 10 != 0 || complex > 1 || !(2..=256).contains(&name) {
        return Err(unknown());
    }
    let element = match kind / 10 % 10 {
        0 => Element::F64,
        1 => Element::F32,
        2 => Element::I32,
        3 => Element::I16,
        4 => Element::U16,
        5 => Element::U8,
        _ => return Err(unknown()),
    };
    let kind = match kind % 10 {
        0 => Kind::Full,
        1 => Kind::Text,
        2 => Kind::Sparse,
        _ => return Err(unknown()),
    };
    let name_start = start + HEADER;
    let name = bytes.get(name_start..name_start + name as usize).ok_or_else(cut)?;
    let Some((0, name)) = name.split_last() else { return Err(unknown()) };
    let name = String::from_utf8_lossy(name).into_owned();
    let data = name_start + name.len() + 1;
    let parts = 1 + complex as usize;
    let size =
        (rows as usize).checked_mul(columns as usize).and_then(|count| count.checked_mul(element.size() * parts));
    let end = size.and_then(|size| data.checked_add(size)).filter(|&end| end <= bytes.len()).ok_or_else(|| {
        format!("variable `{name}` claims {rows} x {columns} numbers, but {} bytes follow", bytes.len() - data)
    })?;
    let shape = [rows as usize, columns as usize];
    Ok((Variable { name, kind, complex: complex == 1, element, big, shape, start: data }, end))
}
