//! Instruction sets: their detection, and what kernels need of them.

use super::lanes::{ALL_LANES, Lanes, WIDTH};
use crate::philox::philox_blocks;

/// The instruction sets for which the kernels are compiled, each with those of its architecture before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Isa {
    /// What every processor of the architecture has, as far as the compiler makes use of it.
    Portable,
    /// AArch64.
    Neon,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with products of 16-bit operands.
    Avx512Bf16,
    /// The same with tiles of 16-bit operands: AMX.
    Amx,
}

impl Isa {
    #[cfg(target_arch = "x86_64")]
    const OF_THE_ARCHITECTURE: &[Self] = &[Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::Amx];
    #[cfg(target_arch = "aarch64")]
    const OF_THE_ARCHITECTURE: &[Self] = &[Self::Portable, Self::Neon];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const OF_THE_ARCHITECTURE: &[Self] = &[Self::Portable];

    /// Those that this processor, and its operating system, have; the best last.
    pub fn available() -> Vec<Self> {
        Self::OF_THE_ARCHITECTURE.iter().copied().take_while(|isa| isa.is_there()).collect()
    }

    /// The best that this processor has.
    pub(crate) fn detect() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }

    /// Whether the processor has what this one adds to those before it.
    #[cfg(target_arch = "x86_64")]
    fn is_there(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Neon => false,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            Self::Avx512Bf16 => is_x86_feature_detected!("avx512bf16"),
            Self::Amx => amx::is_there(),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_there(self) -> bool {
        Self::OF_THE_ARCHITECTURE.contains(&self)
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable instructions",
            Self::Neon => "NEON",
            Self::Avx2 => "AVX2 and FMA",
            Self::Avx512 => "AVX-512",
            Self::Avx512Bf16 => "AVX-512 with BF16",
            Self::Amx => "AVX-512 and AMX",
        }
    }

    /// Whether it multiplies 16-bit operands faster than f32.
    pub(crate) fn has_bf16(self) -> bool {
        self >= Self::Avx512Bf16
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::sync::OnceLock;

    /// Whether the processor has AMX for bf16, and the system lets this process use it.
    pub(super) fn is_there() -> bool {
        static FOUND: OnceLock<bool> = OnceLock::new();
        *FOUND.get_or_init(|| has_instructions() && is_permitted())
    }

    fn has_instructions() -> bool {
        const BF16: u32 = 1 << 22;
        const TILE: u32 = 1 << 24;
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (BF16 | TILE) == BF16 | TILE
    }

    /// Linux gives the tiles, whose state is large, to processes that ask for them, once for all their threads.
    fn is_permitted() -> bool {
        const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
        const XFEATURE_XTILEDATA: libc::c_ulong = 18;
        // SAFETY: the call takes two numbers and changes nothing but the permission.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
    }
}
#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
mod amx {
    /// How to ask for it is known of Linux only.
    pub(super) fn is_there() -> bool {
        false
    }
}

/// What a kernel needs of the instruction set that it is compiled for.
pub(super) trait Target {
    /// Rows of a tile of 16 columns that fit the registers: as many as hide the latency of a multiply-add.
    const ROWS: usize;
    /// Whether a fused multiply-add is one instruction.
    const FUSED: bool;
    /// Whether several packed or listed terms are added to sums in registers without a branch between them.
    const UNROLLS: bool = true;
    /// Sixteen sums in registers. Spelled out in vectors, because compilers keep arrays of these in registers, but
    /// arrays of plain floats only sometimes.
    type Sums: Copy;

    /// All zero.
    fn zero() -> Self::Sums;
    /// From memory.
    fn load(lanes: &Lanes) -> Self::Sums;
    /// a b + c, lane by lane.
    fn accumulate(a: f32, b: Self::Sums, c: Self::Sums) -> Self::Sums;
    /// A bit for each lane that is this number.
    fn equal(lanes: &Lanes, number: f32) -> u32;
    /// A bit for each lane that is larger than this number, or none.
    fn above(lanes: &Lanes, number: f32) -> u32;
    /// A bit for each lane that is not zero.
    #[inline(always)]
    fn nonzero(lanes: &Lanes) -> u32 {
        Self::equal(lanes, 0.0) ^ ALL_LANES
    }
    /// The random words of the counters from this one on, four in each of two rows, one word for each lane.
    fn philox(counter: [u32; 4], key: [u32; 2]) -> [[u32; WIDTH]; 2];
    /// The first and the second bf16 of each word.
    fn widen(words: &[u32; WIDTH]) -> (Self::Sums, Self::Sums);
    /// To memory.
    fn store(sums: Self::Sums) -> Lanes;
    /// Asks for a line of memory that will be needed soon.
    fn prefetch(lanes: *const Lanes);
}

pub(super) struct Portable;
impl Target for Portable {
    const ROWS: usize = 6;
    const FUSED: bool = false;
    type Sums = [f32; WIDTH];

    #[inline(always)]
    fn zero() -> Self::Sums {
        [0.0; WIDTH]
    }

    #[inline(always)]
    fn load(lanes: &Lanes) -> Self::Sums {
        lanes.0
    }

    #[inline(always)]
    fn accumulate(a: f32, b: Self::Sums, mut c: Self::Sums) -> Self::Sums {
        for (c, b) in c.iter_mut().zip(b) {
            *c = multiply_add::<Self>(a, b, *c);
        }
        c
    }

    #[inline(always)]
    fn equal(lanes: &Lanes, number: f32) -> u32 {
        lanes.0.iter().rev().fold(0, |bits, &x| 2 * bits + u32::from(x == number))
    }

    #[inline(always)]
    fn above(lanes: &Lanes, number: f32) -> u32 {
        lanes.0.iter().rev().fold(0, |bits, &x| 2 * bits + u32::from(x > number || x.is_nan()))
    }

    #[inline(always)]
    fn philox([column, row, step, high]: [u32; 4], key: [u32; 2]) -> [[u32; WIDTH]; 2] {
        let mut counters = [[0; 8], [0; 8], [step; 8], [high; 8]];
        for i in 0..8 {
            counters[0][i] = column + i as u32 % 4;
            counters[1][i] = row + i as u32 / 4;
        }
        let blocks = philox_blocks(counters, key);
        let mut words = [[0; WIDTH]; 2];
        for i in 0..8 {
            for (word, block) in blocks.iter().enumerate() {
                words[i / 4][i % 4 * 4 + word] = block[i];
            }
        }
        words
    }

    #[inline(always)]
    fn widen(words: &[u32; WIDTH]) -> (Self::Sums, Self::Sums) {
        (words.map(|word| f32::from_bits(word << 16)), words.map(|word| f32::from_bits(word & 0xffff_0000)))
    }

    #[inline(always)]
    fn store(sums: Self::Sums) -> Lanes {
        Lanes(sums)
    }

    #[inline(always)]
    fn prefetch(_lanes: *const Lanes) {}
}

/// a b + c
#[inline(always)]
pub(super) fn multiply_add<T: Target + ?Sized>(a: f32, b: f32, c: f32) -> f32 {
    if T::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Comes first in a loop over rows whose body goes through the lanes of one. Compilers for AVX-512 would otherwise make
/// vectors of the same lane of sixteen rows, which have to be gathered and scattered: no loop with an assembler's text in it is
/// turned like that, not even with an empty one.
#[inline(always)]
pub(super) fn row_by_row() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: there is no instruction.
    unsafe {
        std::arch::asm!("", options(nomem, nostack, preserves_flags));
    }
}
