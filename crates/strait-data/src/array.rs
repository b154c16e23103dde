//! Arrays as they lie in files: any type of number, either byte order, rows or columns first.

use std::path::Path;
use std::sync::Arc;

use crate::element::{Element, Number};
use crate::halves::HalfKind;
use crate::packing::Bytes;
use crate::source::Source;
use crate::{Error, Halves, Result, Values};

/// The bytes of an array in those of a file.
#[derive(Clone)]
pub(crate) struct Array {
    bytes: Arc<Bytes>,
    start: usize,
    element: Element,
    /// Whether the highest byte of a number comes first.
    big: bool,
    /// Whether the first dimension varies fastest.
    fortran: bool,
    shape: Vec<usize>,
    /// Bytes stand for `byte / 255`.
    pixels: bool,
}

/// What is known of an array before its numbers.
pub(crate) struct Layout {
    pub(crate) element: Element,
    pub(crate) big: bool,
    pub(crate) fortran: bool,
    pub(crate) shape: Vec<usize>,
}

impl Layout {
    /// Bytes that its numbers take, if that can be counted.
    pub(crate) fn size(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.element.size(), |size, &length| size.checked_mul(length))
    }
}

impl Array {
    /// The array that lies in these bytes from `start` on.
    pub(crate) fn new(path: &Path, bytes: Arc<Bytes>, start: usize, layout: Layout) -> Result<Self> {
        let there = bytes.len().saturating_sub(start);
        let size = layout.size().filter(|&size| size <= there);
        let Layout { element, big, fortran, shape } = layout;
        if size.is_none() {
            let message = format!(
                "an array of {shape:?} numbers of type {} is claimed, but {there} bytes follow",
                element.name()
            );
            return Err(Error::format(path, message));
        }
        Ok(Self { bytes, start, element, big, fortran, shape, pixels: false })
    }

    /// A list of numbers in double precision, in memory.
    pub(crate) fn doubles(values: &[f64], shape: Vec<usize>) -> Self {
        let bytes = Bytes::Memory(values.iter().flat_map(|x| x.to_le_bytes()).collect());
        Self::spooled(bytes, Element::F64, shape)
    }

    /// Numbers of this machine's byte order.
    pub(crate) fn spooled(bytes: Bytes, element: Element, shape: Vec<usize>) -> Self {
        Self { bytes: Arc::new(bytes), start: 0, element, big: false, fortran: false, shape, pixels: false }
    }

    /// The same array, of which bytes stand for `byte / 255`.
    pub(crate) fn into_pixels(self) -> Self {
        let pixels = self.element == Element::U8;
        Self { pixels, ..self }
    }

    /// The same array, of which bytes stand for themselves.
    pub(crate) fn into_numbers(self) -> Self {
        Self { pixels: false, ..self }
    }

    pub(crate) fn element(&self) -> Element {
        self.element
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    pub(crate) fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// All numbers, of an array that is small.
    pub(crate) fn to_doubles(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.rows() * self.width()];
        self.fill(0, &mut out);
        out
    }

    fn fill<T: Number>(&self, first: usize, out: &mut [T]) {
        let (rows, width, size) = (self.rows(), self.width(), self.element.size());
        let data = &self.bytes[self.start..];
        if !self.fortran {
            self.element.read(&data[first * width * size..], self.big, 1, out);
            return;
        }
        let count = out.len() / width;
        let mut column = vec![T::single(0.0); count];
        for (c, offset) in self.column_offsets().into_iter().enumerate() {
            self.element.read(&data[(offset * rows + first) * size..], self.big, 1, &mut column);
            column.iter().enumerate().for_each(|(row, &x)| out[row * width + c] = x);
        }
    }

    /// Where the columns lie of an array whose first dimension varies fastest, in columns.
    fn column_offsets(&self) -> Vec<usize> {
        let inner = self.shape.get(1..).unwrap_or(&[]);
        (0..self.width())
            .map(|mut column| {
                // The last dimension varies fastest in a row, the second in the file.
                let mut index = vec![0; inner.len()];
                for (index, &length) in index.iter_mut().zip(inner).rev() {
                    (*index, column) = (column % length, column / length);
                }
                index.iter().zip(inner).rev().fold(0, |offset, (&index, &length)| offset * length + index)
            })
            .collect()
    }
}

impl Source for Array {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        self.fill(first, out);
        if self.pixels {
            out.iter_mut().for_each(|x| *x /= 255.0);
        }
        Ok(())
    }

    fn read_single(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.fill(first, out);
        if self.pixels {
            out.iter_mut().for_each(|x| *x /= 255.0);
        }
        Ok(())
    }

    fn direct(&self) -> Option<Values<'_>> {
        let bytes = &self.bytes[self.start..][..self.rows() * self.width() * self.element.size()];
        match self.element {
            _ if self.fortran && self.width() > 1 => None,
            Element::U8 if self.pixels => Some(Values::Bytes(bytes)),
            Element::F32 if !self.big && cfg!(target_endian = "little") => {
                bytemuck::try_cast_slice(bytes).ok().map(Values::Numbers)
            }
            Element::F16 if !self.big && cfg!(target_endian = "little") => {
                bytemuck::try_cast_slice(bytes).ok().map(|numbers| Values::Halves(Halves::F16(numbers)))
            }
            Element::Bf16 if !self.big && cfg!(target_endian = "little") => {
                bytemuck::try_cast_slice(bytes).ok().map(|numbers| Values::Halves(Halves::Bf16(numbers)))
            }
            _ => None,
        }
    }

    fn half(&self) -> Option<HalfKind> {
        match self.element {
            Element::F16 => Some(HalfKind::F16),
            Element::Bf16 => Some(HalfKind::Bf16),
            _ => None,
        }
    }

    fn is_single(&self) -> bool {
        !matches!(self.element, Element::I32 | Element::U32 | Element::I64 | Element::U64 | Element::F64)
    }
}
