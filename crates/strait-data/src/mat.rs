//! MATLAB's level 5 files (`-v6` and `-v7`): the one matrix that is wanted of them.
//!
//! A file is a row of elements, each with a tag of its type and size. Those of a variable hold more elements: its
//! class, sizes, name and numbers. Compressed ones are a zlib stream of a variable. Reference: MathWorks, "MAT-File
//! Format".

use std::io::{Read, Take};

use flate2::bufread::ZlibDecoder;

use crate::MAX_BYTES;
use crate::idx::MAX_RATIO;
use crate::matrix::{Number, Table, chosen, matrix, numbers, turned};

type Result<T> = std::result::Result<T, String>;

// Types of elements; those of numbers are in `number`.
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// What a variable may be, by the number of its class.
const CLASSES: [&str; 6] = ["of no class", "a cell array", "a structure", "an object", "text", "a sparse matrix"];

/// The classes of numbers: double, single and the integers.
const NUMERIC: std::ops::RangeInclusive<u8> = 6..=15;

/// The class of MATLAB's newer objects, which have no sizes.
const OPAQUE: u8 = 17;

/// The flag of complex numbers, in the byte above the class.
const COMPLEX: u8 = 8;

/// The most bytes that the sizes and the name of a variable may take; MATLAB's names have 63 at most.
const MAX_HEAD: u32 = 1024;

/// Reads the matrix of a file that has one, or the one that is named.
pub(crate) fn mat(bytes: &[u8], wanted: Option<&str>) -> Result<Table> {
    let Some((header, body)) = bytes.split_at_checked(128) else {
        return Err("this is no MATLAB file: it has not even a header".to_owned());
    };
    let big = match header[124..] {
        [_, 1, b'I', b'M'] => false,
        [1, _, b'M', b'I'] => true,
        [_, 2, b'I', b'M'] | [2, _, b'M', b'I'] => {
            return Err("this is a MATLAB file of version 7.3; save it by `save(..., '-v7')`".to_owned());
        }
        _ => return Err("this is no MATLAB file of version 5 to 7; save it by `save(..., '-v7')`".to_owned()),
    };
    let mut variables = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (kind, size) = word(rest, big).zip(rest.get(4..).and_then(|rest| word(rest, big))).ok_or_else(cut)?;
        let element = rest[8..].get(..size as usize).ok_or_else(cut)?;
        rest = &rest[8 + element.len()..];
        let variable = Element { kind, bytes: element, big };
        let name = variable.open()?.0.name;
        // What has no name is MATLAB's own.
        if !name.is_empty() {
            variables.push((name, variable));
        }
    }
    let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
    let (name, variable) = &variables[chosen(&names, wanted, "variable")?];
    if names.iter().filter(|other| *other == name).count() > 1 {
        return Err(format!("it has several variables `{name}`"));
    }
    variable.read().map_err(|message| format!("variable `{name}`: {message}"))
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
struct Element<'a> {
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

impl<'a> Element<'a> {
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

    fn read(&self) -> Result<Table> {
        let (head, mut stream) = self.open()?;
        if !NUMERIC.contains(&head.class) || head.complex {
            let class = if head.complex {
                "complex"
            } else {
                CLASSES.get(usize::from(head.class)).unwrap_or(&"a function or an object")
            };
            return Err(format!("it is {class}; full matrices of real numbers are read"));
        }
        let tag = stream.tag()?;
        let (element, number) = number(tag.kind).ok_or_else(|| format!("its numbers are of type {}", tag.kind))?;
        // All is compared before memory is taken for it: the sizes with the bytes, the bytes with what can be there.
        let [rows, width] = matrix(&head.shape, element, tag.size as usize)?;
        let packed = if self.kind == COMPRESSED { MAX_RATIO } else { 1 };
        let most = (self.bytes.len() as u64).saturating_mul(packed).min(MAX_BYTES);
        if u64::from(tag.size) > most || (rows * width) as u64 > MAX_BYTES / 4 {
            return Err(format!("{rows} x {width} numbers are more than {} bytes can hold", self.bytes.len()));
        }
        let data = stream.data(tag)?;
        stream.end()?;
        Ok(Table { width, values: turned(&numbers(&data, element, self.big, number), [rows, width]) })
    }
}

/// The size of a number of this type, and how it is made of its bytes.
fn number(kind: u32) -> Option<(usize, Number)> {
    Some(match kind {
        1 => (1, |b| f32::from(b[0] as i8)),
        2 => (1, |b| f32::from(b[0])),
        3 => (2, |b| f32::from(i16::from_le_bytes([b[0], b[1]]))),
        4 => (2, |b| f32::from(u16::from_le_bytes([b[0], b[1]]))),
        INT32 => (4, |b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32),
        UINT32 => (4, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32),
        7 => (4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        9 => (8, |b| f64::from_le_bytes(b) as f32),
        12 => (8, |b| i64::from_le_bytes(b) as f32),
        13 => (8, |b| u64::from_le_bytes(b) as f32),
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
