//! `strait export`: models for elsewhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use strait::onnx::{Part, export};
use strait::say;

use crate::opened::Opened;

/// Writes a model in a format of other programs.
#[derive(Args)]
pub(crate) struct Export {
    /// A model's file, or the folder of a run
    model: PathBuf,
    /// An ONNX file
    #[arg(long, value_name = "FILE", required = true)]
    onnx: PathBuf,
    /// What of the model is exported
    #[arg(long, value_enum, default_value = "whole")]
    part: Part,
}

impl Export {
    pub(crate) fn run(&self) -> Result<()> {
        let opened = Opened::open(&self.model)?;
        let mut notes = BTreeMap::new();
        if let Some(threshold) = opened.threshold() {
            notes.insert("strait.threshold".to_owned(), threshold.to_string());
        }
        if let Some(classes) = opened.classes() {
            notes.insert("strait.classes".to_owned(), serde_json::to_string(&classes)?);
        }
        export(&opened.model, self.part, &notes, &self.onnx)?;
        say!("{} is in {}", opened.model.kind(), self.onnx.display());
        Ok(())
    }
}
