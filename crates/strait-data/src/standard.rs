//! Standardisation of rows.

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
    /// The means of the columns.
    pub mean: Vec<f32>,
    /// The deviation by which all are divided; 1 where there is none.
    pub deviation: f32,
}

impl Standard {
    /// That of these rows.
    pub fn of(rows: Rows<'_>) -> Self {
        let mean = rows.mean().into_iter().map(|mean| mean as f32).collect();
        let variance = rows.variance() / rows.width as f64;
        Self { mean, deviation: if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 } }
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
