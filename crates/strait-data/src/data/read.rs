//! Reading rows: all of them, or window by window.

use std::sync::mpsc::sync_channel;

use super::Data;
use super::check::FILLS;
use crate::kept::Keeper;
use crate::source::{Source, is_missing};
use crate::{Error, Result, Rows, Values};

/// Numbers in a window of rows that are read at a time.
const WINDOW: usize = 1 << 20;

/// Calls `each` with the first row and the numbers of each window, in double precision and unchecked.
pub(crate) fn scan(
    source: &dyn Source,
    [count, width]: [usize; 2],
    mut each: impl FnMut(usize, &[f64]) -> Result<()>,
) -> Result<()> {
    let rows = (WINDOW / width.max(1)).clamp(1, count.max(1));
    let mut buffer = vec![0.0; rows * width];
    for first in (0..count).step_by(rows) {
        let window = &mut buffer[..rows.min(count - first) * width];
        source.read(first, window)?;
        each(first, window)?;
    }
    Ok(())
}

fn are_finite(numbers: &[f32]) -> bool {
    // Without a branch, so that many are looked at at once.
    numbers.iter().fold(true, |finite, x| finite & x.is_finite())
}

impl Data {
    /// Calls `each` with the first row and the numbers of each window, in double precision and unchecked.
    pub(crate) fn scan(&self, each: impl FnMut(usize, &[f64]) -> Result<()>) -> Result<()> {
        scan(&*self.source, [self.count, self.width()], each)
    }

    /// The place of a value that training cannot take, in words.
    fn not_finite(&self, row: usize, column: usize, value: f64) -> Error {
        let what = match value {
            x if is_missing(x) => format!("the value is missing{FILLS}"),
            x if x.is_nan() => format!("the value is NaN{FILLS}"),
            x if x.is_infinite() => format!("the value is {x}"),
            x => format!("{x} is too large for single precision"),
        };
        Error::format(&self.path, format!("row {row}, column {}: {what}", self.column_name(column)))
    }

    /// Reads whole rows in single precision; all are finite.
    pub(crate) fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let width = self.width();
        if self.source.is_single() {
            self.source.read_single(first, out)?;
            if are_finite(out) {
                return Ok(());
            }
        }
        let mut wide = vec![0.0; out.len()];
        self.source.read(first, &mut wide)?;
        out.iter_mut().zip(&wide).for_each(|(out, x)| *out = *x as f32);
        match out.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(self.not_finite(first + i / width, i % width, wide[i])),
            None => Ok(()),
        }
    }

    /// The first rows, at most `rows` of them, in double precision and as they are: what is missing, and what is text, is NaN.
    ///
    /// # Errors
    /// If the file cannot be read so far.
    pub fn head(&self, rows: usize) -> Result<Vec<f64>> {
        let mut out = vec![0.0; rows.min(self.count) * self.width()];
        if !out.is_empty() && self.ratings.is_none() {
            self.source.read(0, &mut out)?;
        }
        Ok(out)
    }

    /// Calls `each` with the number of the first row and the rows of each window of at most `rows` rows, in their order. While it works
    /// on one window, the next is read. No more than that is in memory.
    ///
    /// # Errors
    /// If the file cannot be read, a value is not finite, or `each` fails.
    pub fn windows<E: From<Error>>(
        &self,
        rows: usize,
        mut each: impl FnMut(usize, Rows<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let [count, width] = self.sizes()?;
        let rows = rows.clamp(1, count);
        let firsts = (0..count).step_by(rows);
        if let Some(values) = self.source.direct() {
            let all = Rows { count, width, values };
            for first in firsts {
                let window = all.range(first..(first + rows).min(count));
                self.finite(first, window)?;
                each(first, window)?;
            }
            return Ok(());
        }
        std::thread::scope(|scope| {
            let (full, filled) = sync_channel::<Result<Vec<f32>>>(1);
            let (back, empty) = sync_channel::<Vec<f32>>(2);
            let reading = firsts.clone();
            scope.spawn(move || {
                for first in reading {
                    let mut buffer = empty.try_recv().unwrap_or_default();
                    buffer.resize(rows.min(count - first) * width, 0.0);
                    let read = self.read(first, &mut buffer).map(|()| buffer);
                    let failed = read.is_err();
                    // Nobody listens where `each` has failed.
                    if full.send(read).is_err() || failed {
                        break;
                    }
                }
            });
            for first in firsts {
                let Ok(window) = filled.recv() else { break };
                let window = window?;
                each(first, Rows { count: window.len() / width, width, values: Values::Numbers(&window) })?;
                let _ = back.try_send(window);
            }
            Ok(())
        })
    }

    fn finite(&self, first: usize, rows: Rows<'_>) -> Result<()> {
        let wrong = match rows.values {
            Values::Bytes(_) => None,
            Values::Numbers(numbers) if are_finite(numbers) => None,
            Values::Numbers(numbers) => numbers.iter().copied().enumerate().find(|(_, x)| !x.is_finite()),
            Values::Halves(numbers) => numbers.widened().enumerate().find(|(_, x)| !x.is_finite()),
        };
        match wrong {
            Some((i, x)) => Err(self.not_finite(first + i / rows.width, i % rows.width, f64::from(x))),
            None => Ok(()),
        }
    }

    /// The numbers of rows and columns, if it has rows that training can take. Rows are numbered by 32 bits there.
    fn sizes(&self) -> Result<[usize; 2]> {
        self.usable()?;
        let sizes = [self.count, self.width()];
        if self.is_dense() && u32::try_from(self.count).is_ok() {
            return Ok(sizes);
        }
        let message = match &self.ratings {
            Some(_) => "it holds ratings, not rows of numbers".to_owned(),
            None => format!("{} x {} numbers are too many or none", sizes[0], sizes[1]),
        };
        Err(Error::format(&self.path, message))
    }

    /// All rows, as training takes them. Where they lie in a mapped file as single precision or bytes, they are taken from there;
    /// else they are converted once, in memory or, if they are many, in a temporary file.
    ///
    /// # Errors
    /// If the file cannot be read, or a value is not finite.
    pub fn rows(&self) -> Result<Rows<'_>> {
        let [count, width] = self.sizes()?;
        if let Some(values) = self.source.direct() {
            let rows = Rows { count, width, values };
            if self.kept.get().is_none() {
                self.finite(0, rows)?;
                let _ = self.kept.set(None);
            }
            return Ok(rows);
        }
        if self.kept.get().is_none() {
            let mut keeper = Keeper::of(self.source.half());
            let room =
                |cause: std::io::Error| Error::format(&self.path, format!("its rows cannot be stored ({cause})"));
            self.windows((WINDOW / width).max(1), |_, rows| match rows.values {
                Values::Numbers(numbers) => keeper.push(numbers).map_err(room),
                Values::Bytes(_) | Values::Halves(_) => Ok(()),
            })?;
            let _ = self.kept.set(Some(keeper.finish(width).map_err(room)?));
        }
        match self.kept.get().and_then(Option::as_ref) {
            Some(kept) => Ok(kept.rows()),
            None => unreachable!("they were kept, since the source does not give them directly"),
        }
    }
}
