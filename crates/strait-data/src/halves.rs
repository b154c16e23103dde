//! Numbers of 16 bits, which are widened where they are used.

use half::{bf16, f16};

/// Numbers of 16 bits, as they lie in memory or in a mapped file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Halves<'a> {
    /// Half precision.
    F16(&'a [f16]),
    /// The upper halves of numbers in single precision.
    Bf16(&'a [bf16]),
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfKind {
    F16,
    Bf16,
}

impl<'a> Halves<'a> {
    /// Those in a range.
    ///
    /// # Panics
    /// If the range reaches beyond the last.
    pub fn range(self, range: std::ops::Range<usize>) -> Self {
        match self {
            Self::F16(numbers) => Self::F16(&numbers[range]),
            Self::Bf16(numbers) => Self::Bf16(&numbers[range]),
        }
    }

    /// All in single precision, which holds each exactly.
    ///
    /// ```
    /// use half::bf16;
    /// let numbers = [bf16::from_f32(0.5), bf16::from_f32(-3.0)];
    /// assert_eq!(strait_data::Halves::Bf16(&numbers).widened().collect::<Vec<_>>(), [0.5, -3.0]);
    /// ```
    pub fn widened(self) -> impl Iterator<Item = f32> + use<'a> {
        let (halves, upper) = match self {
            Self::F16(numbers) => (numbers, &[][..]),
            Self::Bf16(numbers) => (&[][..], numbers),
        };
        halves.iter().map(|x| x.to_f32()).chain(upper.iter().map(|x| x.to_f32()))
    }

    /// Their bytes, as this machine orders them.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::F16(numbers) => bytemuck::cast_slice(numbers),
            Self::Bf16(numbers) => bytemuck::cast_slice(numbers),
        }
    }

    /// The type's name, as NumPy's are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16(_) => "float16",
            Self::Bf16(_) => "bfloat16",
        }
    }
}
