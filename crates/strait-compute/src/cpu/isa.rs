//! Instruction sets: detection, and the compilation of one kernel for each of them.

use super::storage::{Lanes, WIDTH};

/// The instruction sets for which the kernels are compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Isa {
    /// What every processor of the architecture has (on AArch64, NEON).
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Isa {
    /// The widest that this processor has.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx2 && avx512 {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable if cfg!(target_arch = "aarch64") => "NEON",
            Self::Portable => "portable instructions",
            Self::Avx2 => "AVX2 and FMA",
            Self::Avx512 => "AVX-512",
        }
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
    fn store(sums: Self::Sums) -> Lanes {
        Lanes(sums)
    }

    #[inline(always)]
    fn prefetch(_lanes: *const Lanes) {}
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Lanes, Target};

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
                    // SAFETY: `Isa::detect` found AVX2 and FMA on this processor.
                    isa::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    // SAFETY: `Isa::detect` found AVX-512 F, BW, DQ and VL on this processor.
                    isa::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                    isa::Isa::Portable => {}
                }
            }
            let _ = isa;
            $kernel::<isa::Portable>($($arg),*)
        }
    };
}
pub(super) use compile_for_each_isa;
