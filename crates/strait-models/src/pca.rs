//! Principal component analysis.

use nalgebra::{DMatrix, SymmetricEigen};
use strait_compute::{Device, Factors, Kind, Op, Program, Routine, Step, Update, go_on};
use strait_data::Rows;

use crate::network::declare_rows;
use crate::{Affine, EVALUATION_BATCH, Error, Result, fill, minibatches, parts, upload};

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
    /// The first `components` principal components of these rows. The products are formed on the device.
    ///
    /// # Errors
    /// If there are more components than columns or none, or the device fails.
    pub fn fit(device: &Device, rows: Rows<'_>, components: usize) -> Result<Self> {
        if components == 0 || components > rows.width {
            let message = format!("{components} principal components cannot be taken of {} columns", rows.width);
            return Err(Error::Shape(message));
        }
        let mean = rows.mean();
        let covariance = covariance(device, &rows, &mean)?;
        if covariance.iter().any(|value| !value.is_finite()) {
            let message = "the covariance of the data is not finite; scale the data down".to_owned();
            return Err(Error::Shape(message));
        }
        let eigen = SymmetricEigen::new(covariance);
        let mut order: Vec<usize> = (0..rows.width).collect();
        order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
        order.truncate(components);
        Ok(Self {
            mean,
            components: order.iter().map(|&i| eigen.eigenvectors.column(i).iter().copied().collect()).collect(),
            variances: order.iter().map(|&i| eigen.eigenvalues[i]).collect(),
        })
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
        // Column by column, so that the coordinates of a row are summed side by side.
        let count = self.components.len();
        let of_column = |c: usize| self.components.iter().map(move |component| component[c]);
        let columns: Vec<f64> = (0..rows.width).flat_map(of_column).collect();
        let code = |row: usize| {
            let mut code = vec![0.0; count];
            for (c, column) in columns.chunks_exact(count.max(1)).enumerate() {
                let x = f64::from(rows.at(row, c)) - self.mean[c];
                code.iter_mut().zip(column).for_each(|(sum, p)| *sum += p * x);
            }
            code
        };
        Ok((0..rows.count).map(code).collect())
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
        for r in 0..rows.count {
            let centred: Vec<f64> = (0..width).map(|c| f64::from(rows.at(r, c)) - self.mean[c]).collect();
            let dot = |row: &[f64]| row.iter().zip(&centred).map(|(m, x)| m * x).sum::<f64>() as f32;
            white.extend(matrix.chunks_exact(width).map(dot));
        }
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
        let components = DMatrix::from_fn(width, count, |r, c| self.components[c][r]);
        let reached = DMatrix::from_fn(width, count, |r, c| f64::from(decoder.weight[c * width + r])).qr().q();
        let cosines = (components.transpose() * reached).singular_values();
        let mut angles: Vec<f64> = cosines.iter().map(|cosine| cosine.min(1.0).acos().to_degrees()).collect();
        angles.sort_by(f64::total_cmp);
        Ok(angles)
    }

    /// For each row the squared error of its reconstruction, summed over the values of the row.
    ///
    /// # Errors
    /// If the rows do not fit.
    pub fn errors(&self, rows: Rows<'_>) -> Result<Vec<f64>> {
        let error = |(row, code): (usize, Vec<f64>)| {
            let mut rest: Vec<f64> = (0..rows.width).map(|c| f64::from(rows.at(row, c)) - self.mean[c]).collect();
            for (component, z) in self.components.iter().zip(code) {
                rest.iter_mut().zip(component).for_each(|(x, p)| *x -= z * p);
            }
            rest.iter().map(|x| x * x).sum()
        };
        Ok(self.encode(rows)?.into_iter().enumerate().map(error).collect())
    }

    /// The mean over the rows of the squared reconstruction error summed over the values of a row.
    ///
    /// # Errors
    /// If the rows do not fit.
    pub fn error(&self, rows: Rows<'_>) -> Result<f64> {
        Ok(self.errors(rows)?.iter().sum::<f64>() / rows.count as f64)
    }
}

/// (X − m)ᵀ(X − m) / n, summed over minibatches in double precision. The mean is taken off on the device, since single
/// precision would lose the variance of data far from zero.
fn covariance(device: &Device, rows: &Rows<'_>, mean: &[f64]) -> Result<DMatrix<f64>> {
    let mut program = Program::default();
    let place = parts(device, *rows, 0).next().unwrap_or(*rows);
    let data = declare_rows(&mut program, "data", &place);
    let x = program.value("x", EVALUATION_BATCH.min(rows.count), rows.width);
    let means = program.data("means", x.rows, x.cols, Kind::Values);
    let centred = program.value("x.centred", x.rows, x.cols);
    let moments = program.value("moments", rows.width, rows.width);
    let mut routine = Routine::new("covariance");
    routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: x })?;
    routine.push(Op::Combine { x, y: means, factors: Factors::Step, out: centred })?;
    routine.push(Op::gradient((centred, centred), Update::Store { gradient: moments }))?;
    let routine = program.add(routine);
    let mut execution = device.load(program)?;
    let narrow: Vec<f32> = mean.iter().map(|&m| m as f32).collect();
    execution.write(means, &narrow.repeat(x.rows))?;
    let mut sum = DMatrix::<f64>::zeros(rows.width, rows.width);
    for part in parts(device, *rows, 0) {
        if part.count == place.count {
            upload(&mut *execution, data, &part)?;
        } else {
            fill(&execution.uploader(data)?, &part)?;
        }
        for (offset, used) in minibatches(part.count, x.rows) {
            let step = Step { offset, rows: used, alpha: 1.0, beta: -1.0, ..Default::default() };
            execution.run(routine, &[step], &mut go_on)?;
            let share = f64::from(used) / rows.count as f64;
            for (sum, moment) in sum.iter_mut().zip(execution.read(moments)?) {
                *sum += share * f64::from(moment);
            }
        }
    }
    // What rounding the mean has left.
    let rest: Vec<f64> = mean.iter().zip(&narrow).map(|(m, &narrow)| m - f64::from(narrow)).collect();
    Ok(DMatrix::from_fn(rows.width, rows.width, |i, j| sum[(i, j)] - rest[i] * rest[j]))
}
