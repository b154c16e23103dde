//! How rows are cut into tiles that fit the registers.

use std::ops::Range;

use super::isa::Target;

/// Something that is done with tiles of M rows.
pub(super) trait Tiled {
    fn tile<T: Target, const M: usize>(&mut self, row: usize);
}

/// Cuts rows into tiles of the largest sizes that fit.
#[inline(always)]
pub(super) fn for_each_tile<T: Target>(rows: Range<usize>, job: &mut impl Tiled) {
    let mut row = rows.start;
    while row < rows.end {
        let left = (rows.end - row).min(T::ROWS);
        row += match left {
            12.. => tile::<T, 12>(job, row),
            8..=11 => tile::<T, 8>(job, row),
            6..=7 => tile::<T, 6>(job, row),
            4..=5 => tile::<T, 4>(job, row),
            2..=3 => tile::<T, 2>(job, row),
            _ => tile::<T, 1>(job, row),
        };
    }
}

#[inline(always)]
fn tile<T: Target, const M: usize>(job: &mut impl Tiled, row: usize) -> usize {
    job.tile::<T, M>(row);
    M
}
