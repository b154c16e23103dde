//! Which rows of a minibatch a sum over them can leave out.

use std::ops::Range;

use super::kernel::*;
use super::lanes::ALL_LANES;

/// Groups of a panel's columns that are summed together.
pub(super) const GROUPS: usize = 3;

/// The columns of a group: as many as there are sums in registers.
#[inline(always)]
pub(super) fn columns<T: Target>(group: usize) -> Range<usize> {
    let size = if T::ROWS >= 12 { 8 } else { 6 };
    (group * size).min(WIDTH)..((group + 1) * size).min(WIDTH)
}

/// For each group, the rows in which some of its columns are not zero, in ascending order.
pub(super) type Rows<'a> = [&'a [u32]; GROUPS];

/// What is known of a panel's zeros.
#[derive(Clone, Copy)]
enum Zeros {
    Unknown,
    Few,
    /// Each group has a list of that length.
    Many([usize; GROUPS]),
}

/// The rows of a matrix X that count in Xᵀ D, panel by panel. In most images most pixels are zero; a product with zero adds
/// nothing, so that no bit of a sum depends on it, as long as the other factor is finite.
#[derive(Default)]
pub(super) struct NonzeroRows {
    /// For each panel and each of its groups, room for all rows.
    lists: Vec<u32>,
    zeros: Vec<Zeros>,
    /// The rows over which sums go.
    rows: usize,
}

impl NonzeroRows {
    /// For the first `rows` rows of a matrix. `uses` is how often a worker will ask for each panel: nothing is left out if
    /// that is so seldom that looking for zeros does not pay, or if the lists would be very long.
    pub(super) fn of(&mut self, x: &Panels, rows: usize, uses: usize) {
        const WORTH: usize = 2;
        const LARGEST: usize = 1 << 21;
        let size = x.count() * GROUPS * rows;
        let looks = uses >= WORTH && size <= LARGEST;
        self.rows = rows;
        self.zeros.clear();
        self.zeros.resize(x.count(), if looks { Zeros::Unknown } else { Zeros::Few });
        self.lists.resize(self.lists.len().max(if looks { size } else { 0 }), 0);
    }

    /// The rows that count for a panel with these numbers; nothing where all do.
    #[inline(always)]
    pub(super) fn rows<T: Target>(&mut self, panel: usize, x: &[Lanes]) -> Option<Rows<'_>> {
        if let Zeros::Few = self.zeros[panel] {
            return None;
        }
        let all = self.rows;
        let lists = &mut self.lists[panel * GROUPS * all..][..GROUPS * all];
        if let Zeros::Unknown = self.zeros[panel] {
            self.zeros[panel] = look::<T>(x, lists);
        }
        let Zeros::Many(lengths) = self.zeros[panel] else {
            return None;
        };
        let mut rows: Rows<'_> = [&[]; GROUPS];
        for group in 0..GROUPS {
            rows[group] = &lists[group * all..][..lengths[group]];
        }
        Some(rows)
    }
}

/// Lists the rows that count for each group of a panel.
#[inline(always)]
fn look<T: Target>(x: &[Lanes], lists: &mut [u32]) -> Zeros {
    /// Rows that show whether a closer look pays.
    const SHOWN: usize = 16;
    let mut never_zero = ALL_LANES;
    for x in &x[..SHOWN.min(x.len())] {
        never_zero &= T::nonzero(x);
    }
    if never_zero.count_ones() as usize >= WIDTH / 2 {
        return Zeros::Few;
    }
    let mut lengths = [0; GROUPS];
    for (row, lanes) in x.iter().enumerate() {
        let nonzero = T::nonzero(lanes);
        for group in 0..GROUPS {
            let columns = columns::<T>(group);
            let mask = (1 << columns.end) - (1 << columns.start);
            lists[group * x.len() + lengths[group]] = row as u32;
            lengths[group] += usize::from(nonzero & mask != 0);
        }
    }
    Zeros::Many(lengths)
}
