//! Preparation of rows as a part of a model: scaling, computed in double precision before anything is narrowed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::element::Element;
use crate::source::Source;
use crate::{Error, Result, Rows};

/// How the columns of rows are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "args", derive(clap::ValueEnum))]
pub enum Scale {
    /// Not at all.
    #[default]
    None,
    /// From the column's smallest value to its largest, to 0..1.
    Unit,
    /// The same, with values beyond that range, of rows that it was not fitted on, cut to 0 and 1: for models that take nothing else.
    Clipped,
    /// To mean 0 and variance 1.
    Standard,
    /// To median 0 and an interquartile range of 1, so that outliers have no say.
    Robust,
    /// Each row to length 1; a row of zeros stays. Nothing can undo it.
    UnitNorm,
}

/// The most values of a column that its quantiles are computed from; of longer ones, as many are taken at even distances.
const QUANTILE_ROWS: usize = 1 << 20;

/// Numbers of the columns whose quantiles are computed at a time.
const QUANTILE_NUMBERS: usize = 1 << 25;

/// What is done with rows before a model sees them: x' = (x − shift) / divisor, column by column.
///
/// ```
/// use strait_data::{Options, Preparation, Scale, open};
/// let path = std::env::temp_dir().join(format!("strait-preparation-{}.csv", std::process::id()));
/// std::fs::write(&path, "time,x\n1600000000,1\n1600000001,2\n1600000002,3\n")?;
/// let data = open(&path, &Options::default())?;
/// let preparation = Preparation::fit(&data, Scale::Standard)?;
/// let rows = data.prepared(&preparation)?;
/// assert_eq!(rows.rows()?.at(1, 0), 0.0);
/// assert_eq!(rows.rows()?.at(0, 0), rows.rows()?.at(0, 1));
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// How the columns are scaled.
    pub scale: Scale,
    /// What is taken off each column; empty where rows are scaled one by one, or not at all.
    pub shift: Vec<f64>,
    /// What each column is divided by, never 0.
    pub divisor: Vec<f64>,
    /// The names of the columns, where they have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// What stands for missing values, column by column, where some may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Vec<f64>>,
}

impl Preparation {
    /// The one that leaves rows as they are.
    pub fn none() -> Self {
        Self { scale: Scale::None, shift: Vec::new(), divisor: Vec::new(), columns: None, fill: None }
    }

    /// The scaling of these rows; a column that never changes is shifted, but not divided.
    ///
    /// # Errors
    /// If the data cannot be read, or a value is missing or not finite.
    pub fn fit(data: &Data, scale: Scale) -> Result<Self> {
        let (columns, fill) = (data.names.clone(), data.fill.as_ref().map(|fill| fill.to_vec()));
        if matches!(scale, Scale::None | Scale::UnitNorm) {
            return Ok(Self { scale, columns, fill, ..Self::none() });
        }
        data.usable()?;
        let summary = data.summary()?;
        let gaps = [summary.missing, summary.nan, summary.infinite];
        if let Some([row, column]) = gaps.iter().find_map(|found| found.first) {
            let message = format!(
                "row {row}, column {}: the value is missing or not finite{}",
                data.column_name(column),
                crate::data::FILLS
            );
            return Err(Error::format(data.path(), message));
        }
        // What is subtracted of each column, and what its values spread over.
        let mut spreads: Vec<[f64; 2]> = match scale {
            Scale::Unit | Scale::Clipped => {
                summary.columns.iter().map(|c| [c.minimum, c.maximum - c.minimum]).collect()
            }
            Scale::Robust => quartiles(data)?.into_iter().map(|[low, middle, high]| [middle, high - low]).collect(),
            Scale::Standard | Scale::UnitNorm | Scale::None => {
                summary.columns.iter().map(|c| [c.mean, c.deviation()]).collect()
            }
        };
        if let Some(cut) = data.series() {
            pool(&mut spreads, cut.length, scale);
        }
        let whole = |divisor: f64| if divisor > 0.0 && divisor.is_finite() { divisor } else { 1.0 };
        let (shift, divisor) = spreads.into_iter().map(|[shift, spread]| (shift, whole(spread))).unzip();
        Ok(Self { scale, shift, divisor, columns, fill })
    }

    /// Whether it does nothing with rows and knows nothing of them.
    pub fn is_none(&self) -> bool {
        self.changes_nothing() && self.columns.is_none() && self.fill.is_none()
    }

    /// Whether rows without gaps stay as they are.
    pub fn changes_nothing(&self) -> bool {
        self.scale == Scale::None
    }

    /// Whether it is of rows of this width, and sound.
    pub fn fits(&self, width: usize) -> bool {
        let columns = if matches!(self.scale, Scale::None | Scale::UnitNorm) { 0 } else { width };
        let numbers = self.shift.len() == columns && self.divisor.len() == columns;
        let named = self.columns.as_ref().is_none_or(|names| names.len() == width);
        let sound = self.shift.iter().all(|x| x.is_finite()) && self.divisor.iter().all(|x| x.is_finite() && *x > 0.0);
        let fills = self.fill.as_ref().is_none_or(|fill| fill.len() == width && fill.iter().all(|x| x.is_finite()));
        numbers && named && sound && fills
    }

    /// Prepares rows of this width, one after the other.
    pub(crate) fn apply(&self, rows: &mut [f64], width: usize) {
        for row in rows.chunks_exact_mut(width) {
            if self.scale == Scale::UnitNorm {
                let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                if length > 0.0 {
                    row.iter_mut().for_each(|x| *x /= length);
                }
            }
            let columns = self.shift.iter().zip(&self.divisor);
            row.iter_mut().zip(columns).for_each(|(x, (shift, divisor))| *x = (*x - shift) / divisor);
            if self.scale == Scale::Clipped {
                row.iter_mut().for_each(|x| *x = x.clamp(0.0, 1.0));
            }
        }
    }

    /// The rows as the model sees them.
    pub fn applied(&self, rows: Rows<'_>) -> Vec<f32> {
        if self.changes_nothing() {
            return rows.to_numbers();
        }
        let mut wide: Vec<f64> = rows.to_numbers().into_iter().map(f64::from).collect();
        self.apply(&mut wide, rows.width);
        wide.into_iter().map(|x| x as f32).collect()
    }

    /// What a model gives in the scale of the data, in double precision: columns such as times have differences that single precision loses. Of
    /// rows of length 1 nothing can undo it.
    pub fn undone(&self, rows: &[f32]) -> Vec<f64> {
        let mut wide: Vec<f64> = rows.iter().map(|&x| f64::from(x)).collect();
        if !self.shift.is_empty() {
            for row in wide.chunks_exact_mut(self.shift.len()) {
                let columns = self.shift.iter().zip(&self.divisor);
                row.iter_mut().zip(columns).for_each(|(x, (shift, divisor))| *x = *x * divisor + shift);
            }
        }
        wide
    }

    /// Brings what a model gives back to the scale of the data; of rows of length 1, nothing can.
    pub fn undo(&self, rows: &mut [f32]) {
        if self.shift.is_empty() {
            return;
        }
        for row in rows.chunks_exact_mut(self.shift.len()) {
            let columns = self.shift.iter().zip(&self.divisor);
            row.iter_mut().zip(columns).for_each(|(x, (shift, divisor))| *x = (f64::from(*x) * divisor + shift) as f32);
        }
    }
}

/// Gives all steps of a window the same scale: each column of a series occurs once for each step. A quartile is the mean of those of the steps.
fn pool(spreads: &mut [[f64; 2]], steps: usize, scale: Scale) {
    let each = spreads.len() / steps;
    for column in 0..each {
        let own = || spreads.iter().skip(column).step_by(each);
        let mean = |of: &dyn Fn(&[f64; 2]) -> f64| own().map(of).sum::<f64>() / steps as f64;
        let pooled = match scale {
            Scale::Unit | Scale::Clipped => {
                let low = own().map(|[low, _]| *low).fold(f64::INFINITY, f64::min);
                let high = own().map(|[low, spread]| low + spread).fold(f64::NEG_INFINITY, f64::max);
                [low, high - low]
            }
            Scale::Robust => [mean(&|[middle, _]| *middle), mean(&|[_, spread]| *spread)],
            Scale::Standard | Scale::UnitNorm | Scale::None => {
                let middle = mean(&|[shift, _]| *shift);
                // The variance of all is the mean of the variances plus the variance of the means.
                [middle, mean(&|[shift, deviation]| deviation.powi(2) + (shift - middle).powi(2)).sqrt()]
            }
        };
        spreads.iter_mut().skip(column).step_by(each).for_each(|spread| *spread = pooled);
    }
}

/// The quartiles of the columns, as NumPy's `quantile` computes them: between the two values that are nearest.
fn quartiles(data: &Data) -> Result<Vec<[f64; 3]>> {
    let (width, stride) = (data.width(), data.count().div_ceil(QUANTILE_ROWS));
    let rows = data.count().div_ceil(stride);
    let together = (QUANTILE_NUMBERS / rows).clamp(1, width);
    let mut found = Vec::with_capacity(width);
    for start in (0..width).step_by(together) {
        let end = (start + together).min(width);
        let mut columns = vec![Vec::with_capacity(rows); end - start];
        data.scan(|first, window| {
            for (i, row) in window.chunks_exact(width).enumerate() {
                if (first + i).is_multiple_of(stride) {
                    columns.iter_mut().zip(&row[start..end]).for_each(|(column, &x)| column.push(x));
                }
            }
            Ok(())
        })?;
        for mut column in columns {
            column.sort_by(f64::total_cmp);
            found.push([0.25, 0.5, 0.75].map(|share| {
                let place = share * (column.len() - 1) as f64;
                let (below, part) = (place as usize, place.fract());
                let above = (below + 1).min(column.len() - 1);
                column[below] + part * (column[above] - column[below])
            }));
        }
    }
    Ok(found)
}

/// Rows of a source, prepared.
struct Prepared {
    source: Arc<dyn Source>,
    preparation: Preparation,
    width: usize,
}

impl Source for Prepared {
    fn read(&self, first: usize, out: &mut [f64]) -> Result<()> {
        self.source.read(first, out)?;
        self.preparation.apply(out, self.width);
        Ok(())
    }
}

impl Data {
    /// The same rows as a model with this preparation sees them.
    ///
    /// # Errors
    /// If the preparation is one of other columns.
    pub fn prepared(&self, preparation: &Preparation) -> Result<Self> {
        if !preparation.fits(self.width()) {
            let message = format!(
                "it has {} columns, but the model's preparation is of {}",
                self.width(),
                preparation.shift.len()
            );
            return Err(Error::format(self.path(), message));
        }
        self.usable()?;
        if preparation.changes_nothing() {
            return Ok(self.derived(self.source(), self.count()));
        }
        let prepared = Prepared { source: self.source(), preparation: preparation.clone(), width: self.width() };
        let mut data = self.derived(Arc::new(prepared), self.count());
        (data.element, data.types) = (Some(Element::F64), Vec::new());
        Ok(data)
    }
}
