//! The compilation of one kernel for each instruction set.

/// Defines `$name(isa, args)` that runs `$kernel::<T>(args)` compiled for that instruction set.
macro_rules! compile_for_each_isa {
    ($name:ident = $kernel:ident($($arg:ident: $type:ty),*)) => {
        pub(super) fn $name(isa: $crate::cpu::isa::Isa, $($arg: $type),*) {
            use $crate::cpu::isa;
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::cpu::x86;
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) {
                    $kernel::<x86::Avx2>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $type),*) {
                    $kernel::<x86::Avx512>($($arg),*)
                }
                match isa {
                    // SAFETY: AVX2 and FMA were found on this processor.
                    isa::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    isa::Isa::Avx512 | isa::Isa::Avx512Bf16 | isa::Isa::Amx => {
                        // SAFETY: AVX-512 F, BW, DQ and VL were found on this processor.
                        return unsafe { avx512($($arg),*) };
                    }
                    isa::Isa::Portable | isa::Isa::Neon => {}
                }
            }
            #[cfg(target_arch = "aarch64")]
            if isa == isa::Isa::Neon {
                return $kernel::<$crate::cpu::neon::Neon>($($arg),*);
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
                use $crate::cpu::x86;
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) {
                    $kernel::<x86::Avx2, multiplier::Widening>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $type),*) {
                    $kernel::<x86::Avx512, multiplier::Widening>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
                fn avx512_bf16($($arg: $type),*) {
                    $kernel::<x86::Avx512, multiplier::DotProducts>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn amx($($arg: $type),*) {
                    $kernel::<x86::Avx512, multiplier::Amx>($($arg),*)
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
                    isa::Isa::Portable | isa::Isa::Neon => {}
                }
            }
            #[cfg(target_arch = "aarch64")]
            if isa == isa::Isa::Neon {
                return $kernel::<$crate::cpu::neon::Neon, multiplier::Widening>($($arg),*);
            }
            let _ = isa;
            $kernel::<isa::Portable, multiplier::Widening>($($arg),*)
        }
    };
}
pub(super) use compile_for_each_multiplier;
