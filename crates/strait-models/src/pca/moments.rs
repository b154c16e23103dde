//! The covariance of the columns of many rows.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, MatRef, Par};
use strait_compute::{
    Device, Execution, Factors, Hardware, Kind, Op, Program, Routine, RoutineId, Step, Tensor, Update, go_on,
};
use strait_data::Rows;

use super::Pca;
use super::leading::leading;
use crate::network::declare_rows;
use crate::{Error, Result, fill, minibatches, upload};

/// Rows whose products are summed in single precision.
const SUMMED: usize = 2048;

/// Rows from which a thread takes the mean.
const CENTRED: usize = 512;

/// Columns of a block of products on a device. The products are symmetric: those of the blocks on one side of the diagonal are enough.
const BLOCK: usize = 208;

/// Sums of (x − s)(x − s)ᵀ and of x − s over all rows, in double precision. s is near the mean, since single precision would lose the
/// variance of data far from zero.
pub(super) struct Moments {
    products: Products,
    /// s.
    shift: Vec<f32>,
    sums: Vec<f64>,
    /// On and above the diagonal.
    squares: Mat<f64>,
    count: usize,
}

/// What multiplies.
enum Products {
    OnDevice(OnDevice),
    /// On the host, where half of a symmetric product is half the work.
    OnHost {
        centred: Vec<f32>,
        product: Mat<f32>,
    },
}

struct OnDevice {
    execution: Box<dyn Execution>,
    routine: RoutineId,
    data: Tensor,
    /// The products of two blocks of columns, with the first columns of both.
    blocks: Vec<(usize, usize, Tensor)>,
    /// Rows of a minibatch.
    batch: usize,
}

impl Moments {
    /// For windows of this kind and at most this many rows, whose mean is s.
    pub(super) fn load(device: &Device, first: &Rows<'_>) -> Result<Self> {
        let width = first.width;
        let shift: Vec<f32> = first.mean().iter().map(|&mean| mean as f32).collect();
        let products = match device.hardware() {
            Hardware::Cpu => {
                let centred = Vec::with_capacity(SUMMED.min(first.count) * width);
                Products::OnHost { centred, product: Mat::zeros(width, width) }
            }
            Hardware::Gpu | Hardware::SoftwareGpu => Products::OnDevice(OnDevice::load(device, first, &shift)?),
        };
        Ok(Self { products, shift, sums: vec![0.0; width], squares: Mat::zeros(width, width), count: 0 })
    }

    pub(super) fn add(&mut self, rows: Rows<'_>) -> Result<()> {
        let Self { products, shift, sums, squares, count } = self;
        match products {
            Products::OnDevice(device) => {
                device.add(rows, squares)?;
                rows.each_row(|row| {
                    let centred = row.iter().zip(&*shift).map(|(x, s)| f64::from(x - s));
                    sums.iter_mut().zip(centred).for_each(|(sum, x)| *sum += x);
                });
            }
            Products::OnHost { centred, product } => {
                for start in (0..rows.count).step_by(SUMMED) {
                    centre(rows.range(start..(start + SUMMED).min(rows.count)), shift, centred, sums);
                    // X Xᵀ of the columns, of which the half above the diagonal is kept.
                    let x = MatRef::from_column_major_slice(centred, rows.width, centred.len() / rows.width);
                    let (half, whole) = (BlockStructure::TriangularUpper, BlockStructure::Rectangular);
                    matmul(product.as_mut(), half, Accum::Replace, x, whole, x.transpose(), whole, 1.0, Par::rayon(0));
                    for column in 0..rows.width {
                        let sums = squares.col_mut(column).subrows_mut(0, column + 1).iter_mut();
                        let products = product.col(column).subrows(0, column + 1).iter();
                        sums.zip(products).for_each(|(sum, &product)| *sum += f64::from(product));
                    }
                }
            }
        }
        *count += rows.count;
        Ok(())
    }

    /// The eigenvectors of the covariance.
    pub(super) fn decompose(self, components: usize) -> Result<Pca> {
        let (width, count) = (self.sums.len(), self.count as f64);
        let rest: Vec<f64> = self.sums.iter().map(|sum| sum / count).collect();
        let mean: Vec<f64> = rest.iter().zip(&self.shift).map(|(rest, &shift)| rest + f64::from(shift)).collect();
        let square = |i: usize, j: usize| self.squares[(i.min(j), i.max(j))];
        let covariance = Mat::from_fn(width, width, |i, j| square(i, j) / count - rest[i] * rest[j]);
        if (0..width).any(|i| !covariance[(i, i)].is_finite()) {
            let message = "the covariance of the data is not finite; scale the data down".to_owned();
            return Err(Error::Shape(message));
        }
        let (variances, components) = leading(&covariance, components)?.into_iter().unzip();
        Ok(Pca { mean, components, variances })
    }
}

/// Writes x − s of all rows, and adds it to the sums. Some threads share the work; what is added to what does not depend on their number.
fn centre(rows: Rows<'_>, shift: &[f32], centred: &mut Vec<f32>, sums: &mut [f64]) {
    centred.resize(rows.count * rows.width, 0.0);
    std::thread::scope(|scope| {
        let part = |(number, part): (usize, &mut [f32])| {
            let (first, width) = (number * CENTRED, rows.width);
            let rows = rows.range(first..first + part.len() / width);
            let mut sums = vec![0.0; width];
            let mut places = part.chunks_exact_mut(width);
            rows.each_row(|row| {
                let Some(place) = places.next() else { unreachable!("each row has a place") };
                place.iter_mut().zip(row).zip(shift).for_each(|((out, x), s)| *out = x - s);
                sums.iter_mut().zip(&*place).for_each(|(sum, &x)| *sum += f64::from(x));
            });
            sums
        };
        let running: Vec<_> =
            centred.chunks_mut(CENTRED * rows.width).enumerate().map(|each| scope.spawn(move || part(each))).collect();
        for part in running {
            match part.join() {
                Ok(part) => sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
}

impl OnDevice {
    fn load(device: &Device, first: &Rows<'_>, shift: &[f32]) -> Result<Self> {
        let mut program = Program::default();
        let data = declare_rows(&mut program, "data", first);
        let batch = SUMMED.min(first.count);
        let mut routine = Routine::new("covariance");
        let (mut means, mut centred) = (Vec::new(), Vec::new());
        let count = first.width.div_ceil(BLOCK);
        for (number, start) in (0..count).map(|block| (block, first.width * block / count)) {
            let cols = first.width * (number + 1) / count - start;
            let x = program.value(format!("x.{number}"), batch, cols);
            let mean = program.data(format!("means.{number}"), batch, cols, Kind::Values);
            let out = program.value(format!("x.{number}.centred"), batch, cols);
            routine.push(Op::Gather { data, index: None, first: start, shift: None, out: x })?;
            routine.push(Op::Combine { x, y: mean, factors: Factors::Step, out })?;
            means.push((mean, shift[start..start + cols].repeat(batch)));
            centred.push((start, out));
        }
        let mut blocks = Vec::new();
        for (number, &(left, x)) in centred.iter().enumerate() {
            for &(right, y) in &centred[..=number] {
                let gradient = program.value(format!("moments.{left}.{right}"), x.cols, y.cols);
                routine.push(Op::gradient((x, y), Update::Store { gradient }))?;
                blocks.push((left, right, gradient));
            }
        }
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        means.iter().try_for_each(|(tensor, values)| execution.write(*tensor, values))?;
        Ok(Self { execution, routine, data, blocks, batch })
    }

    fn add(&mut self, rows: Rows<'_>, squares: &mut Mat<f64>) -> Result<()> {
        if rows.count == self.data.rows {
            upload(&mut *self.execution, self.data, &rows)?;
        } else {
            fill(&self.execution.uploader(self.data)?, &rows)?;
        }
        let tensors: Vec<Tensor> = self.blocks.iter().map(|&(.., tensor)| tensor).collect();
        for (offset, used) in minibatches(rows.count, self.batch) {
            let step = Step { offset, rows: used, alpha: 1.0, beta: -1.0, ..Default::default() };
            self.execution.run(self.routine, &[step], &mut go_on)?;
            let products = self.execution.read_many(&tensors)?;
            for (&(left, right, tensor), values) in self.blocks.iter().zip(&products) {
                for (row, values) in values.chunks_exact(tensor.cols).enumerate() {
                    // A gradient is the mean over the minibatch.
                    let sums = squares.col_mut(left + row).subrows_mut(right, tensor.cols).iter_mut();
                    sums.zip(values).for_each(|(sum, &value)| *sum += f64::from(used) * f64::from(value));
                }
            }
        }
        Ok(())
    }
}
