//! `strait inspect` of a model or a checkpoint.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use strait::Affine;
use strait::data::Scale;

use crate::opened::Opened;

/// Whether a file is a model, a checkpoint or the folder of a run, by what it says of itself.
pub(crate) fn is_model(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("model.safetensors").is_file();
    }
    // A safetensors file begins with the length of its header.
    let Ok(mut file) = std::fs::File::open(path) else { return false };
    let mut start = [0; 8];
    let read = std::io::Read::read_exact(&mut file, &mut start);
    let length = u64::from_le_bytes(start);
    if read.is_err() || length > 1 << 24 {
        return false;
    }
    let mut header = Vec::new();
    let _ = std::io::Read::read_to_end(&mut std::io::Read::take(file, length), &mut header);
    serde_json::from_slice::<Value>(&header).is_ok_and(|header| {
        header["__metadata__"].get("strait.arch").is_some() || header["__metadata__"].get("strait.version").is_some()
    })
}

/// What a model is, as text or as JSON.
pub(crate) fn describe(path: &Path, as_json: bool) -> Result<String> {
    let opened = Opened::open(path)?;
    let layers: Vec<String> = opened.model.layers().iter().map(layer_of).collect();
    let preparation = opened.model.preparation();
    let scale = preparation.map_or(Scale::None, |preparation| preparation.scale);
    let job = opened.job()?;
    if as_json {
        let value = json!({
            "file": opened.path.display().to_string(),
            "kind": opened.model.kind().name(),
            "inputs": opened.model.inputs(),
            "code": opened.model.code_size(),
            "layers": layers,
            "scale": scale,
            "columns": opened.columns(),
            "threshold": opened.threshold(),
            "classes": opened.classes(),
            "job": job,
        });
        return Ok(format!("{value:#}\n"));
    }
    let mut text = format!("{}: a model of strait, {}\n", opened.path.display(), opened.model.kind());
    text.push_str(&format!("rows of {} numbers, codes of {}\n", opened.model.inputs(), opened.model.code_size()));
    layers.iter().for_each(|layer| text.push_str(&format!("  {layer}\n")));
    if scale != Scale::None {
        text.push_str(&format!("columns are scaled: {}\n", json!(scale).as_str().unwrap_or_default()));
    }
    if let Some(columns) = opened.columns() {
        text.push_str(&format!("columns: {}\n", columns.join(", ")));
    }
    if let Some(threshold) = opened.threshold() {
        text.push_str(&format!("rows that score above {threshold} are anomalies\n"));
    }
    if let Some(classes) = opened.classes() {
        text.push_str(&format!("classes: {}\n", classes.join(", ")));
    }
    if let Some(job) = job {
        text.push_str(&format!("\n{job}"));
    }
    Ok(text)
}

fn layer_of(layer: &Affine) -> String {
    let kind = match layer.convolution {
        Some(convolution) if convolution.transposed => "transposed convolution",
        Some(_) => "convolution",
        None => "layer",
    };
    format!("{kind} {} -> {}, {}", layer.inputs, layer.outputs, layer.activation.name())
}
