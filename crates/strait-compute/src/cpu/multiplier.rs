//! What multiplies operands of 16 bits.

use super::bf16::{Line, Lines};
use super::isa::Target;
use super::lanes::{Lanes, WIDTH};

/// The sums of up to 2 x 2 tiles of 16 x 16 elements: those of the first rows before those of the second.
pub(super) type Tiles = [[Lanes; WIDTH]; 4];

/// One product of a sum of products.
#[derive(Clone, Copy)]
pub(super) struct Term<'a> {
    pub(super) left: &'a Lines,
    pub(super) right: &'a Lines,
}

impl Term<'_> {
    /// The sixteen lines that hold strip `strip` of the rows from `row` on.
    ///
    /// # Safety
    /// Nobody writes the operand meanwhile.
    #[inline(always)]
    unsafe fn left(&self, strip: usize, row: usize) -> &[Line; WIDTH] {
        let start = strip * self.left.stride + row;
        // SAFETY: the caller's promise.
        let lines = unsafe { self.left.lines.slice(start..start + WIDTH) };
        lines.try_into().unwrap_or_else(|_| unreachable!("the slice has this length"))
    }

    /// The sixteen lines that hold strip `strip` of a panel's columns.
    ///
    /// # Safety
    /// Nobody writes the operand meanwhile.
    #[inline(always)]
    unsafe fn right(&self, strip: usize, panel: usize) -> &[Line; WIDTH] {
        let start = panel * self.right.stride + strip * WIDTH;
        // SAFETY: the caller's promise.
        let lines = unsafe { self.right.lines.slice(start..start + WIDTH) };
        lines.try_into().unwrap_or_else(|_| unreachable!("the slice has this length"))
    }
}

/// Where a block of a product lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its first row, a multiple of 16.
    pub(super) row: usize,
    /// Its first panel.
    pub(super) panel: usize,
    /// Strips of terms.
    pub(super) strips: usize,
}

/// The part of the processor that multiplies operands of 16 bits and adds in single precision.
pub(super) trait Multiplier {
    /// Prepares the calling thread for products.
    fn begin() {}

    /// Undoes that.
    fn end() {}

    /// Writes the sums of all terms for R x P tiles.
    ///
    /// # Safety
    /// The operands hold these rows, panels and strips, and nobody writes them meanwhile; `begin` has been called.
    unsafe fn block<T: Target, const R: usize, const P: usize>(terms: &[Term<'_>], place: Place, sums: &mut Tiles);
}

/// Widens the operands again and multiplies in single precision: slower than without rounding, but everywhere.
pub(super) struct Widening;

impl Multiplier for Widening {
    #[inline(always)]
    unsafe fn block<T: Target, const R: usize, const P: usize>(terms: &[Term<'_>], place: Place, sums: &mut Tiles) {
        /// Rows whose sums stay in registers.
        const ROWS: usize = 4;
        for r in 0..R {
            for p in 0..P {
                for start in (0..WIDTH).step_by(ROWS) {
                    let mut rows = [T::zero(); ROWS];
                    for term in terms {
                        for strip in 0..place.strips {
                            // SAFETY: the caller's promise.
                            let (left, right) = unsafe {
                                (term.left(strip, place.row + WIDTH * r), term.right(strip, place.panel + p))
                            };
                            // The left numbers are widened in memory, from where they go to all lanes.
                            let (mut firsts, mut seconds) = ([Lanes::ZERO; ROWS], [Lanes::ZERO; ROWS]);
                            for i in 0..ROWS {
                                let (first, second) = T::widen(&left[start + i].0);
                                (firsts[i], seconds[i]) = (T::store(first), T::store(second));
                            }
                            for (pair, line) in right.iter().enumerate() {
                                let (first, second) = T::widen(&line.0);
                                for i in 0..ROWS {
                                    rows[i] = T::accumulate(firsts[i].0[pair], first, rows[i]);
                                    rows[i] = T::accumulate(seconds[i].0[pair], second, rows[i]);
                                }
                            }
                        }
                    }
                    for i in 0..ROWS {
                        sums[2 * r + p][start + i] = T::store(rows[i]);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::*;

    use super::{Lanes, Multiplier, Place, Target, Term, Tiles, WIDTH};

    /// VDPBF16PS of AVX512-BF16: 32 products an instruction.
    pub(in crate::cpu) struct DotProducts;

    impl Multiplier for DotProducts {
        #[inline(always)]
        unsafe fn block<T: Target, const R: usize, const P: usize>(terms: &[Term<'_>], place: Place, sums: &mut Tiles) {
            /// Rows whose sums, for two panels, stay in registers.
            const ROWS: usize = 8;
            for r in 0..R {
                for start in (0..WIDTH).step_by(ROWS) {
                    // SAFETY: only called where AVX512-BF16 has been detected.
                    let mut rows = unsafe { [[_mm512_setzero_ps(); P]; ROWS] };
                    for term in terms {
                        for strip in 0..place.strips {
                            // SAFETY: the caller's promise.
                            let left = unsafe { term.left(strip, place.row + WIDTH * r) };
                            // SAFETY: the caller's promise.
                            let right: [_; P] = std::array::from_fn(|p| unsafe { term.right(strip, place.panel + p) });
                            for pair in 0..WIDTH {
                                // SAFETY: only called where AVX512-BF16 has been detected; lines are 64 bytes, aligned.
                                unsafe {
                                    let right: [__m512bh; P] = std::array::from_fn(|p| {
                                        std::mem::transmute::<__m512i, __m512bh>(_mm512_load_si512(
                                            right[p][pair].0.as_ptr().cast(),
                                        ))
                                    });
                                    for i in 0..ROWS {
                                        let word = _mm512_set1_epi32(left[start + i].0[pair] as i32);
                                        let word = std::mem::transmute::<__m512i, __m512bh>(word);
                                        for p in 0..P {
                                            rows[i][p] = _mm512_dpbf16_ps(rows[i][p], word, right[p]);
                                        }
                                    }
                                }
                            }
                        }
                    }
                    for i in 0..ROWS {
                        for p in 0..P {
                            // SAFETY: as above; `Lanes` are 64 bytes, aligned.
                            unsafe { _mm512_store_ps(sums[2 * r + p][start + i].0.as_mut_ptr(), rows[i][p]) };
                        }
                    }
                }
            }
        }
    }

    /// AMX: 16 x 16 x 32 products an instruction.
    pub(in crate::cpu) struct Amx;

    /// What LDTILECFG reads.
    #[repr(C, align(64))]
    struct TileConfiguration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// Eight tiles of 16 rows of 64 bytes.
    static CONFIGURATION: TileConfiguration = {
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        let mut tile = 0;
        while tile < 8 {
            (row_bytes[tile], rows[tile]) = (64, 16);
            tile += 1;
        }
        TileConfiguration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
    };

    /// Bytes from one line of a tile to the next.
    const LINE: usize = size_of::<Lanes>();

    /// The terms of a block, and where its sums go, for the assembly.
    #[repr(C)]
    struct Operands {
        left: *const u8,
        right: *const u8,
        /// Bytes from one strip of the left operand to the next.
        left_stride: usize,
        /// Bytes from one panel of the right operand to the next.
        right_stride: usize,
    }

    /// One block of assembly: tiles are cleared, the terms' strips are multiplied, the tiles are stored. Registers of
    /// tiles must not be expected to live from one `asm!` to the next.
    macro_rules! tiles {
        ($terms:expr, $strips:expr, $sums:expr;
         clear $($clear:literal)*; multiply $($multiply:literal)*; store $($store:literal)*) => {
            asm!(
                $($clear,)*
                "2:",
                "mov {left}, [{term}]",
                "mov {right}, [{term} + 8]",
                "mov {left_stride}, [{term} + 16]",
                "mov {second}, [{term} + 24]",
                "add {second}, {right}",
                "mov {strip}, {strips}",
                "3:",
                $($multiply,)*
                "add {left}, {left_stride}",
                "add {right}, 1024",
                "add {second}, 1024",
                "dec {strip}",
                "jnz 3b",
                "add {term}, 32",
                "dec {count}",
                "jnz 2b",
                $($store,)*
                term = inout(reg) $terms.as_ptr() => _,
                count = inout(reg) $terms.len() => _,
                strips = in(reg) $strips,
                sums = in(reg) $sums,
                line = in(reg) LINE,
                left = out(reg) _,
                right = out(reg) _,
                second = out(reg) _,
                left_stride = out(reg) _,
                strip = out(reg) _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            )
        };
    }

    impl Multiplier for Amx {
        #[inline(always)]
        fn begin() {
            // SAFETY: only called where AMX has been detected and permitted; the configuration is a valid one.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, preserves_flags)) };
        }

        #[inline(always)]
        fn end() {
            // SAFETY: only called where AMX has been detected.
            unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
        }

        #[inline(always)]
        unsafe fn block<T: Target, const R: usize, const P: usize>(terms: &[Term<'_>], place: Place, sums: &mut Tiles) {
            let mut operands = [const {
                Operands { left: std::ptr::null(), right: std::ptr::null(), left_stride: 0, right_stride: 0 }
            }; 6];
            for (operands, term) in operands.iter_mut().zip(terms) {
                *operands = Operands {
                    // SAFETY: the caller's promise.
                    left: unsafe { term.left(0, place.row) }.as_ptr().cast(),
                    // SAFETY: the caller's promise.
                    right: unsafe { term.right(0, place.panel) }.as_ptr().cast(),
                    left_stride: term.left.stride * LINE,
                    right_stride: term.right.stride * LINE,
                };
            }
            let terms = &operands[..terms.len()];
            let sums = sums.as_mut_ptr();
            // SAFETY: the caller promises that all lines exist, that there is at least one term and one strip, and that
            // `begin` has configured the tiles; the sums are four tiles of 1024 bytes.
            unsafe {
                match (R, P) {
                    (2, 2) => tiles!(terms, place.strips, sums;
                        clear "tilezero tmm0" "tilezero tmm1" "tilezero tmm2" "tilezero tmm3";
                        multiply
                            "tileloadd tmm4, [{left} + {line}*1]" "tileloadd tmm6, [{right} + {line}*1]"
                            "tileloadd tmm5, [{left} + {line}*1 + 1024]" "tileloadd tmm7, [{second} + {line}*1]"
                            "tdpbf16ps tmm0, tmm4, tmm6" "tdpbf16ps tmm1, tmm4, tmm7"
                            "tdpbf16ps tmm2, tmm5, tmm6" "tdpbf16ps tmm3, tmm5, tmm7";
                        store
                            "tilestored [{sums} + {line}*1], tmm0" "tilestored [{sums} + {line}*1 + 1024], tmm1"
                            "tilestored [{sums} + {line}*1 + 2048], tmm2" "tilestored [{sums} + {line}*1 + 3072], tmm3"),
                    (2, 1) => tiles!(terms, place.strips, sums;
                        clear "tilezero tmm0" "tilezero tmm2";
                        multiply
                            "tileloadd tmm4, [{left} + {line}*1]" "tileloadd tmm6, [{right} + {line}*1]"
                            "tileloadd tmm5, [{left} + {line}*1 + 1024]"
                            "tdpbf16ps tmm0, tmm4, tmm6" "tdpbf16ps tmm2, tmm5, tmm6";
                        store "tilestored [{sums} + {line}*1], tmm0" "tilestored [{sums} + {line}*1 + 2048], tmm2"),
                    (1, 2) => tiles!(terms, place.strips, sums;
                        clear "tilezero tmm0" "tilezero tmm1";
                        multiply
                            "tileloadd tmm4, [{left} + {line}*1]" "tileloadd tmm6, [{right} + {line}*1]"
                            "tileloadd tmm7, [{second} + {line}*1]"
                            "tdpbf16ps tmm0, tmm4, tmm6" "tdpbf16ps tmm1, tmm4, tmm7";
                        store "tilestored [{sums} + {line}*1], tmm0" "tilestored [{sums} + {line}*1 + 1024], tmm1"),
                    _ => tiles!(terms, place.strips, sums;
                        clear "tilezero tmm0";
                        multiply
                            "tileloadd tmm4, [{left} + {line}*1]" "tileloadd tmm6, [{right} + {line}*1]"
                            "tdpbf16ps tmm0, tmm4, tmm6";
                        store "tilestored [{sums} + {line}*1], tmm0"),
                }
            }
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Amx, DotProducts};
