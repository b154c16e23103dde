//! Principal component analysis.

use std::ops::ControlFlow;

use faer::Mat;
use strait_compute::Device;
use strait_data::{Data, Rows};

use crate::{Affine, Error, Result};

mod leading;
mod moments;
mod ritz;
mod truncated;

use moments::Moments;

/// Rows that are brought to the device at a time.
const WINDOW: usize = 8192;

/// The largest side of a matrix that is decomposed as a whole.
const LARGEST: usize = 4096;

/// The directions of largest variance of a data set, by exact eigenvectors of its covariance.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// The mean row.
    pub mean: Vec<f64>,
    /// The components, one after the other, each of unit length, by falling variance.
    pub components: Vec<Vec<f64>>,
    /// The variances of the data along the components.
    pub variances: Vec<f64>,
}

impl Pca {
    /// The first `components` principal components of these rows.
    ///
    /// The smaller side is decomposed: the covariance of the columns, whose products a GPU forms where the device is one, or, of fewer rows than
    /// columns, the products of the rows. Where both sides are longer than 4096, the components are found by subspace iteration.
    ///
    /// # Errors
    /// If there are more components than columns or none, or the device fails.
    pub fn fit(device: &Device, rows: Rows<'_>, components: usize) -> Result<Self> {
        match Self::fit_observed(device, rows, components, |_| ControlFlow::Continue(()))? {
            Some(pca) => Ok(pca),
            None => unreachable!("nothing stopped it"),
        }
    }

    /// [`Pca::fit`], which calls `observe` with the number of rows that it has gone through; `Break` stops it, and gives nothing.
    ///
    /// # Errors
    /// As [`Pca::fit`].
    pub fn fit_observed(
        device: &Device,
        rows: Rows<'_>,
        components: usize,
        mut observe: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Self>> {
        check_count(components, rows.width)?;
        if rows.count < rows.width && rows.count <= LARGEST {
            return truncated::of_few_rows(rows, components).map(Some);
        }
        if rows.width > LARGEST {
            return truncated::subspace_iteration(rows, components, observe);
        }
        let first = rows.first(WINDOW);
        let mut moments = Moments::load(device, &first)?;
        for start in (0..rows.count).step_by(WINDOW) {
            let end = (start + WINDOW).min(rows.count);
            moments.add(rows.range(start..end))?;
            if observe(end).is_break() {
                return Ok(None);
            }
        }
        moments.decompose(components).map(Some)
    }

    /// The first `components` principal components of a data set, in one pass over its rows where it has no more than 4096 columns.
    ///
    /// # Errors
    /// As [`Pca::fit`], or if the data cannot be read.
    pub fn fit_data(device: &Device, data: &Data, components: usize) -> Result<Self> {
        check_count(components, data.width())?;
        if data.width() > LARGEST || data.count() < data.width() {
            return Self::fit(device, data.rows()?, components);
        }
        let mut moments = None;
        data.windows(WINDOW, |_, rows| {
            if moments.is_none() {
                moments = Some(Moments::load(device, &rows)?);
            }
            moments.as_mut().map_or(Ok(()), |moments: &mut Moments| moments.add(rows))
        })?;
        let moments = moments.ok_or_else(|| Error::Shape("there are no rows".to_owned()))?;
        moments.decompose(components)
    }

    /// Whether the shapes fit together: from one component to as many as there are columns, each as long as the mean and with a
    /// variance.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        let (width, count) = (self.mean.len(), self.components.len());
        let fits = (1..=width).contains(&count)
            && self.components.iter().all(|component| component.len() == width)
            && self.variances.len() == count;
        if fits {
            return Ok(());
        }
        let variances = self.variances.len();
        let message = format!("{count} components and {variances} variances of {width} columns do not form a PCA");
        Err(Error::Shape(message))
    }

    /// The number of values in a code.
    pub fn code_size(&self) -> usize {
        self.components.len()
    }

    /// The codes of these rows: their coordinates along the components.
    ///
    /// # Errors
    /// If the rows do not fit.
    pub fn encode(&self, rows: Rows<'_>) -> Result<Vec<Vec<f64>>> {
        if rows.width != self.mean.len() {
            return Err(Error::Width { expected: self.mean.len(), found: rows.width });
        }
        let mut codes = Vec::with_capacity(rows.count);
        let mut centred = vec![0.0; rows.width];
        rows.each_row(|row| {
            centred.iter_mut().zip(row).zip(&self.mean).for_each(|((out, &x), mean)| *out = f64::from(x) - mean);
            codes.push(self.components.iter().map(|component| dot(component, &centred)).collect());
        });
        Ok(codes)
    }

    /// The reconstruction from a code.
    pub fn decode(&self, code: &[f64]) -> Vec<f32> {
        let mut row = self.mean.clone();
        for (component, &z) in self.components.iter().zip(code) {
            row.iter_mut().zip(component).for_each(|(x, p)| *x += z * p);
        }
        row.into_iter().map(|x| x as f32).collect()
    }

    /// The reconstructions of these rows, row after row.
    ///
    /// # Errors
    /// If the rows do not fit.
    pub fn reconstruct(&self, rows: Rows<'_>) -> Result<Vec<f32>> {
        Ok(self.encode(rows)?.iter().flat_map(|code| self.decode(code)).collect())
    }

    /// The rows with mean 0 and, along each component, variance 1 or somewhat less, turned back into the columns' space (Bell &
    /// Sejnowski 1997). `floor`, as a share of the largest variance, is added to all, so that noise is not blown up; components
    /// along which there is no variance stay 0.
    ///
    /// ```
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::numbers(&[0.0, 0.0, 4.0, 4.0, 1.0, 3.0, 3.0, 1.0], 2)?;
    /// let white = strait_models::Pca::fit(&device, rows, 2)?.whiten(rows, 0.0)?;
    /// let dot = |c: usize, d: usize| white.chunks_exact(2).map(|row| row[c] * row[d]).sum::<f32>() / 4.0;
    /// assert!((dot(0, 0) - 1.0).abs() < 1e-4 && (dot(1, 1) - 1.0).abs() < 1e-4 && dot(0, 1).abs() < 1e-4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the rows do not fit, or the floor is no number from 0 on.
    pub fn whiten(&self, rows: Rows<'_>, floor: f64) -> Result<Vec<f32>> {
        /// What the products in single precision leave of a variance of 0, as a share of the largest one.
        const NOTHING: f64 = 1e-6;
        let width = self.mean.len();
        if rows.width != width {
            return Err(Error::Width { expected: width, found: rows.width });
        }
        if !floor.is_finite() || floor < 0.0 {
            return Err(Error::Shape(format!("the floor of whitening is {floor}: it must be a number of at least 0")));
        }
        let largest = self.variances.first().copied().unwrap_or(0.0);
        let scale = |&variance: &f64| match variance {
            variance if variance > NOTHING * largest => (variance + floor * largest).sqrt().recip(),
            _ => 0.0,
        };
        let scales: Vec<f64> = self.variances.iter().map(scale).collect();
        // Σ over components of (component ⊗ component) / deviation.
        let mut matrix = vec![0.0; width * width];
        for (component, scale) in self.components.iter().zip(&scales) {
            for (row, x) in matrix.chunks_exact_mut(width).zip(component) {
                row.iter_mut().zip(component).for_each(|(sum, y)| *sum += x * y * scale);
            }
        }
        let mut white = Vec::with_capacity(rows.count * width);
        rows.each_row(|row| {
            let centred: Vec<f64> = row.iter().zip(&self.mean).map(|(&x, mean)| f64::from(x) - mean).collect();
            white.extend(matrix.chunks_exact(width).map(|row| dot(row, &centred) as f32));
        });
        Ok(white)
    }

    /// The principal angles, in degrees and from the smallest, between the space of the components and that of the
    /// reconstructions of a linear decoder (Björck & Golub 1973): all 0 where both are the same.
    ///
    /// ```
    /// use strait_models::{Autoencoder, Pca};
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::numbers(&[1.0, 1.0, 0.0, 2.0, 2.0, 0.1, 3.0, 3.0, 0.0], 3)?;
    /// let mut net = Autoencoder::linear(3, 1, 1)?;
    /// net.layers[1].weight = vec![0.5, 0.5, 0.0];
    /// assert!(Pca::fit(&device, rows, 1)?.principal_angles(&net.layers[1])?[0] < 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the decoder has not as many inputs as there are components, or not as many outputs as the data have columns.
    pub fn principal_angles(&self, decoder: &Affine) -> Result<Vec<f64>> {
        let (count, width) = (self.components.len(), self.mean.len());
        let connected = decoder.convolution.is_none() && decoder.is_whole();
        if (decoder.inputs, decoder.outputs) != (count, width) || !connected {
            let (inputs, outputs) = (decoder.inputs, decoder.outputs);
            let message = format!(
                "a decoder of {inputs} x {outputs} values cannot be compared with {count} x {width} components"
            );
            return Err(Error::Shape(message));
        }
        let components = Mat::from_fn(width, count, |r, c| self.components[c][r]);
        let reached = Mat::from_fn(width, count, |r, c| f64::from(decoder.weight[c * width + r])).qr().compute_thin_Q();
        let cosines = (components.transpose() * reached)
            .singular_values()
            .map_err(|error| Error::Shape(format!("the angles cannot be computed ({error:?})")))?;
        let mut angles: Vec<f64> = cosines.iter().map(|cosine| cosine.min(1.0).acos().to_degrees()).collect();
        angles.sort_by(f64::total_cmp);
        Ok(angles)
    }

    /// For each row the squared error of its reconstruction, summed over the values of the row.
    ///
    /// # Errors
    /// If the rows do not fit.
    pub fn errors(&self, rows: Rows<'_>) -> Result<Vec<f64>> {
        let codes = self.encode(rows)?;
        let (mut errors, mut codes) = (Vec::with_capacity(rows.count), codes.iter());
        rows.each_row(|row| {
            let mut rest: Vec<f64> = row.iter().zip(&self.mean).map(|(&x, mean)| f64::from(x) - mean).collect();
            for (component, z) in self.components.iter().zip(codes.next().into_iter().flatten()) {
                rest.iter_mut().zip(component).for_each(|(x, p)| *x -= z * p);
            }
            errors.push(rest.iter().map(|x| x * x).sum());
        });
        Ok(errors)
    }

    /// The mean over the rows of the squared reconstruction error summed over the values of a row.
    ///
    /// # Errors
    /// If the rows do not fit.
    pub fn error(&self, rows: Rows<'_>) -> Result<f64> {
        Ok(self.errors(rows)?.iter().sum::<f64>() / rows.count as f64)
    }
}

fn check_count(components: usize, columns: usize) -> Result<()> {
    if components == 0 || components > columns {
        let message = format!("{components} principal components cannot be taken of {columns} columns");
        return Err(Error::Shape(message));
    }
    Ok(())
}

/// Eight sums side by side, so that the processor need not wait for one.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (xs, x_rest) = x.as_chunks::<8>();
    let (ys, y_rest) = y.as_chunks::<8>();
    for (x, y) in xs.iter().zip(ys) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f64>()
}
