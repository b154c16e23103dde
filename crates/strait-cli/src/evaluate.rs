//! `strait eval`: how good a model is on a data set.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use strait::data::DataArgs;
use strait::models::mistakes;
use strait::{Model, ModelKind, say};

use crate::opened::ModelArgs;

/// Measures a model on a data set: the error of its reconstructions, its bound or free energy, or its test error.
#[derive(Args)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    model: ModelArgs,
    /// A file or folder of rows of any format
    data: PathBuf,
    #[command(flatten)]
    read: DataArgs,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

impl Evaluate {
    pub(crate) fn run(&self) -> Result<()> {
        let (opened, device) = self.model.open()?;
        let data = opened.data(&self.data, &self.read)?;
        let mut loaded = opened.model.on(&device)?;
        let kind = opened.model.kind();
        let mut found: Vec<(&str, f64)> = vec![("rows", data.count() as f64)];
        if kind != ModelKind::Classifier {
            let (mut sum, mut above) = (0.0, 0usize);
            let threshold = opened.threshold();
            loaded.score_data(&data, |scores| {
                sum += scores.iter().sum::<f64>();
                above += scores.iter().filter(|&&score| threshold.is_some_and(|threshold| score > threshold)).count();
                Ok(())
            })?;
            let mean = sum / data.count() as f64;
            found.push(match kind {
                ModelKind::Vae => ("evidence lower bound per row, nats", -mean),
                ModelKind::Rbm | ModelKind::Dbn => ("free energy per row, nats", mean),
                _ => ("squared error per row", mean),
            });
            if matches!(kind, ModelKind::Autoencoder | ModelKind::Pca | ModelKind::Stack) {
                let prepared = opened.model.preparation().map(|preparation| data.prepared(preparation)).transpose()?;
                let variance = prepared.as_ref().unwrap_or(&data).rows()?.variance();
                found.push(("explained variance", 1.0 - mean / variance));
            }
            if threshold.is_some() {
                found.push(("anomalies, per cent", 100.0 * above as f64 / data.count() as f64));
            }
        }
        if let (Model::Classifier(_) | Model::Dbn(_), Some(labels)) = (opened.model.inner(), &data.labels) {
            let mut classes = Vec::with_capacity(data.count());
            loaded.predict_data(&data, |some| {
                classes.extend_from_slice(some);
                Ok(())
            })?;
            // By name, since another file may number its classes in another way.
            let names = opened.classes().unwrap_or_else(|| labels.names.clone());
            // A class that the model does not know is never predicted.
            let wanted: Vec<u32> =
                labels.numbers_in(&names).into_iter().map(|number| number.unwrap_or(u32::MAX)).collect();
            found.push(("test error, per cent", 100.0 * mistakes(&classes, &wanted)?));
        }
        if matches!(kind, ModelKind::Classifier | ModelKind::Dbn) && data.labels.is_none() {
            strait::warn!(
                "warning: {}: without labels the test error is unknown; name the column of labels with --labels",
                data.name()
            );
        }
        if self.json {
            let values: serde_json::Map<String, serde_json::Value> =
                found.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            say!("{:#}", serde_json::Value::from(values));
        } else {
            found.into_iter().for_each(|(name, value)| say!("{name:<36}{}", crate::table::number(value)));
        }
        Ok(())
    }
}
