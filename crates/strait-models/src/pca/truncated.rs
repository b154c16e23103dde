//! Principal components without the covariance of the columns.

use std::ops::ControlFlow;

use faer::{Mat, Side};
use strait_data::Rows;

use super::Pca;
use super::ritz::{failed, random_directions, ritz};
use crate::{Error, Result};

/// Columns that are multiplied at a time.
const COLUMNS: usize = 2048;

/// Rows that are multiplied at a time.
const ROWS: usize = 1024;

/// Directions beyond those that are wanted: the more, the faster the wanted ones are found.
const BEYOND: usize = 10;

/// The most passes over the rows.
const PASSES: usize = 60;

/// Between two passes, no variance that is wanted changes by more than this share any more.
const SETTLED: f64 = 1e-7;

/// Components from the products of the rows: with X Xᵀ / n = U Λ Uᵀ, Xᵀ U / √(n Λ) are those of Xᵀ X / n.
pub(super) fn of_few_rows(rows: Rows<'_>, components: usize) -> Result<Pca> {
    let (count, width, mean) = (rows.count, rows.width, rows.mean());
    let values = rows.to_numbers();
    let block = |start: usize| {
        let columns = start..(start + COLUMNS).min(width);
        Mat::from_fn(count, columns.len(), |r, c| f64::from(values[r * width + start + c]) - mean[start + c])
    };
    let mut products = Mat::<f64>::zeros(count, count);
    for start in (0..width).step_by(COLUMNS) {
        let x = block(start);
        products += &x * x.transpose();
    }
    let eigen = products.self_adjoint_eigen(Side::Lower).map_err(failed)?;
    let squares = eigen.S().column_vector();
    // Rounding leaves something of the squares that are 0: at least one, since the mean was taken off.
    let nothing = squares[count - 1].max(0.0) * 1e-12;
    let found: Vec<usize> = (0..count).rev().take(components).filter(|&i| squares[i] > nothing).collect();
    let weights = Mat::from_fn(count, found.len(), |r, c| eigen.U()[(r, found[c])] / squares[found[c]].sqrt());
    let mut vectors: Vec<Vec<f64>> = vec![Vec::with_capacity(width); found.len()];
    for start in (0..width).step_by(COLUMNS) {
        let part = block(start).transpose() * &weights;
        vectors.iter_mut().enumerate().for_each(|(c, vector)| vector.extend(part.col(c).iter()));
    }
    let mut variances: Vec<f64> = found.iter().map(|&i| squares[i] / count as f64).collect();
    complete(&mut vectors, components, width);
    variances.resize(components, 0.0);
    Ok(Pca { mean, components: vectors, variances })
}

/// Adds directions along which there is no variance, at right angles to all others.
fn complete(vectors: &mut Vec<Vec<f64>>, wanted: usize, width: usize) {
    let mut axis = 0;
    while vectors.len() < wanted {
        let mut new = vec![0.0; width];
        new[axis] = 1.0;
        axis += 1;
        // Twice is enough (Kahan).
        for _ in 0..2 {
            for vector in vectors.iter() {
                let along = super::dot(vector, &new);
                new.iter_mut().zip(vector).for_each(|(x, v)| *x -= along * v);
            }
        }
        let length = super::dot(&new, &new).sqrt();
        if length > 0.5 / (width as f64).sqrt() {
            new.iter_mut().for_each(|x| *x /= length);
            vectors.push(new);
        }
    }
}

/// Components by subspace iteration (Halko, Martinsson & Tropp 2011): random directions are multiplied by the covariance, pass by pass,
/// until the variances settle.
pub(super) fn subspace_iteration(
    rows: Rows<'_>,
    components: usize,
    mut observe: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Pca>> {
    let (width, mean) = (rows.width, rows.mean());
    let size = (components + BEYOND.max(components / 2)).min(width);
    let mut basis = random_directions(width, size);
    let mut before: Vec<f64> = Vec::new();
    for _ in 0..PASSES {
        basis = basis.qr().compute_thin_Q();
        // Xᵀ X Q / n
        let mut product = Mat::<f64>::zeros(width, size);
        for start in (0..rows.count).step_by(ROWS) {
            let end = (start + ROWS).min(rows.count);
            let values = rows.range(start..end).to_numbers();
            let x = Mat::from_fn(end - start, width, |r, c| f64::from(values[r * width + c]) - mean[c]);
            product += x.transpose() * (&x * &basis);
            if observe(end).is_break() {
                return Ok(None);
            }
        }
        product *= faer::Scale(1.0 / rows.count as f64);
        let (mut now, rotation) = ritz(&basis, &product)?;
        now.truncate(components);
        let largest = now.first().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        let settled = before.len() == now.len()
            && before.iter().zip(&now).all(|(before, now)| (before - now).abs() <= SETTLED * largest);
        if settled {
            let vectors = &basis * &rotation;
            let components = (0..components).map(|i| vectors.col(i).iter().copied().collect()).collect();
            return Ok(Some(Pca { mean, components, variances: now }));
        }
        (before, basis) = (now, product);
    }
    Err(Error::Shape(format!(
        "the {components} principal components have not settled after {PASSES} passes: too many have the same variance; \
         use fewer"
    )))
}
