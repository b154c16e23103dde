//! Rows made of other rows: columns chosen, categories as numbers, gaps filled, rows picked.

use std::sync::Arc;

use crate::source::Source;
use crate::{Labels, Result};

/// What a column of a view is.
#[derive(Clone)]
pub(crate) enum Column {
    /// A column of the source.
    Number(usize),
    /// 1 where the row is of this class, else 0.
    Class(Arc<Labels>, u32),
    /// 0 in each row.
    Zero,
}

/// Columns of a source, in any order.
pub(crate) struct Columns {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) width: usize,
    pub(crate) columns: Vec<Column>,
}

impl Source for Columns {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        let mut rows = vec![0.0; out.len() / self.columns.len() * self.width];
        self.source.read(first, &mut rows)?;
        for (i, out) in out.chunks_exact_mut(self.columns.len()).enumerate() {
            let row = &rows[i * self.width..][..self.width];
            for (out, column) in out.iter_mut().zip(&self.columns) {
                *out = match column {
                    Column::Number(column) => row[*column],
                    Column::Class(labels, class) => f64::from(u8::from(labels.classes[first + i] == *class)),
                    Column::Zero => 0.0,
                };
            }
        }
        Ok(())
    }
}

/// Rows in which the mean of a column stands for what is missing or NaN.
pub(crate) struct Filled {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) means: Vec<f64>,
}

impl Source for Filled {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        self.source.read(first, out)?;
        for row in out.chunks_exact_mut(self.means.len()) {
            for (x, mean) in row.iter_mut().zip(&self.means) {
                if x.is_nan() {
                    *x = *mean;
                }
            }
        }
        Ok(())
    }
}

/// Rows of a source, ascending.
pub(crate) struct Picked {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) width: usize,
    pub(crate) rows: Arc<[u32]>,
}

impl Picked {
    /// Reads the runs of rows that follow each other at once; a short gap is read along.
    fn each<T: Copy + Default>(
        &self,
        first: usize,
        out: &mut [T],
        read: impl Fn(usize, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        const GAP: u32 = 16;
        let rows = &self.rows[first..first + out.len() / self.width];
        let (mut done, mut buffer) = (0, Vec::new());
        for run in rows.chunk_by(|one, other| other - one <= GAP) {
            let (start, end) = (run[0], run[run.len() - 1] + 1);
            buffer.resize((end - start) as usize * self.width, T::default());
            read(start as usize, &mut buffer)?;
            for row in run {
                let place = (row - start) as usize * self.width;
                out[done..done + self.width].copy_from_slice(&buffer[place..place + self.width]);
                done += self.width;
            }
        }
        Ok(())
    }
}

impl Source for Picked {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        self.each(first, out, |first, out| self.source.read(first, out))
    }

    fn read_single(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.each(first, out, |first, out| self.source.read_single(first, out))
    }

    fn is_single(&self) -> bool {
        self.source.is_single()
    }
}
