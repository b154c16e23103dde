//! In which numbers products are computed.

use half::{bf16, f16};

/// What a routine's products do with their operands. Sums, tails, updates and all tensors are f32 in each case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// They multiply them as they are.
    #[default]
    F32,
    /// They round them to 16 bits, where the device multiplies these faster; see [`Backend::operands`](crate::Backend::operands).
    Mixed,
    /// They cut each into two numbers of 16 bits and multiply these crosswise: nearly as exact as f32.
    Split,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Mixed, Self::Split];

    /// Its name, as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Mixed => "mixed",
            Self::Split => "split",
        }
    }
}

/// The numbers that a product multiplies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operands {
    /// Single precision, 24 significant bits.
    F32,
    /// Half precision, 11 significant bits, from 6e-8 to 65504.
    F16,
    /// The upper half of single precision, 8 significant bits.
    Bf16,
    /// x = high + low with both parts in bf16; products of two low parts are left out.
    TwoBf16,
}

impl Operands {
    /// The parts of x, the high one first; absent ones are zero.
    pub(crate) fn parts(self, x: f64) -> [f64; 2] {
        let high = match self {
            Self::F32 => x,
            Self::F16 => f16::from_f64(x).to_f64(),
            // By way of f32, as the back ends come to it.
            Self::Bf16 | Self::TwoBf16 => bf16::from_f32(x as f32).to_f64(),
        };
        [high, if self == Self::TwoBf16 { bf16::from_f32((x - high) as f32).to_f64() } else { 0.0 }]
    }
}
