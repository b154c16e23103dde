//! `strait export`: models for elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use strait::onnx::{Part, export};
use strait::{Autoencoder, Model, exchange, say};

use crate::opened::Opened;

/// Writes a model in a format of other programs.
#[derive(Args)]
pub(crate) struct Export {
    /// A model's file, or the folder of a run
    model: PathBuf,
    #[command(flatten)]
    to: To,
    /// What of the model goes into the ONNX file
    #[arg(long, value_enum, default_value = "whole", requires = "onnx")]
    part: Part,
}

/// What it is written as.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct To {
    /// An ONNX file
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// A dictionary as SAELens loads it
    #[arg(long, value_name = "FOLDER")]
    saelens: Option<PathBuf>,
    /// A top-k dictionary as sparsify loads it
    #[arg(long, value_name = "FOLDER")]
    sparsify: Option<PathBuf>,
    /// The arrays of a machine as scikit-learn's `BernoulliRBM` has them, npz or safetensors
    #[arg(long, value_name = "FILE")]
    scikit_learn: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(&self) -> Result<()> {
        let opened = Opened::open(&self.model)?;
        let To { onnx, saelens, sparsify, scikit_learn } = &self.to;
        let written = [onnx, saelens, sparsify, scikit_learn].into_iter().flatten().next();
        let kind = opened.model.kind();
        match (onnx, saelens, sparsify, scikit_learn) {
            (Some(path), ..) => self.onnx(&opened, path)?,
            (_, Some(folder), ..) => exchange::to_saelens(dictionary(&opened)?, folder)?,
            (_, _, Some(folder), _) => exchange::to_sparsify(dictionary(&opened)?, folder)?,
            (_, _, _, Some(path)) => match &opened.model {
                Model::Rbm(rbm) => exchange::to_scikit_learn(rbm, path)?,
                _ => bail!("--scikit-learn takes an rbm whose rows are not scaled, not {}", described(&opened)),
            },
            _ => {}
        }
        if let Some(path) = written {
            say!("{kind} is in {}", path.display());
        }
        Ok(())
    }

    fn onnx(&self, opened: &Opened, path: &Path) -> Result<()> {
        let mut notes = BTreeMap::new();
        if let Some(threshold) = opened.threshold() {
            notes.insert("strait.threshold".to_owned(), threshold.to_string());
        }
        if let Some(classes) = opened.classes() {
            notes.insert("strait.classes".to_owned(), serde_json::to_string(&classes)?);
        }
        Ok(export(&opened.model, self.part, &notes, path)?)
    }
}

fn dictionary(opened: &Opened) -> Result<&Autoencoder> {
    let plain = opened.model.preparation().is_none_or(|preparation| preparation.changes_nothing());
    match opened.model.inner() {
        Model::Autoencoder(net) if plain => Ok(net),
        _ => bail!("a dictionary is an autoencoder whose rows are not scaled, not {}", described(opened)),
    }
}

fn described(opened: &Opened) -> String {
    let scaled = if opened.model.preparation().is_some() { " with a preparation" } else { "" };
    format!("{}{scaled}", opened.model.kind())
}
