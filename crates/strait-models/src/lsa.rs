//! Latent semantic analysis.

use strait_compute::Device;
use strait_data::Rows;

use crate::{Pca, Result};

/// Latent semantic analysis (Deerwester et al. 1990): directions of the largest singular values of ln(1 + count), weighted by how few
/// documents have a word. They are those of the first rows, bags of words; both are encoded.
///
/// ```
/// use strait_data::Rows;
/// let counts = [2.0, 0.0, 1.0, 0.0, 3.0, 0.0];
/// let bags = Rows::numbers(&counts, 3)?;
/// let device = strait_compute::Device::cpu()?;
/// let [codes, of_queries] = strait_models::latent_semantic_analysis(&device, [bags, bags.first(1)], 2)?;
/// assert_eq!((codes.len(), &codes[..2]), (4, &of_queries[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If `size` is 0, or the device fails.
pub fn latent_semantic_analysis(device: &Device, rows: [Rows<'_>; 2], size: usize) -> Result<[Vec<f32>; 2]> {
    let [references, _] = rows;
    let width = references.width;
    let counts = references.to_numbers();
    let having = |word: usize| counts.iter().skip(word).step_by(width).filter(|&&count| count > 0.0).count();
    let weight = |word: usize| (references.count as f32 / having(word).max(1) as f32).ln();
    let weights: Vec<f32> = (0..width).map(weight).collect();
    let weighted = rows.map(|rows| {
        let mut values = rows.to_numbers();
        for row in values.chunks_exact_mut(width) {
            row.iter_mut().zip(&weights).for_each(|(count, weight)| *count = count.ln_1p() * weight);
        }
        values
    });
    // With their negatives the rows have the mean 0, so that none is subtracted.
    let both: Vec<f32> = weighted[0].iter().copied().chain(weighted[0].iter().map(|x| -x)).collect();
    let components = Pca::fit(device, Rows::numbers(&both, width)?, size.min(width))?.components;
    let mut codes = [Vec::new(), Vec::new()];
    for (codes, values) in codes.iter_mut().zip(&weighted) {
        for row in values.chunks_exact(width) {
            let dot =
                |component: &Vec<f64>| component.iter().zip(row).map(|(p, &x)| p * f64::from(x)).sum::<f64>() as f32;
            codes.extend(components.iter().map(dot));
        }
    }
    Ok(codes)
}
