//! Semantic hashing: codes of bits that are near each other where rows are alike (Salakhutdinov & Hinton 2007).

use crate::{Error, Result};

/// Codes of bits, one for each row.
///
/// ```
/// use strait_models::{BinaryCodes, medians};
/// let codes = [0.1, 5.0, 0.2, 7.0, 0.9, 1.0];
/// let thresholds = medians(&codes, 2)?;
/// let stored = BinaryCodes::new(&codes, &thresholds)?;
/// let query = BinaryCodes::new(&[0.8, 0.0], &thresholds)?;
/// assert_eq!(stored.nearest(&query, 1)?, [[2]]);
/// # Ok::<(), strait_models::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryCodes {
    bits: usize,
    /// Whole words for each row.
    words: Vec<u64>,
}

impl BinaryCodes {
    /// A bit for each number of each code: whether it exceeds the threshold of its place.
    ///
    /// # Errors
    /// If there are no thresholds, or the numbers are not codes of as many.
    pub fn new(codes: &[f32], thresholds: &[f32]) -> Result<Self> {
        let bits = thresholds.len();
        if bits == 0 || !codes.len().is_multiple_of(bits) {
            return Err(Error::Shape(format!("{} numbers are no codes of {bits}", codes.len())));
        }
        let word = |part: (&[f32], &[f32])| {
            let set = part.0.iter().zip(part.1).enumerate().filter(|(_, (x, threshold))| x > threshold);
            set.fold(0u64, |word, (i, _)| word | 1 << i)
        };
        let words = codes.chunks_exact(bits).flat_map(|code| code.chunks(64).zip(thresholds.chunks(64)).map(word));
        Ok(Self { bits, words: words.collect() })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.words.len() / self.bits.div_ceil(64)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn rows(&self) -> std::slice::ChunksExact<'_, u64> {
        self.words.chunks_exact(self.bits.div_ceil(64))
    }

    /// For each query the numbers of the `k` rows from which fewest bits differ, from the nearest; of rows that are equally
    /// near the first ones.
    ///
    /// # Errors
    /// If the queries have another number of bits, or `k` is 0 or more than there are rows.
    pub fn nearest(&self, queries: &Self, k: usize) -> Result<Vec<Vec<u32>>> {
        if queries.bits != self.bits {
            return Err(Error::Width { expected: self.bits, found: queries.bits });
        }
        if k == 0 || k > self.len() {
            return Err(Error::Shape(format!("{k} neighbours cannot be found among {} rows", self.len())));
        }
        let distance = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() as usize;
        let search = |query: &[u64]| {
            // Distances are few: a place in the order for each row by counting.
            let distances: Vec<usize> = self.rows().map(|row| distance(row, query)).collect();
            let mut starts = vec![0; self.bits + 2];
            distances.iter().for_each(|distance| starts[distance + 1] += 1);
            (0..=self.bits).for_each(|distance| starts[distance + 1] += starts[distance]);
            let mut found = vec![0; k];
            for (row, &distance) in distances.iter().enumerate() {
                if let Some(place) = found.get_mut(starts[distance]) {
                    *place = row as u32;
                }
                starts[distance] += 1;
            }
            found
        };
        Ok(queries.rows().map(search).collect())
    }
}

/// The medians of the numbers of these codes, place by place: thresholds by which each bit is set in half of the codes.
///
/// # Errors
/// If the numbers are no codes of that width.
pub fn medians(codes: &[f32], width: usize) -> Result<Vec<f32>> {
    if width == 0 || codes.is_empty() || !codes.len().is_multiple_of(width) {
        return Err(Error::Shape(format!("{} numbers are no codes of {width}", codes.len())));
    }
    let median = |place: usize| {
        let mut column: Vec<f32> = codes.iter().skip(place).step_by(width).copied().collect();
        let middle = column.len() / 2;
        *column.select_nth_unstable_by(middle, f32::total_cmp).1
    };
    Ok((0..width).map(median).collect())
}
