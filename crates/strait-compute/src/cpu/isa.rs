//! Instruction sets: detection, and the compilation of one kernel for each of them.

use super::storage::{Lanes, WIDTH};

/// The instruction sets for which the kernels are compiled, each with those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Isa {
    /// What every processor of the architecture has (on AArch64, NEON).
    Portable,
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
    const ALL: [Self; 5] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::Amx];

    /// Those that this processor, and its operating system, have; the best last.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().take_while(|isa| isa.is_there()).collect()
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
        self == Self::Portable
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable if cfg!(target_arch = "aarch64") => "NEON",
            Self::Portable => "portable instructions",
            Self::Avx2 => "AVX2 and FMA",
            Self::Avx512 => "AVX-512",
            Self::Avx512Bf16 => "AVX-512 with BF16",
            Self::Amx => "AVX-512 and AMX",
        }
    }

    /// Whether it multiplies 16-bit operands faster than f32.
    pub(crate) fn has_halves(self) -> bool {
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
    const FUSED: bool = cfg!(target_arch = "aarch64");
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Lanes, Target, WIDTH};

    // The functions of these targets are inlined into functions compiled for their instruction sets, and are called
    // from nowhere else: see `compile_for_each_isa`.

    pub(in crate::cpu) struct Avx2;
    impl Target for Avx2 {
        const ROWS: usize = 6;
        const FUSED: bool = true;
        type Sums = [__m256; 2];

        #[inline(always)]
        fn zero() -> Self::Sums {
            // SAFETY: only called where AVX2 has been detected.
            unsafe { [_mm256_setzero_ps(); 2] }
        }

        #[inline(always)]
        fn load(lanes: &Lanes) -> Self::Sums {
            let start = lanes.0.as_ptr();
            // SAFETY: only called where AVX2 has been detected; `Lanes` holds 16 floats, aligned to 64 bytes.
            unsafe { [_mm256_load_ps(start), _mm256_load_ps(start.add(8))] }
        }

        #[inline(always)]
        fn accumulate(a: f32, b: Self::Sums, c: Self::Sums) -> Self::Sums {
            // SAFETY: only called where AVX2 and FMA have been detected.
            unsafe {
                let a = _mm256_set1_ps(a);
                [_mm256_fmadd_ps(a, b[0], c[0]), _mm256_fmadd_ps(a, b[1], c[1])]
            }
        }

        #[inline(always)]
        fn equal(lanes: &Lanes, number: f32) -> u32 {
            let [low, high] = Self::load(lanes);
            // SAFETY: only called where AVX2 has been detected.
            unsafe {
                let number = _mm256_set1_ps(number);
                let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(low, number)) as u32;
                let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(high, number)) as u32;
                low | high << 8
            }
        }

        #[inline(always)]
        fn widen(words: &[u32; WIDTH]) -> (Self::Sums, Self::Sums) {
            // SAFETY: only called where AVX2 has been detected; there are sixteen words.
            unsafe {
                let start = words.as_ptr().cast::<__m256i>();
                let words = [_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1))];
                let second = _mm256_set1_epi32(0xffff_0000_u32 as i32);
                (
                    words.map(|words| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words))),
                    words.map(|words| _mm256_castsi256_ps(_mm256_and_si256(words, second))),
                )
            }
        }

        #[inline(always)]
        fn store(sums: Self::Sums) -> Lanes {
            let mut lanes = Lanes::ZERO;
            let start = lanes.0.as_mut_ptr();
            // SAFETY: as in `load`.
            unsafe {
                _mm256_store_ps(start, sums[0]);
                _mm256_store_ps(start.add(8), sums[1]);
            }
            lanes
        }

        #[inline(always)]
        fn prefetch(lanes: *const Lanes) {
            // SAFETY: every x86-64 processor has SSE, and a prefetch may name any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(lanes.cast()) };
        }
    }

    pub(in crate::cpu) struct Avx512;
    impl Target for Avx512 {
        const ROWS: usize = 12;
        const FUSED: bool = true;
        type Sums = __m512;

        #[inline(always)]
        fn zero() -> Self::Sums {
            // SAFETY: only called where AVX-512 F has been detected.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        fn load(lanes: &Lanes) -> Self::Sums {
            // SAFETY: only called where AVX-512 F has been detected; `Lanes` holds 16 floats, aligned to 64 bytes.
            unsafe { _mm512_load_ps(lanes.0.as_ptr()) }
        }

        #[inline(always)]
        fn accumulate(a: f32, b: Self::Sums, c: Self::Sums) -> Self::Sums {
            // SAFETY: only called where AVX-512 F has been detected.
            unsafe { _mm512_fmadd_ps(_mm512_set1_ps(a), b, c) }
        }

        #[inline(always)]
        fn equal(lanes: &Lanes, number: f32) -> u32 {
            let x = Self::load(lanes);
            // SAFETY: only called where AVX-512 F has been detected.
            unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, _mm512_set1_ps(number)) }.into()
        }

        #[inline(always)]
        fn widen(words: &[u32; WIDTH]) -> (Self::Sums, Self::Sums) {
            // SAFETY: only called where AVX-512 F has been detected; there are sixteen words.
            unsafe {
                let words = _mm512_loadu_si512(words.as_ptr().cast());
                let second = _mm512_set1_epi32(0xffff_0000_u32 as i32);
                (
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words)),
                    _mm512_castsi512_ps(_mm512_and_si512(words, second)),
                )
            }
        }

        #[inline(always)]
        fn store(sums: Self::Sums) -> Lanes {
            let mut lanes = Lanes::ZERO;
            // SAFETY: as in `load`.
            unsafe { _mm512_store_ps(lanes.0.as_mut_ptr(), sums) };
            lanes
        }

        #[inline(always)]
        fn prefetch(lanes: *const Lanes) {
            // SAFETY: every x86-64 processor has SSE, and a prefetch may name any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(lanes.cast()) };
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

/// a b + c
#[inline(always)]
pub(super) fn multiply_add<T: Target + ?Sized>(a: f32, b: f32, c: f32) -> f32 {
    if T::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Defines `$name(isa, args)` that runs `$kernel::<T>(args)` compiled for that instruction set.
macro_rules! compile_for_each_isa {
    ($name:ident = $kernel:ident($($arg:ident: $type:ty),*)) => {
        pub(super) fn $name(isa: $crate::cpu::isa::Isa, $($arg: $type),*) {
            use $crate::cpu::isa;
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) {
                    $kernel::<isa::Avx2>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $type),*) {
                    $kernel::<isa::Avx512>($($arg),*)
                }
                match isa {
                    // SAFETY: AVX2 and FMA were found on this processor.
                    isa::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    isa::Isa::Avx512 | isa::Isa::Avx512Bf16 | isa::Isa::Amx => {
                        // SAFETY: AVX-512 F, BW, DQ and VL were found on this processor.
                        return unsafe { avx512($($arg),*) };
                    }
                    isa::Isa::Portable => {}
                }
            }
            let _ = isa;
            $kernel::<isa::Portable>($($arg),*)
        }
    };
}
pub(super) use compile_for_each_isa;

/// Defines `$name(isa, args)` that runs `$kernel::<T, M>(args)` with the instruction set's multiplier of 16-bit operands.
macro_rules! compile_for_each_multiplier {
    ($name:ident = $kernel:ident($($arg:ident: $type:ty),*)) => {
        pub(super) fn $name(isa: $crate::cpu::isa::Isa, $($arg: $type),*) {
            use $crate::cpu::{isa, multiplier};
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) {
                    $kernel::<isa::Avx2, multiplier::Widening>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $type),*) {
                    $kernel::<isa::Avx512, multiplier::Widening>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
                fn avx512_bf16($($arg: $type),*) {
                    $kernel::<isa::Avx512, multiplier::DotProducts>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn amx($($arg: $type),*) {
                    $kernel::<isa::Avx512, multiplier::Amx>($($arg),*)
                }
                match isa {
                    // SAFETY: AVX2 and FMA were found on this processor.
                    isa::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    // SAFETY: AVX-512 F, BW, DQ and VL were found on this processor.
                    isa::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: these and BF16 were found on this processor.
                    isa::Isa::Avx512Bf16 => return unsafe { avx512_bf16($($arg),*) },
                    // SAFETY: AVX-512 and AMX were found on this processor.
                    isa::Isa::Amx => return unsafe { amx($($arg),*) },
                    isa::Isa::Portable => {}
                }
            }
            let _ = isa;
            $kernel::<isa::Portable, multiplier::Widening>($($arg),*)
        }
    };
}
pub(super) use compile_for_each_multiplier;
