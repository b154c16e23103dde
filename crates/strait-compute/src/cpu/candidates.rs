//! The largest numbers of rows, found while the numbers come.

use super::kernel::*;
use super::top_k::key;

/// Spare slots beyond 2 k candidates per row: the more there are, the less often the candidates are pruned.
const SPARE: usize = 32;

/// The candidates of some rows.
#[derive(Default)]
pub(super) struct Candidates {
    /// The first of the rows.
    first: usize,
    k: usize,
    /// For each row the number that others have to exceed.
    least: Vec<f32>,
    counts: Vec<usize>,
    /// For each row, with room for `2 k + SPARE`: the key of a number above the complement of its column. Larger ones are larger numbers, or
    /// equal numbers in lower columns.
    ranked: Vec<u64>,
}

/// A number that is larger for larger values, and of equal ones for the one in a lower column.
#[inline(always)]
pub(super) fn rank(value: f32, column: usize) -> u64 {
    u64::from(key(value)) << 32 | u64::from(!(column as u32))
}

/// The column and the value, which is positive or NaN.
#[inline(always)]
fn unranked(ranked: u64) -> (usize, f32) {
    (!(ranked as u32) as usize, f32::from_bits((ranked >> 32) as u32 ^ 1 << 31))
}

impl Candidates {
    fn room(&self) -> usize {
        2 * self.k + SPARE
    }

    /// Resets the candidates for `rows` rows from `first` on.
    pub(super) fn begin(&mut self, first: usize, rows: usize, k: usize) {
        (self.first, self.k) = (first, k);
        self.least.clear();
        self.least.resize(rows, 0.0);
        self.counts.clear();
        self.counts.resize(rows, 0);
        let all = rows * self.room();
        if self.ranked.len() < all {
            self.ranked.resize(all, 0);
        }
    }

    /// Looks at a panel's numbers of a row, of which `width` exist.
    #[inline(always)]
    pub(super) fn look<T: Target>(&mut self, row: usize, panel: usize, width: usize, lanes: &Lanes) {
        let at = row - self.first;
        let mut above = T::above(lanes, self.least[at]) & ((1 << width) - 1);
        while above != 0 {
            let c = above.trailing_zeros() as usize % WIDTH;
            above &= above - 1;
            self.take(at, lanes.0[c], panel * WIDTH + c);
        }
    }

    fn take(&mut self, at: usize, value: f32, column: usize) {
        let (start, room, count) = (at * self.room(), self.room(), self.counts[at]);
        self.ranked[start + count] = rank(value, column);
        self.counts[at] = count + 1;
        if count + 1 == room {
            self.thin(at);
        }
    }

    /// Leaves the k largest candidates of a row.
    fn thin(&mut self, at: usize) {
        let start = at * self.room();
        let (count, k) = (self.counts[at], self.k);
        if count <= k {
            return;
        }
        let candidates = &mut self.ranked[start..][..count];
        let (_, smallest, _) = candidates.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
        let (_, value) = unranked(*smallest);
        // Numbers in later columns have to exceed it, and nothing exceeds NaN.
        self.least[at] = if value.is_nan() { f32::INFINITY } else { value };
        self.counts[at] = k;
    }

    /// Writes the entries of a row in the order of their columns.
    ///
    /// # Safety
    /// The row of both results is this worker's.
    pub(super) unsafe fn put(&mut self, row: usize, values: &Panels, columns: &Panels) {
        let at = row - self.first;
        self.thin(at);
        let start = at * self.room();
        let entries = &mut self.ranked[start..][..self.counts[at]];
        entries.sort_unstable_by_key(|&ranked| unranked(ranked).0);
        for panel in 0..values.count() {
            let (mut of_values, mut of_columns) = (Lanes::ZERO, Lanes::ZERO);
            for (lane, &ranked) in entries.iter().skip(panel * WIDTH).take(WIDTH).enumerate() {
                let (column, value) = unranked(ranked);
                (of_values.0[lane], of_columns.0[lane]) = (value, column as f32);
            }
            // SAFETY: the caller's promise.
            unsafe {
                values.panel_mut(panel, row..row + 1)[0] = of_values;
                columns.panel_mut(panel, row..row + 1)[0] = of_columns;
            }
        }
    }
}
