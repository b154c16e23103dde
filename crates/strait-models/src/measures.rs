//! Measures of numbers that models give.

/// The mean of these numbers.
///
/// ```
/// assert_eq!(strait_models::mean(&[1.0f32, 4.0]), 2.5);
/// ```
pub fn mean<T: Copy + Into<f64>>(numbers: &[T]) -> f64 {
    numbers.iter().map(|&x| x.into()).sum::<f64>() / numbers.len() as f64
}

/// The squared error: Σ (x − y)², over all numbers of both, which are equally many.
///
/// ```
/// assert_eq!(strait_models::squared_error(&[1.0, 2.0], &[1.5, 0.0]), 4.25);
/// ```
pub fn squared_error(found: &[f32], expected: &[f32]) -> f64 {
    found.iter().zip(expected).map(|(x, y)| f64::from(x - y).powi(2)).sum()
}
