//! The unit of memory of the CPU back end, and blocks of sixteen of them.

/// Columns of a panel.
pub(super) const WIDTH: usize = 16;

/// One row of a panel: a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub(super) [f32; WIDTH]);

/// A bit for each lane.
pub(super) const ALL_LANES: u32 = (1 << WIDTH) - 1;

impl Lanes {
    pub(super) const ZERO: Self = Self([0.0; WIDTH]);
}

/// out\[c]\[r] = block\[r]\[c]; lanes behind the block's last row become zero.
#[inline(always)]
pub(super) fn transpose_block(block: &[Lanes], out: &mut [Lanes]) {
    if let (Ok(block), Ok(out)) = (block.try_into(), (&mut *out).try_into()) {
        transpose_full_block(block, out);
        return;
    }
    for (c, out) in out.iter_mut().enumerate() {
        *out = Lanes::ZERO;
        for (r, lanes) in block.iter().enumerate() {
            out.0[r] = lanes.0[c];
        }
    }
}

/// The same for a block that is full, four by four.
#[inline(always)]
fn transpose_full_block(block: &[Lanes; WIDTH], out: &mut [Lanes; WIDTH]) {
    for r in (0..WIDTH).step_by(4) {
        for c in (0..WIDTH).step_by(4) {
            let four: [[f32; 4]; 4] = std::array::from_fn(|i| std::array::from_fn(|j| block[r + i].0[c + j]));
            let turned = transpose_four(four);
            for (i, row) in turned.iter().enumerate() {
                out[c + i].0[r..r + 4].copy_from_slice(row);
            }
        }
    }
}

/// The columns of a block of four rows.
#[inline(always)]
pub(super) fn transpose_four(block: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        let mut out = [[0.0; 4]; 4];
        // SAFETY: every x86-64 processor has SSE, and each row holds four floats.
        unsafe {
            let [mut a, mut b, mut c, mut d] = [0, 1, 2, 3].map(|i: usize| _mm_loadu_ps(block[i].as_ptr()));
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            for (row, out) in [a, b, c, d].into_iter().zip(&mut out) {
                _mm_storeu_ps(out.as_mut_ptr(), row);
            }
        }
        out
    }
    #[cfg(target_arch = "aarch64")]
    {
        use std::arch::aarch64::*;
        let mut out = [[0.0; 4]; 4];
        // SAFETY: every AArch64 processor has NEON; the block holds sixteen floats, and each row of `out` four.
        unsafe {
            // Loads the first of every four numbers, the second of every four, and so on.
            let columns = vld4q_f32(block.as_ptr().cast());
            for (column, out) in [columns.0, columns.1, columns.2, columns.3].into_iter().zip(&mut out) {
                vst1q_f32(out.as_mut_ptr(), column);
            }
        }
        out
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    std::array::from_fn(|c| std::array::from_fn(|r| block[r][c]))
}
