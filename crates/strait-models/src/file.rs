//! Models in layers as files.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use strait_compute::{Activation, Noise, Window};

use crate::affine::shapes;
use crate::container::{Container, Contents, Named, Numbers};
use crate::{Affine, AuxK, Convolution, Error, ModelKind, Penalty, Result, Thresholds, transpose};

/// What lies between encoder and decoder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    /// The outputs of the encoder.
    #[default]
    Plain,
    /// Numbers drawn from normal distributions, whose means and logarithms of variances the encoder gives.
    Gaussian,
    /// The features that a classifier's logits are made of.
    Features,
}

impl Code {
    pub(crate) fn kind(self) -> ModelKind {
        match self {
            Self::Plain => ModelKind::Autoencoder,
            Self::Gaussian => ModelKind::Vae,
            Self::Features => ModelKind::Classifier,
        }
    }

    fn model(self) -> &'static str {
        self.kind().described()
    }

    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// A model in layers, the first of which encode.
#[derive(Clone, Copy)]
pub(crate) struct NetContents<'a> {
    pub(crate) layers: &'a [Affine],
    pub(crate) encoder: usize,
    pub(crate) code: Code,
    /// How many numbers of a code stay.
    pub(crate) top_k: Option<usize>,
    pub(crate) settings: Settings,
}

/// What a model is trained with, beside its layers.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) tied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) corruption: Option<Noise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) penalty: Option<Penalty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kl_weight: Option<f32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unit_rows: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thresholds: Option<Thresholds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aux_k: Option<AuxK>,
}

impl Settings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a file holds.
pub(crate) struct Loaded {
    pub(crate) layers: Vec<Affine>,
    pub(crate) encoder: usize,
    pub(crate) top_k: Option<usize>,
    pub(crate) settings: Settings,
}

impl NetContents<'_> {
    /// Whether the layers fit together: at least one encodes and one decodes, each takes what the one before gives, and
    /// each has as many parameters as its sizes ask for.
    pub(crate) fn check(&self) -> Result<()> {
        self.layers.iter().try_for_each(Affine::check)?;
        let sizes: Vec<[usize; 2]> = self.layers.iter().map(|layer| [layer.inputs, layer.outputs]).collect();
        if fit(&sizes, self.encoder, self.code) {
            return Ok(());
        }
        let (encoder, model) = (self.encoder, self.code.model());
        let message =
            format!("layers of the inputs and outputs {sizes:?}, {encoder} of which encode, do not form {model}");
        Err(Error::Shape(message))
    }
}

/// Whether layers of these inputs and outputs form an encoder and a decoder.
fn fit(sizes: &[[usize; 2]], encoder: usize, code: Code) -> bool {
    let takes = |i: usize| if i == encoder && code == Code::Gaussian { 2 } else { 1 };
    let chained = (1..sizes.len()).all(|i| Some(sizes[i - 1][1]) == sizes[i][0].checked_mul(takes(i)));
    (encoder > 0 || code == Code::Features) && encoder < sizes.len() && chained && !sizes.concat().contains(&0)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    encoder: Vec<LayerDescription>,
    #[serde(default, skip_serializing_if = "Code::is_plain")]
    code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top_k: Option<usize>,
    decoder: Vec<LayerDescription>,
    #[serde(default, skip_serializing_if = "Settings::is_default")]
    training: Settings,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerDescription {
    inputs: usize,
    outputs: usize,
    activation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    convolution: Option<Convolution>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    thresholds: bool,
}

/// The names of a net's layers, numbered as in two `torch.nn.Sequential`s whose activations count as modules.
fn names<'a>(activations: impl Iterator<Item = &'a Activation>, encoder: usize) -> Vec<String> {
    let (mut names, mut module) = (Vec::new(), 0);
    for (i, activation) in activations.enumerate() {
        if i == encoder {
            module = 0;
        }
        let part = if i < encoder { "encoder" } else { "decoder" };
        names.push(format!("{part}.{module}"));
        module += if *activation == Activation::Linear { 1 } else { 2 };
    }
    names
}

/// The net as it goes into a file.
pub(crate) fn contents(net: NetContents<'_>) -> Result<Contents<'_>> {
    net.check()?;
    let mut tensors = Vec::new();
    let names = names(net.layers.iter().map(|layer| &layer.activation), net.encoder);
    for (name, layer) in names.iter().zip(net.layers) {
        let Some(shape) = stored_shape(layer.inputs, layer.outputs, layer.convolution) else {
            return Err(Error::Shape(format!("`{name}` is not a layer")));
        };
        let values = Numbers::Single(Cow::Owned(to_file(&layer.weight, &shape)));
        tensors.push(Named { name: format!("{name}.weight"), shape, values });
        let (shape, values) = (vec![layer.bias.len()], Numbers::Single(Cow::Borrowed(&layer.bias)));
        tensors.push(Named { name: format!("{name}.bias"), shape, values });
        if let Some(threshold) = &layer.threshold {
            let (shape, values) = (vec![threshold.len()], Numbers::Single(Cow::Borrowed(threshold)));
            tensors.push(Named { name: format!("{name}.threshold"), shape, values });
        }
    }
    let describe = |layer: &Affine| LayerDescription {
        inputs: layer.inputs,
        outputs: layer.outputs,
        activation: layer.activation.name().to_owned(),
        convolution: layer.convolution,
        thresholds: layer.threshold.is_some(),
    };
    let (encoder, decoder) = net.layers.split_at(net.encoder);
    let architecture = Architecture {
        encoder: encoder.iter().map(describe).collect(),
        code: net.code,
        top_k: net.top_k,
        decoder: decoder.iter().map(describe).collect(),
        training: net.settings,
    };
    Contents::new(net.code.kind(), tensors, &architecture)
}

/// Reads a model with such a code.
pub(crate) fn read(file: &Container, code: Code) -> Result<Loaded> {
    file.require_kind(code.kind())?;
    let architecture: Architecture = file.architecture()?;
    if code != Code::Plain && architecture.top_k.is_some() {
        let model = code.model();
        return Err(file.wrong(format!("{model} has no numbers of a code that stay, but its architecture names some")));
    }
    let encoder = architecture.encoder.len();
    let (top_k, settings) = (architecture.top_k, architecture.training);
    let all: Vec<LayerDescription> = architecture.encoder.into_iter().chain(architecture.decoder).collect();
    let mut activations = Vec::new();
    for units in &all {
        let activation = Activation::from_name(&units.activation);
        let unknown = || file.wrong(format!("it names an unknown activation `{}`", units.activation));
        activations.push(activation.ok_or_else(unknown)?);
    }
    let sizes: Vec<[usize; 2]> = all.iter().map(|units| [units.inputs, units.outputs]).collect();
    if !fit(&sizes, encoder, code) {
        return Err(file.wrong(format!("the layers of its architecture do not form {}", code.model())));
    }
    let mut wanted = Vec::new();
    for (name, units) in names(activations.iter(), encoder).iter().zip(&all) {
        let LayerDescription { inputs, outputs, convolution, .. } = *units;
        let (Some(shape), Some((_, biases))) =
            (stored_shape(inputs, outputs, convolution), shapes(inputs, outputs, convolution))
        else {
            let message = format!("`{name}` of its architecture is no convolution from {inputs} to {outputs} values");
            return Err(file.wrong(message));
        };
        wanted.extend([(format!("{name}.weight"), shape), (format!("{name}.bias"), vec![biases])]);
        wanted.extend(units.thresholds.then(|| (format!("{name}.threshold"), vec![outputs])));
    }
    let mut tensors = file.tensors(&wanted)?.into_iter().zip(&wanted);
    let mut layers = Vec::new();
    for (units, activation) in all.iter().zip(activations) {
        let LayerDescription { inputs, outputs, convolution, thresholds, .. } = *units;
        let (Some((weight, (_, shape))), Some((bias, _))) = (tensors.next(), tensors.next()) else {
            unreachable!("each layer wants its weights and its bias");
        };
        let (weight, bias) = (from_file(&weight, shape), bias.to_vec());
        let threshold = thresholds.then(|| tensors.next()).flatten().map(|(threshold, _)| threshold.to_vec());
        layers.push(Affine { inputs, outputs, activation, weight, bias, convolution, threshold });
    }
    Ok(Loaded { layers, encoder, top_k, settings })
}

/// The shape of a layer's weights in a file, which is PyTorch's: `[outputs, inputs]`, or `[filters, channels, k, k]` of
/// convolutions and of transposed ones, `[filters, channels, k]` over time.
fn stored_shape(inputs: usize, outputs: usize, convolution: Option<Convolution>) -> Option<Vec<usize>> {
    let ([rows, cols], _) = shapes(inputs, outputs, convolution)?;
    Some(match convolution {
        None => vec![cols, rows],
        Some(Convolution { window, .. }) if window.over_time => vec![cols, window.channels, window.kernel],
        Some(Convolution { window: Window { channels, kernel, .. }, .. }) => vec![cols, channels, kernel, kernel],
    })
}

/// Weights in the order of a file. The taps of a convolution are its pixels with all channels of each.
fn to_file(weight: &[f32], shape: &[usize]) -> Vec<f32> {
    let cols = shape[0];
    let turned = transpose(weight, cols);
    match *shape {
        [_, channels, ..] if shape.len() > 2 => {
            turned.chunks_exact(weight.len() / cols).flat_map(|filter| transpose(filter, channels)).collect()
        }
        _ => turned,
    }
}

/// The reverse of [`to_file`].
fn from_file(stored: &[f32], shape: &[usize]) -> Vec<f32> {
    let rows = stored.len() / shape[0];
    match *shape {
        [_, channels, ..] if shape.len() > 2 => {
            let filters = stored.chunks_exact(rows).flat_map(|filter| transpose(filter, rows / channels));
            transpose(&filters.collect::<Vec<_>>(), rows)
        }
        _ => transpose(stored, rows),
    }
}
