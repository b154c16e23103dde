//! Codes of few numbers, as lists of these.

use strait_compute::{Activation, Device};
use strait_data::Rows;

use crate::computation::{Computation, End};
use crate::network::EVALUATION_BATCH;
use crate::resident::{Resident, Room};
use crate::{Autoencoder, Error, Result};

/// Codes of few numbers: for each row the largest ones, or those above their units' thresholds, with the units that they belong to, ascending. A number
/// that is 0 stands for none.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseCodes {
    /// Numbers of a row: how many stay, or, where lists are made of whole codes, those of the row that has most.
    pub k: usize,
    /// Units of a code.
    pub units: usize,
    /// The numbers, row after row.
    pub values: Vec<f32>,
    /// The unit of each.
    pub columns: Vec<u32>,
}

impl SparseCodes {
    /// The rows: the units that are not 0, and their numbers.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, f32)>> {
        let rows = self.values.chunks_exact(self.k).zip(self.columns.chunks_exact(self.k));
        rows.map(|(values, columns)| {
            let entries = columns.iter().zip(values).filter(|(_, value)| **value != 0.0);
            entries.map(|(&column, &value)| (column as usize, value))
        })
    }

    /// For each unit how many of the rows it is a part of.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.units];
        self.rows().flatten().for_each(|(unit, _)| uses[unit] += 1);
        uses
    }
}

impl Autoencoder {
    /// The codes of these rows as lists of the numbers that stay. Rows of all units, as [`Autoencoder::encode`] gives them, are never made where
    /// rectified units give the code.
    ///
    /// ```
    /// use strait_compute::{Activation, Device};
    /// let mut net = strait_models::Autoencoder::glorot(&[3, 64, 3], 1)?;
    /// net.encoder = 1;
    /// net.layers[0].activation = Activation::Relu;
    /// net.top_k = Some(2);
    /// let device = Device::cpu()?;
    /// let rows = strait_data::Rows::numbers(&[0.5, 1.0, -0.2], 3)?;
    /// let (listed, dense) = (net.encode_largest(&device, rows)?, net.encode(&device, rows)?);
    /// for (unit, value) in listed.rows().flatten() {
    ///     assert_eq!(dense[unit], value);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If all numbers of a code stay, the rows do not fit, or the device fails.
    pub fn encode_largest(&self, device: &Device, rows: Rows<'_>) -> Result<SparseCodes> {
        self.check()?;
        self.require_few()?;
        match self.listing() {
            Some((k, computation)) => {
                let lists = Resident::load(device, &computation, Room::Once(rows.count))?.outputs(rows)?;
                Ok(SparseCodes::split(&lists, self.code_size(), k))
            }
            None => {
                let room = Room::Once(rows.count.min(EVALUATION_BATCH));
                let mut codes = Resident::load(device, &self.encoding(), room)?;
                SparseCodes::of_rows(rows, self.code_size(), |rows| codes.outputs(rows))
            }
        }
    }

    /// Whether codes are of few numbers: the largest ones, or those above their units' thresholds.
    pub fn is_sparse(&self) -> bool {
        let thresholds = self.encoder.checked_sub(1).and_then(|last| self.layers.get(last)?.threshold.as_ref());
        self.top_k.is_some() || thresholds.is_some()
    }

    pub(crate) fn require_few(&self) -> Result<()> {
        if self.is_sparse() {
            return Ok(());
        }
        let message = "a net whose codes keep all numbers has no lists of the largest: choose how many stay";
        Err(Error::Shape(message.to_owned()))
    }

    /// What computes lists of a code's largest numbers without rows of all units, if the code is one of rectified units.
    pub(crate) fn listing(&self) -> Option<(usize, Computation<'_>)> {
        let code = &self.layers[self.encoder - 1];
        let k = self.top_k.filter(|_| code.activation == Activation::Relu && code.convolution.is_none())?;
        Some((k, Computation { end: End::Largest(k), ..Computation::outputs(&self.layers[..self.encoder]) }))
    }

    /// What computes codes as rows of all units.
    pub(crate) fn encoding(&self) -> Computation<'_> {
        Computation { largest: self.largest(), ..Computation::outputs(&self.layers[..self.encoder]) }
    }
}

impl SparseCodes {
    /// From rows of k numbers with the k units that they belong to behind them, as [`Tape::with_units`](crate::Tape::with_units) records them.
    pub fn split(rows: &[f32], units: usize, k: usize) -> Self {
        let halves = || rows.chunks_exact(2 * k).map(|row| row.split_at(k));
        let values = halves().flat_map(|(values, _)| values.iter().copied()).collect();
        let columns = halves().flat_map(|(_, columns)| columns.iter().map(|&column| column as u32)).collect();
        Self { k, units, values, columns }
    }

    /// What is not 0 of the codes that `encode` makes of these rows, some rows at a time: codes of all units are large.
    pub(crate) fn of_rows(
        rows: Rows<'_>,
        units: usize,
        mut encode: impl FnMut(Rows<'_>) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        let mut found: Vec<Vec<(u32, f32)>> = Vec::with_capacity(rows.count);
        for start in (0..rows.count).step_by(EVALUATION_BATCH) {
            let codes = encode(rows.range(start..(start + EVALUATION_BATCH).min(rows.count)))?;
            let entries = |code: &[f32]| {
                let numbered = (0..).zip(code.iter().copied());
                numbered.filter(|(_, value)| *value != 0.0).collect()
            };
            found.extend(codes.chunks_exact(units).map(entries));
        }
        let k = found.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let all = || found.iter().flat_map(|row| row.iter().copied().chain(std::iter::repeat((0, 0.0))).take(k));
        Ok(Self { k, units, values: all().map(|(_, x)| x).collect(), columns: all().map(|(unit, _)| unit).collect() })
    }
}
