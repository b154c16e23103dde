//! Instruction sets of x86-64.

use std::arch::x86_64::*;

use super::isa::Target;
use super::lanes::{Lanes, WIDTH};
use crate::philox::{MULTIPLIERS, ROUNDS, next_key};

// The functions of these targets are inlined into functions compiled for their instruction sets, and are called
// from nowhere else: see `compile_for_each_isa`.

pub(super) struct Avx2;
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
    fn above(lanes: &Lanes, number: f32) -> u32 {
        let [low, high] = Self::load(lanes);
        // SAFETY: only called where AVX2 has been detected.
        unsafe {
            let number = _mm256_set1_ps(number);
            let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLE_UQ>(low, number)) as u32;
            let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLE_UQ>(high, number)) as u32;
            low | high << 8
        }
    }

    // Four counters in a vector, every word in the lower half of 64 bits, whose upper half no product looks at.
    #[inline(always)]
    fn philox(counter: [u32; 4], mut key: [u32; 2]) -> [[u32; WIDTH]; 2] {
        let mut random = [[0; WIDTH]; 2];
        // SAFETY: only called where AVX2 has been detected; there are sixteen words to a row.
        unsafe {
            let all = |word: u32| _mm256_set1_epi64x(word.into());
            let columns = _mm256_add_epi64(all(counter[0]), _mm256_set_epi64x(3, 2, 1, 0));
            let row = |row: u32| [columns, all(row), all(counter[2]), all(counter[3])];
            let mut rows = [row(counter[1]), row(counter[1].wrapping_add(1))];
            let multipliers = [all(MULTIPLIERS[0]), all(MULTIPLIERS[1])];
            for _ in 0..ROUNDS {
                let keys = [all(key[0]), all(key[1])];
                for words in &mut rows {
                    let products =
                        [_mm256_mul_epu32(words[0], multipliers[0]), _mm256_mul_epu32(words[2], multipliers[1])];
                    words[0] =
                        _mm256_xor_si256(_mm256_srli_epi64::<32>(products[1]), _mm256_xor_si256(words[1], keys[0]));
                    words[1] = products[1];
                    words[2] =
                        _mm256_xor_si256(_mm256_srli_epi64::<32>(products[0]), _mm256_xor_si256(words[3], keys[1]));
                    words[3] = products[0];
                }
                key = next_key(key);
            }
            for (random, words) in random.iter_mut().zip(rows) {
                // The first two words of each counter, and the last two.
                let first = _mm256_blend_epi32::<0b1010_1010>(words[0], _mm256_slli_epi64::<32>(words[1]));
                let last = _mm256_blend_epi32::<0b1010_1010>(words[2], _mm256_slli_epi64::<32>(words[3]));
                // Counters 0 and 2, and counters 1 and 3.
                let (even, odd) = (_mm256_unpacklo_epi64(first, last), _mm256_unpackhi_epi64(first, last));
                let start = random.as_mut_ptr().cast::<__m256i>();
                _mm256_storeu_si256(start, _mm256_permute2x128_si256::<0x20>(even, odd));
                _mm256_storeu_si256(start.add(1), _mm256_permute2x128_si256::<0x31>(even, odd));
            }
        }
        random
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

pub(super) struct Avx512;
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
    fn above(lanes: &Lanes, number: f32) -> u32 {
        let x = Self::load(lanes);
        // SAFETY: only called where AVX-512 F has been detected.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(x, _mm512_set1_ps(number)) }.into()
    }

    #[inline(always)]
    fn philox(counter: [u32; 4], key: [u32; 2]) -> [[u32; WIDTH]; 2] {
        Avx2::philox(counter, key)
    }

    #[inline(always)]
    fn widen(words: &[u32; WIDTH]) -> (Self::Sums, Self::Sums) {
        // SAFETY: only called where AVX-512 F has been detected; there are sixteen words.
        unsafe {
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            let second = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            (_mm512_castsi512_ps(_mm512_slli_epi32::<16>(words)), _mm512_castsi512_ps(_mm512_and_si512(words, second)))
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
        Avx2::prefetch(lanes);
    }
}
