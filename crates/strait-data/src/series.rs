//! Long series, cut into windows of steps.

use std::sync::Arc;

use crate::data::Data;
use crate::source::Source;
use crate::{Error, Result};

/// How a series is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Steps of a window.
    pub length: usize,
    /// Steps from the start of a window to that of the next.
    pub stride: usize,
}

/// Windows on the rows of a source, which are steps.
struct Windows {
    source: Arc<dyn Source>,
    /// Numbers of a step.
    width: usize,
    cut: Cut,
}

impl Windows {
    /// Reads the steps that some windows see once, and lays the windows out.
    fn each<T: Copy + Default>(
        &self,
        first: usize,
        out: &mut [T],
        read: impl Fn(usize, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        let Cut { length, stride } = self.cut;
        let size = length * self.width;
        let count = out.len() / size;
        if count == 0 {
            return Ok(());
        }
        if stride > length {
            let mut windows = out.chunks_exact_mut(size).enumerate();
            return windows.try_for_each(|(i, window)| read((first + i) * stride, window));
        }
        let mut steps = vec![T::default(); ((count - 1) * stride + length) * self.width];
        read(first * stride, &mut steps)?;
        for (i, window) in out.chunks_exact_mut(size).enumerate() {
            window.copy_from_slice(&steps[i * stride * self.width..][..size]);
        }
        Ok(())
    }
}

impl Source for Windows {
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

impl Data {
    /// The rows as steps of one long series, cut into windows of `length` steps whose starts are `stride` steps apart: each window is a row, with the
    /// values of its steps one after the other. Steps behind the last whole window are left out, which a note tells. Windows are read from the
    /// series when they are asked for; training keeps those that it takes.
    ///
    /// ```
    /// use strait_data::{Options, open};
    /// let path = std::env::temp_dir().join(format!("strait-series-{}.csv", std::process::id()));
    /// std::fs::write(&path, "x,y\n1,2\n3,4\n5,6\n7,8\n")?;
    /// let windows = open(&path, &Options::default())?.cut(3, 1)?;
    /// assert_eq!(windows.rows()?.to_numbers(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    /// assert_eq!(windows.names.as_ref().map(|names| &*names[2]), Some("x[1]"));
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the length or the stride is 0, the series is shorter than a window, or it has labels, of which a window has none.
    pub fn cut(&self, length: usize, stride: usize) -> Result<Self> {
        let wrong = |message: String| Error::format(self.path(), message);
        if length == 0 || stride == 0 {
            return Err(wrong(format!("windows of {length} steps every {stride} are none; both must be at least 1")));
        }
        if self.count() < length {
            let message =
                format!("{} steps are fewer than the {length} of a window: use a smaller --window", self.count());
            return Err(wrong(message));
        }
        if self.labels.is_some() {
            return Err(wrong(
                "its steps have labels, but windows of a series have none: leave --labels out".to_owned(),
            ));
        }
        let (width, count) = (self.width(), (self.count() - length) / stride + 1);
        let cut = Cut { length, stride };
        let source = Windows { source: self.source(), width, cut };
        let mut data = self.derived(Arc::new(source), count);
        data.shape = vec![length, width];
        data.series = Some(cut);
        data.notes.clone_from(&self.notes);
        let left = self.count() - ((count - 1) * stride + length);
        if left > 0 {
            let steps = if left == 1 { "step behind it is" } else { "steps behind it are" };
            data.notes.push(format!("{left} {steps} too few for another window, and left out"));
        }
        let of_window = |names: &Vec<String>| {
            (0..length).flat_map(|t| names.iter().map(move |name| format!("{name}[{t}]"))).collect()
        };
        data.names = self.names.as_ref().map(of_window);
        data.fill = self.fill.as_ref().map(|fill| fill.repeat(length).into());
        data.types = (0..length).flat_map(|_| self.types.iter().copied()).collect();
        Ok(data)
    }

    /// How the rows were cut from a series, if they were.
    pub fn series(&self) -> Option<Cut> {
        self.series
    }

    /// The first windows of a series, and those of its end, about this share of them: windows that see steps of both are left out.
    ///
    /// # Errors
    /// If one of the parts would be empty.
    pub fn hold_out_end(&self, share: f64) -> Result<(Self, Self)> {
        let Cut { length, stride } = self.series.unwrap_or(Cut { length: 1, stride: 1 });
        let held = ((self.count() as f64 * share).round() as usize).clamp(1, self.count());
        let first = self.count() - held;
        // A window of training ends before the first one of the test begins.
        let known = (first * stride + stride).saturating_sub(length) / stride;
        let known = known.min(first);
        if known == 0 {
            let message = format!(
                "{} windows of {length} steps are too few to train on some and hold others out that share no step with them",
                self.count()
            );
            return Err(Error::format(self.path(), message));
        }
        let rows = |range: std::ops::Range<usize>| range.map(|row| row as u32).collect();
        Ok((self.picked(rows(0..known)), self.picked(rows(first..self.count()))))
    }
}

/// The names of the columns of a series by those of the columns of its windows.
pub(crate) fn names_of_steps(names: &[String]) -> Vec<String> {
    names.iter().filter_map(|name| name.strip_suffix("[0]")).map(str::to_owned).collect()
}
