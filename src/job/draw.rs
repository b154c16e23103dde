//! The pictures of a trained model, where rows are pictures.

use std::path::Path;

use crate::experiment::{Result, Sets};
use crate::picture::{decoder_filters, encoder_filters, labelled_rows};
use crate::{Device, Model, Rows, Vae};

/// How many rows are drawn from a model.
const DRAWN: usize = 100;

/// Draws `reconstructions.png`, `filters.png` and `samples.png` into a folder, as far as the model has them; nothing where rows are no
/// pictures of one colour.
///
/// # Errors
/// If the device fails, or a file cannot be written.
pub fn draw(model: &Model, sets: &Sets, device: &Device, out: &Path) -> Result<()> {
    let width = sets.train.width();
    let Some(shape) = sets.train.picture_shape().filter(|[height, wide]| height * wide == width && *wide > 1) else {
        return Ok(());
    };
    // Rows as the model sees them, and as it makes them, are within 0 and 1 only where they are not scaled.
    if sets.preparation.as_ref().is_some_and(|preparation| !preparation.changes_nothing()) {
        return Ok(());
    }
    let mut loaded = model.on(device)?;
    if !matches!(model, Model::Classifier(_)) {
        let examples = sets.examples()?;
        let made = loaded.reconstruct(Rows::numbers(&examples, width)?)?;
        labelled_rows(&out.join("reconstructions.png"), shape, &[("test rows", examples), ("reconstructed", made)])?;
    }
    let filters = out.join("filters.png");
    match model {
        Model::Autoencoder(net) if net.top_k.is_some() => {
            decoder_filters(&filters, &net.layers[net.encoder], shape[1])?
        }
        Model::Autoencoder(crate::Autoencoder { layers, .. })
        | Model::Vae(Vae { layers, .. })
        | Model::Classifier(crate::Classifier { layers, .. })
            if layers[0].convolution.is_none() =>
        {
            encoder_filters(&filters, &layers[0], shape[1])?;
        }
        Model::Rbm(rbm) => encoder_filters(&filters, &rbm.up(), shape[1])?,
        Model::Stack(stack) if !stack.rbms.is_empty() => encoder_filters(&filters, &stack.rbms[0].up(), shape[1])?,
        Model::Dbn(net) if !net.recognition.is_empty() => encoder_filters(&filters, &net.recognition[0], shape[1])?,
        _ => {}
    }
    if matches!(model, Model::Vae(_) | Model::Rbm(_) | Model::Dbn(_)) {
        let drawn = loaded.sample(DRAWN, 2006)?;
        let rows: Vec<(&str, Vec<f32>)> = drawn.chunks(10 * width).map(|row| ("", row.to_vec())).collect();
        labelled_rows(&out.join("samples.png"), shape, &rows)?;
    }
    Ok(())
}
