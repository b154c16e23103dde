//! Retrieval by codes.

use strait_compute::Device;
use strait_data::Rows;

use crate::{Result, nearest, retrieval};

/// A point of a [`retrieval_curve`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Retrieved {
    /// How many references are found for each query.
    pub count: usize,
    /// The share of these that have the query's label.
    pub precision: f64,
    /// The share that these are of all references with that label.
    pub recall: f64,
}

/// Precision and recall where 1, 3, 7, 15, ... references are found for each query by the cosine of their codes: the curve of Hinton &
/// Salakhutdinov (2006). Both codes and labels are those of the references, then those of the queries.
///
/// ```
/// use strait_data::Rows;
/// let references = Rows::numbers(&[1.0, 0.0, 0.0, 3.0, 2.0, 0.1], 2)?;
/// let queries = Rows::numbers(&[5.0, 0.0], 2)?;
/// let device = strait_compute::Device::cpu()?;
/// let curve = strait_models::retrieval_curve(&device, [references, queries], [&[7, 9, 7], &[7]])?;
/// assert_eq!((curve[0].count, curve[0].precision, curve[0].recall), (1, 1.0, 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`nearest`] and [`retrieval`].
pub fn retrieval_curve(device: &Device, codes: [Rows<'_>; 2], labels: [&[u32]; 2]) -> Result<Vec<Retrieved>> {
    let [references, queries] = codes.map(|rows| unit_length(&rows));
    let [references, queries] = [Rows::numbers(&references, codes[0].width)?, Rows::numbers(&queries, codes[1].width)?];
    let counts = (1..).map(|power| (1usize << power) - 1).take_while(|count| *count <= references.count);
    let mut curve: Vec<_> = counts.map(|count| Retrieved { count, precision: 0.0, recall: 0.0 }).collect();
    // As many queries at once as have some hundred megabytes of neighbours.
    let batch = ((1 << 25) / references.count).max(1);
    for start in (0..queries.count).step_by(batch) {
        let part = start..(start + batch).min(queries.count);
        let share = part.len() as f64 / queries.count as f64;
        let found = nearest(device, references, queries.range(part.clone()), references.count)?;
        for point in &mut curve {
            let first: Vec<Vec<u32>> = found.iter().map(|found| found[..point.count].to_vec()).collect();
            let (precision, recall) = retrieval(&first, labels[0], &labels[1][part.clone()])?;
            (point.precision, point.recall) = (point.precision + share * precision, point.recall + share * recall);
        }
    }
    Ok(curve)
}

/// The rows scaled to length 1: of such vectors those with the largest cosine are the nearest.
fn unit_length(rows: &Rows<'_>) -> Vec<f32> {
    let mut values = rows.to_numbers();
    for row in values.chunks_exact_mut(rows.width) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|x| *x /= length);
    }
    values
}
