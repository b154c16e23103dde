//! The pictures of a trained model, where rows are pictures.

use std::path::Path;

use crate::experiment::{Result, Sets};
use crate::models::corrupt;
use crate::picture::{decoder_filters, encoder_filters, labelled_rows};
use crate::{Device, Model, Rows};

/// How many rows are drawn from a model.
const DRAWN: usize = 100;

/// The seed of what is drawn: rows from a model, and the noise of a denoising one.
const SEED: u64 = 2006;

/// Draws `reconstructions.png`, `filters.png` and `samples.png` into a folder, as far as the model has them; nothing where rows are no
/// pictures of one colour. The reconstructions of a denoising autoencoder are those of noisy rows.
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
        let noise = if let Model::Autoencoder(net) = model { net.corruption } else { None };
        let rows = Rows::numbers(&examples, width)?;
        let noisy = noise.map(|noise| corrupt(device, rows, noise, SEED)).transpose()?;
        let made = loaded.reconstruct(match &noisy {
            Some(noisy) => Rows::numbers(noisy, width)?,
            None => rows,
        })?;
        let noisy = noisy.map(|noisy| ("with noise", noisy));
        let rows: Vec<_> =
            [("test rows", examples)].into_iter().chain(noisy).chain([("reconstructed", made)]).collect();
        labelled_rows(&out.join("reconstructions.png"), shape, &rows)?;
    }
    let filters = out.join("filters.png");
    match (model, model.layers().first()) {
        // What a unit of a sparse code stands for.
        (Model::Autoencoder(net), _) if net.is_sparse() => {
            decoder_filters(&filters, &net.layers[net.encoder], shape[1])?;
        }
        (_, Some(first)) if first.convolution.is_none() => encoder_filters(&filters, first, shape[1])?,
        _ => {}
    }
    if matches!(model, Model::Vae(_) | Model::Rbm(_) | Model::Dbn(_)) {
        let drawn = loaded.sample(DRAWN, SEED)?;
        let rows: Vec<(&str, Vec<f32>)> = drawn.chunks(10 * width).map(|row| ("", row.to_vec())).collect();
        labelled_rows(&out.join("samples.png"), shape, &rows)?;
    }
    Ok(())
}
