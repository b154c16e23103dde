//! Rows with their classes.

use crate::{Error, Result, Rows, Values};

/// Rows with the class of each behind its values, as a one among zeros: what a classifier is trained on.
///
/// ```
/// use strait_data::{Labelled, Rows};
/// let rows = Rows::bytes(&[10, 20, 30, 40], 2)?;
/// let labelled = Labelled::new(rows, &[1, 0], 3)?;
/// assert_eq!(labelled.rows(), Rows::bytes(&[10, 20, 0, 255, 0, 30, 40, 255, 0, 0], 5)?);
/// assert!(Labelled::new(rows, &[1, 3], 3).is_err());
/// # Ok::<(), strait_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    count: usize,
    width: usize,
    values: Owned,
}

#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Bytes(Vec<u8>),
    Numbers(Vec<f32>),
}

impl Labelled {
    /// Puts the classes, numbered from 0, behind the rows.
    ///
    /// # Errors
    /// [`Error::Labels`] if there is not one for each row, or one is not smaller than `classes`.
    pub fn new(rows: Rows<'_>, labels: &[u32], classes: usize) -> Result<Self> {
        if labels.len() != rows.count {
            return Err(Error::Labels(format!(
                "{} labels do not name the classes of {} rows",
                labels.len(),
                rows.count
            )));
        }
        if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(Error::Labels(format!("row {row}: label {} is none of {classes} classes", labels[row])));
        }
        let values = match rows.values {
            Values::Bytes(bytes) => Owned::Bytes(joined(bytes, rows.width, labels, classes, 255)),
            Values::Numbers(numbers) => Owned::Numbers(joined(numbers, rows.width, labels, classes, 1.0)),
            Values::Halves(_) => Owned::Numbers(joined(&rows.to_numbers(), rows.width, labels, classes, 1.0)),
        };
        Ok(Self { count: rows.count, width: rows.width + classes, values })
    }

    /// The rows, each with its class behind it.
    pub fn rows(&self) -> Rows<'_> {
        let values = match &self.values {
            Owned::Bytes(bytes) => Values::Bytes(bytes),
            Owned::Numbers(numbers) => Values::Numbers(numbers),
        };
        Rows { count: self.count, width: self.width, values }
    }
}

fn joined<T: Copy + Default>(values: &[T], width: usize, labels: &[u32], classes: usize, one: T) -> Vec<T> {
    let mut rows = Vec::with_capacity(labels.len() * (width + classes));
    for (row, &label) in values.chunks_exact(width).zip(labels) {
        rows.extend_from_slice(row);
        rows.extend((0..classes).map(|class| if class == label as usize { one } else { T::default() }));
    }
    rows
}
