//! Which units of a dictionary stay.

use serde::{Deserialize, Serialize};
use strait_compute::Device;
use strait_data::Rows;
use strait_models::{Autoencoder, SparseCodes, Thresholds};

use super::KSparse;
use crate::Result;

/// Which units of a row stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sparsity {
    /// The k largest of each row (Makhzani & Frey 2013; Gao et al. 2024).
    #[default]
    TopK,
    /// In training the k times rows largest of a minibatch, then those above a threshold that is the same for all units (BatchTopK, Bussmann et al.
    /// 2024).
    BatchTopK,
    /// Those above their units' thresholds, which learn, k of a row on average (JumpReLU, Rajamanoharan et al. 2024).
    JumpRelu,
}

impl KSparse {
    /// How thresholds are trained on rows of `width` values; nothing where the largest units of each row stay.
    pub(super) fn thresholds(&self, width: usize, start: Option<Start>) -> Option<Thresholds> {
        let k = self.top_k;
        match self.sparsity {
            Sparsity::TopK => None,
            Sparsity::BatchTopK => Some(Thresholds::BatchTopK { k }),
            Sparsity::JumpRelu => {
                // The squared error is a sum over a row, whose variance is its width.
                let scale = start.map(|start| start.threshold).filter(|scale| *scale > 0.0).unwrap_or(1.0);
                let (bandwidth, weight) = (self.bandwidth * scale, self.l0_weight * width as f32);
                Some(Thresholds::JumpRelu { k, bandwidth, weight })
            }
        }
    }
}

/// What units with thresholds start with, beside their directions.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Start {
    /// The length of the encoders' columns.
    pub(super) gain: f32,
    /// All thresholds.
    pub(super) threshold: f32,
}

impl Start {
    /// Finds the threshold that k units a row exceed on average, and the gain with which what these give is nearest to the rows. Units whose directions are
    /// near each other answer together, so that their sum can be many times too long.
    pub(super) fn find(device: &Device, net: &mut Autoencoder, thresholds: Thresholds, rows: Rows<'_>) -> Result<Self> {
        let mut outputs = largest(device, net, thresholds, rows)?.values;
        let threshold = nth_largest(&mut outputs, thresholds.k() * rows.count);
        net.layers[0].threshold = Some(vec![threshold; net.code_size()]);
        let made = net.reconstruct(device, rows)?;
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        let gain = product(&rows.to_numbers(), &made) / product(&made, &made);
        let gain = if gain.is_finite() && gain > 0.0 { gain as f32 } else { 1.0 };
        Ok(Self { gain, threshold: gain * threshold })
    }

    /// Gives a net whose encoders have length 1 this start.
    pub(super) fn apply(self, net: &mut Autoencoder) {
        let encoder = &mut net.layers[0];
        encoder.weight.iter_mut().for_each(|w| *w *= self.gain);
        encoder.threshold = Some(vec![self.threshold; encoder.outputs]);
    }
}

/// Scales all thresholds so that k units a row exceed theirs on average. Training comes near that only, since thresholds follow what it does to the units.
pub(super) fn calibrate(device: &Device, net: &mut Autoencoder, rows: Rows<'_>) -> Result<()> {
    let (Some(trained), Some(mut thresholds)) = (net.thresholds, net.layers[0].threshold.clone()) else {
        return Ok(());
    };
    let listed = largest(device, net, trained, rows)?;
    let ratio = |(value, column): (&f32, &u32)| value / thresholds[*column as usize].max(f32::MIN_POSITIVE);
    let mut ratios: Vec<f32> = listed.values.iter().zip(&listed.columns).map(ratio).collect();
    let factor = nth_largest(&mut ratios, trained.k() * rows.count);
    thresholds.iter_mut().for_each(|threshold| *threshold *= factor);
    net.layers[0].threshold = Some(thresholds);
    Ok(())
}

/// The largest outputs of each row, whatever the thresholds of the net's units, which it loses.
fn largest(device: &Device, net: &mut Autoencoder, thresholds: Thresholds, rows: Rows<'_>) -> Result<SparseCodes> {
    net.layers[0].threshold = None;
    (net.thresholds, net.top_k) = (None, Some(thresholds.most(net.code_size())));
    let listed = net.encode_largest(device, rows);
    (net.thresholds, net.top_k) = (Some(thresholds), None);
    Ok(listed?)
}

/// The number at place `n`, counted from 0, of these from the largest on; 0 where there are no more than n or it is below 0.
fn nth_largest(numbers: &mut [f32], n: usize) -> f32 {
    match n < numbers.len() {
        true => numbers.select_nth_unstable_by(n, |a, b| b.total_cmp(a)).1.max(0.0),
        false => 0.0,
    }
}
