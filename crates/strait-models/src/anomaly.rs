//! Anomalies: rows that a model of normal ones reconstructs badly.

use crate::{Error, Result};

/// The score above which the given share of these rows lies, which should be normal ones that were not trained on: with
/// it, that share of normal rows is a false alarm.
///
/// ```
/// let scores: Vec<f32> = (0..100).map(|i| i as f32).collect();
/// assert_eq!(strait_models::threshold(&scores, 0.05)?, 94.0);
/// # Ok::<(), strait_models::Error>(())
/// ```
///
/// # Errors
/// If there are no scores, or the share is not one.
pub fn threshold(normal: &[f32], false_alarms: f64) -> Result<f32> {
    if normal.is_empty() || !(0.0..1.0).contains(&false_alarms) {
        let message = format!("no threshold gives a share of {false_alarms} of {} scores", normal.len());
        return Err(Error::Shape(message));
    }
    let mut sorted = normal.to_vec();
    let place = ((normal.len() as f64 * (1.0 - false_alarms)).ceil() as usize).clamp(1, normal.len()) - 1;
    Ok(*sorted.select_nth_unstable_by(place, f32::total_cmp).1)
}

/// The area under the ROC curve: the probability that an anomaly's score is higher than a normal row's, equal scores
/// counted half.
///
/// ```
/// assert_eq!(strait_models::area_under_roc(&[1.0, 2.0], &[2.0, 3.0]), 0.875);
/// ```
pub fn area_under_roc(normal: &[f32], anomalous: &[f32]) -> f64 {
    let labelled = |scores: &[f32], anomaly: bool| scores.iter().map(|&score| (score, anomaly)).collect::<Vec<_>>();
    let mut all = [labelled(normal, false), labelled(anomalous, true)].concat();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum) = (0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let anomalies = equal.iter().filter(|(_, anomaly)| *anomaly).count() as f64;
        let normal = equal.len() as f64 - anomalies;
        sum += anomalies * (below + 0.5 * normal);
        below += normal;
    }
    sum / (normal.len() as f64 * anomalous.len() as f64)
}
