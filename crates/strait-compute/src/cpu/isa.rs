//! Instruction sets: detection, and the compilation of one kernel for each of them.

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

/// What a kernel needs to know of the instruction set that it is compiled for.
pub(super) trait Target {
    /// Rows of a tile of 16 columns that fit the registers: as many as hide the latency of a multiply-add.
    const ROWS: usize;
    /// Whether a fused multiply-add is one instruction.
    const FUSED: bool;
}

pub(super) struct Portable;
impl Target for Portable {
    const ROWS: usize = 6;
    const FUSED: bool = cfg!(target_arch = "aarch64");
}

#[cfg(target_arch = "x86_64")]
pub(super) struct Avx2;
#[cfg(target_arch = "x86_64")]
impl Target for Avx2 {
    const ROWS: usize = 6;
    const FUSED: bool = true;
}

#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512;
#[cfg(target_arch = "x86_64")]
impl Target for Avx512 {
    const ROWS: usize = 12;
    const FUSED: bool = true;
}

/// a b + c
#[inline(always)]
pub(super) fn multiply_add<T: Target>(a: f32, b: f32, c: f32) -> f32 {
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
