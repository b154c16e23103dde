//! The instruction set of AArch64.

use std::arch::aarch64::*;

use super::isa::Target;
use super::lanes::{Lanes, WIDTH};
use crate::philox::{MULTIPLIERS, ROUNDS, next_key};

/// NEON, which every AArch64 processor has.
/// The bit of each lane.
const BITS: [[u32; 4]; 4] = [
    [1, 1 << 1, 1 << 2, 1 << 3],
    [1 << 4, 1 << 5, 1 << 6, 1 << 7],
    [1 << 8, 1 << 9, 1 << 10, 1 << 11],
    [1 << 12, 1 << 13, 1 << 14, 1 << 15],
];

pub(super) struct Neon;

impl Target for Neon {
    const ROWS: usize = 6;
    const FUSED: bool = true;
    // The compiler would load the numbers of four terms at once, and then have too few registers for the sums.
    const UNROLLS: bool = false;
    type Sums = [float32x4_t; 4];

    #[inline(always)]
    fn zero() -> Self::Sums {
        // SAFETY: every AArch64 processor has NEON.
        unsafe { [vdupq_n_f32(0.0); 4] }
    }

    #[inline(always)]
    fn load(lanes: &Lanes) -> Self::Sums {
        let start = lanes.0.as_ptr();
        // SAFETY: every AArch64 processor has NEON; `Lanes` holds 16 floats.
        unsafe { [vld1q_f32(start), vld1q_f32(start.add(4)), vld1q_f32(start.add(8)), vld1q_f32(start.add(12))] }
    }

    #[inline(always)]
    fn accumulate(a: f32, b: Self::Sums, c: Self::Sums) -> Self::Sums {
        // SAFETY: every AArch64 processor has NEON.
        unsafe {
            [
                vfmaq_n_f32(c[0], b[0], a),
                vfmaq_n_f32(c[1], b[1], a),
                vfmaq_n_f32(c[2], b[2], a),
                vfmaq_n_f32(c[3], b[3], a),
            ]
        }
    }

    #[inline(always)]
    fn equal(lanes: &Lanes, number: f32) -> u32 {
        let x = Self::load(lanes);
        // SAFETY: every AArch64 processor has NEON; each of `BITS` holds four words.
        unsafe {
            let number = vdupq_n_f32(number);
            let mut found = vdupq_n_u32(0);
            for i in 0..4 {
                found = vorrq_u32(found, vandq_u32(vceqq_f32(x[i], number), vld1q_u32(BITS[i].as_ptr())));
            }
            // No two lanes have a bit in common.
            vaddvq_u32(found)
        }
    }

    #[inline(always)]
    fn above(lanes: &Lanes, number: f32) -> u32 {
        let x = Self::load(lanes);
        // SAFETY: every AArch64 processor has NEON; each of `BITS` holds four words.
        unsafe {
            let number = vdupq_n_f32(number);
            let mut found = vdupq_n_u32(0);
            for i in 0..4 {
                found = vorrq_u32(found, vbicq_u32(vld1q_u32(BITS[i].as_ptr()), vcleq_f32(x[i], number)));
            }
            // No two lanes have a bit in common.
            vaddvq_u32(found)
        }
    }

    #[inline(always)]
    fn philox(counter: [u32; 4], mut key: [u32; 2]) -> [[u32; WIDTH]; 2] {
        let mut random = [[0; WIDTH]; 2];
        // SAFETY: every AArch64 processor has NEON; there are sixteen words to a row.
        unsafe {
            let all = |word: u32| vdupq_n_u32(word);
            let columns = vaddq_u32(all(counter[0]), vld1q_u32([0, 1, 2, 3].as_ptr()));
            let row = |row: u32| [columns, all(row), all(counter[2]), all(counter[3])];
            let mut rows = [row(counter[1]), row(counter[1].wrapping_add(1))];
            let multipliers = [all(MULTIPLIERS[0]), all(MULTIPLIERS[1])];
            for _ in 0..ROUNDS {
                let keys = [all(key[0]), all(key[1])];
                for words in &mut rows {
                    let (low, high) = product(words[0], multipliers[0]);
                    let (low_of_third, high_of_third) = product(words[2], multipliers[1]);
                    words[0] = veorq_u32(high_of_third, veorq_u32(words[1], keys[0]));
                    words[1] = low_of_third;
                    words[2] = veorq_u32(high, veorq_u32(words[3], keys[1]));
                    words[3] = low;
                }
                key = next_key(key);
            }
            for (random, words) in random.iter_mut().zip(rows) {
                // Counter by counter, not word by word.
                vst4q_u32(random.as_mut_ptr(), uint32x4x4_t(words[0], words[1], words[2], words[3]));
            }
        }
        random
    }

    #[inline(always)]
    fn widen(words: &[u32; WIDTH]) -> (Self::Sums, Self::Sums) {
        let start = words.as_ptr();
        // SAFETY: every AArch64 processor has NEON; there are sixteen words.
        unsafe {
            let words = [vld1q_u32(start), vld1q_u32(start.add(4)), vld1q_u32(start.add(8)), vld1q_u32(start.add(12))];
            let second = vdupq_n_u32(0xffff_0000);
            let mut wide = [[vdupq_n_f32(0.0); 4]; 2];
            for i in 0..4 {
                wide[0][i] = vreinterpretq_f32_u32(vshlq_n_u32::<16>(words[i]));
                wide[1][i] = vreinterpretq_f32_u32(vandq_u32(words[i], second));
            }
            (wide[0], wide[1])
        }
    }

    #[inline(always)]
    fn store(sums: Self::Sums) -> Lanes {
        let mut lanes = Lanes::ZERO;
        let start = lanes.0.as_mut_ptr();
        // SAFETY: as in `load`.
        unsafe {
            vst1q_f32(start, sums[0]);
            vst1q_f32(start.add(4), sums[1]);
            vst1q_f32(start.add(8), sums[2]);
            vst1q_f32(start.add(12), sums[3]);
        }
        lanes
    }

    #[inline(always)]
    fn prefetch(lanes: *const Lanes) {
        // SAFETY: a prefetch may name any address, and changes nothing that a program sees.
        unsafe {
            std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) lanes, options(nostack, preserves_flags, readonly));
        }
    }
}

/// The lower and the upper halves of the products of four words each.
#[inline(always)]
fn product(a: uint32x4_t, b: uint32x4_t) -> (uint32x4_t, uint32x4_t) {
    // SAFETY: every AArch64 processor has NEON.
    unsafe {
        let first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), vget_low_u32(b)));
        let last = vreinterpretq_u32_u64(vmull_high_u32(a, b));
        (vuzp1q_u32(first, last), vuzp2q_u32(first, last))
    }
}
