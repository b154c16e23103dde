//! The numbers that files hold: their types, and how they are read.

use half::{bf16, f16};

/// The type of an array's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// One byte, 0 or 1.
    Bool,
    /// A signed byte.
    I8,
    /// An unsigned byte.
    U8,
    /// A signed integer of 16 bits.
    I16,
    /// An unsigned integer of 16 bits.
    U16,
    /// A signed integer of 32 bits.
    I32,
    /// An unsigned integer of 32 bits.
    U32,
    /// A signed integer of 64 bits.
    I64,
    /// An unsigned integer of 64 bits.
    U64,
    /// Half precision.
    F16,
    /// The upper half of a number in single precision.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Element {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Its name, as NumPy's types are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I16 => "int16",
            Self::U16 => "uint16",
            Self::I32 => "int32",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::U64 => "uint64",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Reads one number of each `stride` elements of `bytes`, which are stored highest byte first if `big`.
    pub(crate) fn read<T: Number>(self, bytes: &[u8], big: bool, stride: usize, out: &mut [T]) {
        match self {
            Self::Bool => each(bytes, big, stride, out, |b: [u8; 1]| T::single(f32::from(u8::from(b[0] != 0)))),
            Self::I8 => each(bytes, big, stride, out, |b: [u8; 1]| T::single(f32::from(b[0] as i8))),
            Self::U8 => each(bytes, big, stride, out, |b: [u8; 1]| T::single(f32::from(b[0]))),
            Self::I16 => each(bytes, big, stride, out, |b| T::single(f32::from(i16::from_le_bytes(b)))),
            Self::U16 => each(bytes, big, stride, out, |b| T::single(f32::from(u16::from_le_bytes(b)))),
            Self::F16 => each(bytes, big, stride, out, |b| T::single(f16::from_le_bytes(b).to_f32())),
            Self::Bf16 => each(bytes, big, stride, out, |b| T::single(bf16::from_le_bytes(b).to_f32())),
            Self::F32 => each(bytes, big, stride, out, |b| T::single(f32::from_le_bytes(b))),
            Self::I32 => each(bytes, big, stride, out, |b| T::double(f64::from(i32::from_le_bytes(b)))),
            Self::U32 => each(bytes, big, stride, out, |b| T::double(f64::from(u32::from_le_bytes(b)))),
            Self::I64 => each(bytes, big, stride, out, |b| T::double(i64::from_le_bytes(b) as f64)),
            Self::U64 => each(bytes, big, stride, out, |b| T::double(u64::from_le_bytes(b) as f64)),
            Self::F64 => each(bytes, big, stride, out, |b| T::double(f64::from_le_bytes(b))),
        }
    }
}

/// A number that is made of those in files.
pub(crate) trait Number: Copy {
    fn single(x: f32) -> Self;
    fn double(x: f64) -> Self;
}

impl Number for f32 {
    fn single(x: f32) -> Self {
        x
    }

    fn double(x: f64) -> Self {
        x as f32
    }
}

impl Number for f64 {
    fn single(x: f32) -> Self {
        f64::from(x)
    }

    fn double(x: f64) -> Self {
        x
    }
}

fn each<const N: usize, T>(bytes: &[u8], big: bool, stride: usize, out: &mut [T], number: impl Fn([u8; N]) -> T) {
    // Who calls checks the length; what would be missing stays as it is.
    let elements = bytes.as_chunks::<N>().0;
    let number = |mut element: [u8; N]| {
        if big {
            element.reverse();
        }
        number(element)
    };
    if stride == 1 {
        out.iter_mut().zip(elements).for_each(|(out, element)| *out = number(*element));
    } else {
        out.iter_mut().zip(elements.iter().step_by(stride)).for_each(|(out, element)| *out = number(*element));
    }
}
