//! MATLAB's level 5 files (`-v6` and `-v7`).
//!
//! A file is a row of elements, each with a tag of its type and size. Those of a variable hold more elements: its
//! class, sizes, name and numbers. Compressed ones are a zlib stream of a variable. Reference: MathWorks, "MAT-File
//! Format".

use std::io::{Read, Take};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::ZlibDecoder;

use super::matrix::Matrix;
use crate::Error;
use crate::array::{Array, Layout};
use crate::element::Element;
use crate::open::Entry;
use crate::packing::{Bytes, MAX_BYTES, MAX_RATIO};
use crate::sparse::{Sparse, Triple};

type Result<T> = std::result::Result<T, String>;

// Types of elements; those of numbers are in `number`.
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// The class of a sparse matrix.
const SPARSE: u8 = 5;

/// The classes of numbers: double, single and the integers.
const NUMERIC: std::ops::RangeInclusive<u8> = 6..=15;

/// The class of MATLAB's newer objects, which have no sizes.
const OPAQUE: u8 = 17;

/// What a class is called in a message.
fn class_name(class: u8) -> &'static str {
    match class {
        1 => "a cell array",
        2 => "a structure",
        3 => "an object",
        4 => "text",
        SPARSE => "a sparse matrix",
        _ if NUMERIC.contains(&class) => "a matrix of numbers",
        _ => "a function or an object",
    }
}

/// The flag of complex numbers, in the byte above the class.
const COMPLEX: u8 = 8;

/// The most bytes that the sizes and the name of a variable may take; MATLAB's names have 63 at most.
const MAX_HEAD: u32 = 1024;

/// The variables of a file.
pub(crate) struct Variables<'a> {
    variables: Vec<(Entry, Item<'a>)>,
}

impl<'a> Variables<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self> {
        let Some((header, body)) = bytes.split_at_checked(128) else {
            return Err("this is not a MATLAB file: it has not even a header".to_owned());
        };
        let big = match header[124..] {
            [_, 1, b'I', b'M'] => false,
            [1, _, b'M', b'I'] => true,
            [_, 2, b'I', b'M'] | [2, _, b'M', b'I'] => {
                return Err("this is a MATLAB file of version 7.3; save it by `save(..., '-v7')`".to_owned());
            }
            _ => return Err("this is not a MATLAB file of version 5 to 7; save it by `save(..., '-v7')`".to_owned()),
        };
        let mut variables: Vec<(Entry, Item<'a>)> = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let (kind, size) = word(rest, big).zip(rest.get(4..).and_then(|rest| word(rest, big))).ok_or_else(cut)?;
            let element = rest[8..].get(..size as usize).ok_or_else(cut)?;
            rest = &rest[8 + element.len()..];
            let variable = Item { kind, bytes: element, big };
            let head = variable.open()?.0;
            // What has no name is MATLAB's own.
            if head.name.is_empty() {
                continue;
            }
            if variables.iter().any(|(entry, _)| entry.name == head.name) {
                return Err(format!("it has several variables `{}`", head.name));
            }
            let element = (!head.complex && (NUMERIC.contains(&head.class) || head.class == SPARSE))
                .then(|| class_element(head.class));
            let shape = head.shape.iter().map(|&size| size as usize).collect();
            variables.push((Entry { name: head.name, element, shape }, variable));
        }
        Ok(Self { variables })
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.variables.iter().map(|(entry, _)| entry.clone()).collect()
    }

    /// The numbers of a variable, which there is.
    pub(crate) fn matrix(&self, path: &Path, name: &str) -> Result<Matrix> {
        let found = self.variables.iter().find(|(entry, _)| entry.name == name);
        let (_, variable) = found.ok_or_else(|| format!("it has no variable `{name}`"))?;
        variable.read(path).map_err(|message| format!("variable `{name}`: {message}"))
    }
}

/// The type that a class of numbers names; of a sparse matrix, that of its values.
fn class_element(class: u8) -> Element {
    match class {
        7 => Element::F32,
        8 => Element::I8,
        9 => Element::U8,
        10 => Element::I16,
        11 => Element::U16,
        12 => Element::I32,
        13 => Element::U32,
        14 => Element::I64,
        15 => Element::U64,
        _ => Element::F64,
    }
}

fn cut() -> String {
    "it ends within an element; it was cut short".to_owned()
}

/// The number in the first four bytes.
fn word(bytes: &[u8], big: bool) -> Option<u32> {
    let word = *bytes.first_chunk()?;
    Some(if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
}

/// A variable as it lies in the file.
struct Item<'a> {
    kind: u32,
    bytes: &'a [u8],
    big: bool,
}

/// What is known of a variable before its numbers.
struct Head {
    class: u8,
    complex: bool,
    shape: Vec<u64>,
    name: String,
}

impl<'a> Item<'a> {
    /// Reads the variable up to its numbers, no more of it, so that looking for a name unpacks nothing else.
    fn open(&self) -> Result<(Head, Stream<'a>)> {
        let source: Box<dyn Read + 'a> = match self.kind {
            MATRIX => Box::new(self.bytes),
            COMPRESSED => Box::new(ZlibDecoder::new(self.bytes)),
            other => return Err(format!("an element is of type {other}, not a variable")),
        };
        let mut stream = Stream { source: source.take(self.bytes.len() as u64), big: self.big };
        if self.kind == COMPRESSED {
            // What was compressed is a variable with its tag.
            stream.source.set_limit(8);
            let tag = stream.tag()?;
            if tag.kind != MATRIX {
                return Err(format!("a compressed element is of type {}, not a variable", tag.kind));
            }
            stream.source.set_limit(u64::from(tag.size));
        }
        let flags = stream.element(UINT32)?;
        let [class, flags, ..] = word(&flags, self.big).ok_or_else(cut)?.to_le_bytes();
        let sizes = if class == OPAQUE { Vec::new() } else { stream.element(INT32)? };
        let shape = sizes.chunks_exact(4).filter_map(|size| word(size, self.big)).map(u64::from).collect();
        let tag = stream.tag()?;
        let name = String::from_utf8_lossy(&stream.head(tag)?).into_owned();
        Ok((Head { class, complex: flags & COMPLEX != 0, shape, name }, stream))
    }

    fn read(&self, path: &Path) -> Result<Matrix> {
        let (head, mut stream) = self.open()?;
        if head.complex || !(NUMERIC.contains(&head.class) || head.class == SPARSE) {
            let class = if head.complex { "complex" } else { class_name(head.class) };
            return Err(format!("it is {class}; matrices of real numbers are read"));
        }
        let shape: Vec<usize> = head.shape.iter().map(|&size| size as usize).collect();
        if head.class == SPARSE {
            let matrix = self.sparse(path, &shape, &mut stream)?;
            stream.end()?;
            return Ok(Matrix::Sparse(matrix));
        }
        let (element, data) = self.numbers(&mut stream)?;
        stream.end()?;
        let layout = Layout { element, big: self.big, fortran: true, shape };
        if layout.size() != Some(data.len()) || data.is_empty() {
            return Err(format!(
                "a matrix of {} numbers of {} bytes is not what its {} bytes hold",
                sizes(&layout.shape),
                element.size(),
                data.len()
            ));
        }
        let array = Array::new(path, Arc::new(Bytes::Memory(data)), 0, layout);
        array.map(Matrix::Full).map_err(|error| error.to_string())
    }

    /// The next element, which holds numbers.
    fn numbers(&self, stream: &mut Stream<'a>) -> Result<(Element, Vec<u8>)> {
        let tag = stream.tag()?;
        let element = number(tag.kind).ok_or_else(|| format!("its numbers are of type {}", tag.kind))?;
        // The size is compared with what can be there before memory is taken for it.
        let packed = if self.kind == COMPRESSED { MAX_RATIO } else { 1 };
        let most = (self.bytes.len() as u64).saturating_mul(packed).min(MAX_BYTES);
        if u64::from(tag.size) > most {
            return Err(format!("{} bytes of numbers are more than {} bytes can hold", tag.size, self.bytes.len()));
        }
        Ok((element, stream.data(tag)?))
    }

    /// The rows of the entries, where the entries of each column begin, and the values.
    fn sparse(&self, path: &Path, shape: &[usize], stream: &mut Stream<'a>) -> Result<Sparse> {
        let &[rows, columns] = shape else {
            return Err(format!("a sparse matrix has two dimensions, not {}", shape.len()));
        };
        let mut list = || {
            let (element, data) = self.numbers(stream)?;
            let mut numbers = vec![0.0; data.len() / element.size()];
            element.read(&data, self.big, 1, &mut numbers);
            Ok::<Vec<f64>, String>(numbers)
        };
        let (places, starts, values) = (list()?, list()?, list()?);
        if starts.len() != columns + 1 || starts[0] != 0.0 || !starts.is_sorted() {
            return Err("the starts of its columns are damaged".to_owned());
        }
        let stored = starts[columns] as usize;
        if stored > places.len() || stored > values.len() || rows > u32::MAX as usize {
            return Err(format!("{stored} entries are claimed, but {} follow", places.len().min(values.len())));
        }
        let mut triples: Vec<Triple> = Vec::new();
        for column in 0..columns {
            for entry in starts[column] as usize..starts[column + 1] as usize {
                if !(0.0..rows as f64).contains(&places[entry]) {
                    return Err(format!("entry {entry} is in row {}, but there are {rows} rows", places[entry] + 1.0));
                }
                triples.push((places[entry] as u32, column as u32, values[entry]));
            }
        }
        let repeated = |row: u32, column: u32| {
            Error::format(path, format!("the entry in row {} and column {} comes twice", row + 1, column + 1))
        };
        Sparse::new(path, [rows, columns], triples, repeated).map_err(|error| error.to_string())
    }
}

fn sizes(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

/// The type of numbers that an element's type names.
fn number(kind: u32) -> Option<Element> {
    Some(match kind {
        1 => Element::I8,
        2 => Element::U8,
        3 => Element::I16,
        4 => Element::U16,
        INT32 => Element::I32,
        UINT32 => Element::U32,
        7 => Element::F32,
        9 => Element::F64,
        12 => Element::I64,
        13 => Element::U64,
        _ => return None,
    })
}

/// The tag of an element.
struct Tag {
    kind: u32,
    size: u32,
    /// The content of an element of up to four bytes, which stands in its tag.
    short: Option<[u8; 4]>,
}

/// The elements of a variable, unpacked as they are read.
struct Stream<'a> {
    source: Take<Box<dyn Read + 'a>>,
    big: bool,
}

impl Stream<'_> {
    fn tag(&mut self) -> Result<Tag> {
        let bytes = self.bytes(8)?;
        let (start, second) = word(&bytes, self.big).zip(bytes.last_chunk().copied()).ok_or_else(cut)?;
        let short = Tag { kind: start & 0xffff, size: start >> 16, short: Some(second) };
        match short.size {
            0 => Ok(Tag { kind: start, size: word(&second, self.big).ok_or_else(cut)?, short: None }),
            1..=4 => Ok(short),
            size => Err(format!("a short element claims {size} bytes, more than 4")),
        }
    }

    /// The content of the element with this tag, with what fills it up to eight bytes read away.
    fn data(&mut self, tag: Tag) -> Result<Vec<u8>> {
        if let Some(short) = tag.short {
            return Ok(short[..tag.size as usize].to_vec());
        }
        let data = self.bytes(tag.size)?;
        // Some programs do not fill up the last element.
        let filling = u64::from(tag.size.wrapping_neg() % 8);
        self.source.by_ref().take(filling).read_to_end(&mut Vec::new()).map_err(damaged)?;
        Ok(data)
    }

    /// The content of an element before the numbers, which is small.
    fn head(&mut self, tag: Tag) -> Result<Vec<u8>> {
        if tag.size > MAX_HEAD {
            return Err(format!("the name or the sizes of a variable take {} bytes", tag.size));
        }
        self.data(tag)
    }

    /// The content of the next element, which is of this type and small.
    fn element(&mut self, kind: u32) -> Result<Vec<u8>> {
        let tag = self.tag()?;
        if tag.kind != kind {
            return Err(format!("an element of a variable is of type {}, not {kind}", tag.kind));
        }
        self.head(tag)
    }

    /// As many bytes; memory is taken only for those that are there.
    fn bytes(&mut self, size: u32) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let got = self.source.by_ref().take(u64::from(size)).read_to_end(&mut bytes).map_err(damaged)?;
        if got < size as usize { Err(cut()) } else { Ok(bytes) }
    }

    /// Checks that nothing follows; of what was compressed also its checksum.
    fn end(mut self) -> Result<()> {
        let left = self.source.limit();
        self.source.set_limit(1);
        match self.source.read_to_end(&mut Vec::new()).map_err(damaged)? {
            0 if left == 0 => Ok(()),
            _ => Err("its size is not that of its elements".to_owned()),
        }
    }
}

fn damaged(error: std::io::Error) -> String {
    format!("its data are damaged ({error})")
}
