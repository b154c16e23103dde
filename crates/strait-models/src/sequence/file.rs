//! Autoencoders of sequences as files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use strait_compute::Noise;

use super::{SequenceAutoencoder, SequenceShape};
use crate::container::{Container, Contents, Named, Numbers};
use crate::{Affine, ModelKind, Result, SaveOptions, transpose};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    sequence: SequenceShape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kl_weight: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    corruption: Option<Noise>,
}

/// The names and shapes of a layer's weight and bias. PyTorch keeps weights as [outputs, inputs].
pub(super) fn tensors(shape: &SequenceShape) -> impl Iterator<Item = [(String, Vec<usize>); 2]> {
    shape.layers().into_iter().map(|layer| {
        let (module, ending) = layer.name;
        let name = |parameter: &str| format!("{module}.{parameter}{ending}");
        [(name("weight"), vec![layer.outputs, layer.inputs]), (name("bias"), vec![layer.outputs])]
    })
}

/// The layers of a shape from the values of [`tensors`], in their order.
pub(super) fn layers<'v>(shape: &SequenceShape, values: impl Iterator<Item = &'v [f32]>) -> Vec<Affine> {
    let values: Vec<&[f32]> = values.collect();
    let layer = |(described, pair): (super::shape::Described, &[&[f32]])| Affine {
        inputs: described.inputs,
        outputs: described.outputs,
        activation: described.activation,
        weight: transpose(pair[0], described.inputs),
        bias: pair[1].to_vec(),
        convolution: None,
        threshold: None,
    };
    shape.layers().into_iter().zip(values.chunks_exact(2)).map(layer).collect()
}

impl SequenceAutoencoder {
    /// Writes the model as a safetensors file whose tensors have the names and shapes of PyTorch's modules: `encoder` and `decoder` are an
    /// `nn.LSTM` or `nn.GRU` with `batch_first`, `code`, `start` and `output` are `nn.Linear`, where there are such. An existing file is replaced
    /// only when the new one is complete.
    ///
    /// # Errors
    /// If the layers are not those of the shape, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the model as [`SequenceAutoencoder::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`SequenceAutoencoder::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.contents()?.write(path.as_ref(), options)
    }

    /// The model as it goes into a file.
    pub(crate) fn contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        let named = self.state_dict(&self.layers).into_iter();
        let named =
            named.map(|(name, (shape, values))| Named { name, shape, values: Numbers::Single(Cow::Owned(values)) });
        let kl_weight = (self.kl_weight != 1.0).then_some(self.kl_weight);
        let architecture = Architecture { sequence: self.shape, kl_weight, corruption: self.corruption };
        Contents::new(ModelKind::Sequence, named.collect(), &architecture)
    }

    /// Reads a model from a file that [`SequenceAutoencoder::save`] wrote, with the notes.
    ///
    /// ```
    /// use strait_models::{SequenceAutoencoder, SequenceShape};
    /// let net = SequenceAutoencoder::new(SequenceShape::of(5, 2), 1)?;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("model.safetensors");
    /// net.save(&path)?;
    /// assert_eq!(SequenceAutoencoder::load(&path)?.0, net);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, holds another kind of model, or its tensors are not those of its architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        file.require_kind(ModelKind::Sequence)?;
        let Architecture { sequence: shape, kl_weight, corruption } = file.architecture()?;
        shape.check().map_err(|error| file.wrong(error.to_string()))?;
        let wanted: Vec<_> = tensors(&shape).flatten().collect();
        let tensors = file.tensors(&wanted)?;
        let layers = layers(&shape, tensors.iter().map(Vec::as_slice));
        let net = Self { shape, layers, kl_weight: kl_weight.unwrap_or(1.0), corruption };
        net.check().map_err(|error| file.wrong(error.to_string()))?;
        Ok((net, file.notes))
    }
}
