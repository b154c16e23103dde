//! Standardisation of rows.

use serde::{Deserialize, Serialize};

use crate::Rows;

/// What standardises rows: each column gets a mean of 0, and one number for all of them a mean variance of 1.
///
/// ```
/// use strait_data::{Rows, Standard};
/// let mut values = vec![1.0, 5.0, 3.0, 9.0];
/// let standard = Standard::of(Rows::numbers(&values, 2)?);
/// standard.apply(&mut values);
/// assert_eq!(values[0], -values[2]);
/// standard.undo(&mut values);
/// assert!((values[3] - 9.0).abs() < 1e-6);
/// # Ok::<(), strait_data::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Standard {
    /// The means of the columns, or another centre.
    pub mean: Vec<f32>,
    /// The deviation by which all are divided; 1 where there is none.
    pub deviation: f32,
}

/// The point that rows are shifted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// The means of the columns.
    #[default]
    Mean,
    /// The geometric median: the point whose distances from the rows have the smallest sum.
    GeometricMedian,
}

impl Standard {
    /// That of these rows.
    pub fn of(rows: Rows<'_>) -> Self {
        let mean = rows.mean().into_iter().map(|mean| mean as f32).collect();
        let variance = rows.variance() / rows.width as f64;
        Self { mean, deviation: if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 } }
    }

    /// That of most of these rows: their centre leaves out rows that are more than `outlier` times as long as the median one, and the
    /// median distance of a row from the centre, in place of the mean one, becomes what it is of rows of variance 1. Also gives the rows that
    /// are further than `outlier` times that from the centre.
    ///
    /// ```
    /// use strait_data::{Centre, Rows, Standard};
    /// let mut values: Vec<f32> = (0..40).map(|i| (i % 7) as f32).collect();
    /// values[6] = 1e6;
    /// let (standard, far) = Standard::of_most(Rows::numbers(&values, 4)?, 10.0, Centre::Mean);
    /// assert_eq!(far, [1]);
    /// assert!(standard.deviation < 10.0);
    /// // Of points on a line, the geometric median is the median.
    /// let line = Rows::numbers(&[0.0, 1.0, 2.0, 3.0, 40.0], 1)?;
    /// let (standard, _) = Standard::of_most(line, 1e3, Centre::GeometricMedian);
    /// assert!((standard.mean[0] - 2.0).abs() < 1e-3);
    /// # Ok::<(), strait_data::Error>(())
    /// ```
    pub fn of_most(rows: Rows<'_>, outlier: f64, centre: Centre) -> (Self, Vec<usize>) {
        let distances = |mean: &[f64]| -> Vec<f64> {
            let mut distances = Vec::with_capacity(rows.count);
            rows.each_row(|row| {
                let square = |(x, mean): (&f32, &f64)| (f64::from(*x) - mean).powi(2);
                distances.push(row.iter().zip(mean).map(square).sum::<f64>().sqrt());
            });
            distances
        };
        let lengths = distances(&vec![0.0; rows.width]);
        let longest = outlier * median(&lengths);
        // The mean of most rows with these weights.
        let weighted = |weights: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let (mut mean, mut all, mut number) = (vec![0.0; rows.width], 0.0, 0);
            rows.each_row(|row| {
                if lengths[number] <= longest || longest == 0.0 {
                    let weight = weights(number);
                    mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * f64::from(*x));
                    all += weight;
                }
                number += 1;
            });
            mean.iter_mut().for_each(|sum| *sum /= all);
            mean
        };
        let mut mean = weighted(&|_| 1.0);
        let mut distances_now = distances(&mean);
        if centre == Centre::GeometricMedian {
            // Weiszfeld's iteration. Rows at the point itself, whose weights have no bound, count as if they were near it.
            for _ in 0..MOST_STEPS {
                let least = (1e-6 * median(&distances_now)).max(f64::MIN_POSITIVE);
                let moved = weighted(&|row| 1.0 / distances_now[row].max(least));
                let step = mean.iter().zip(&moved).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                mean = moved;
                distances_now = distances(&mean);
                if step <= 1e-5 * median(&distances_now) {
                    break;
                }
            }
        }
        let distances = distances_now;
        let middle = median(&distances);
        if middle == 0.0 {
            // More than half of the rows are the same.
            return (Self::of(rows), Vec::new());
        }
        let far = (0..rows.count).filter(|&row| distances[row] > outlier * middle).collect();
        let deviation = (middle / (rows.width as f64).sqrt()) as f32;
        (Self { mean: mean.into_iter().map(|mean| mean as f32).collect(), deviation }, far)
    }

    /// Standardises rows.
    pub fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.mean.len()) {
            row.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x = (*x - mean) / self.deviation);
        }
    }

    /// Brings standardised rows back.
    pub fn undo(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.mean.len()) {
            row.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x = *x * self.deviation + mean);
        }
    }
}

/// Steps of the iteration for the geometric median.
const MOST_STEPS: usize = 100;

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f64::total_cmp).1
}
