//! Models as safetensors files.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::{self, SafeTensors, TensorView};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use strait_compute::{Activation, Window};

use crate::affine::shapes;
use crate::{Affine, Convolution, Error, Result, transpose};

/// How weights are stored in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dtype {
    /// 32-bit floats, exact.
    #[default]
    F32,
    /// 16-bit floats (IEEE half precision): half the size, three significant digits.
    F16,
}

/// The metadata key of the architecture.
const ARCHITECTURE: &str = "strait.arch";

/// The metadata key of strait's version.
const VERSION: &str = "strait.version";

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
    fn model(self) -> &'static str {
        match self {
            Self::Plain => "an autoencoder",
            Self::Gaussian => "a variational autoencoder",
            Self::Features => "a classifier",
        }
    }

    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// A model in layers, the first of which encode.
#[derive(Clone, Copy)]
pub(crate) struct Layered<'a> {
    pub(crate) layers: &'a [Affine],
    pub(crate) encoder: usize,
    pub(crate) code: Code,
    /// How many numbers of a code stay.
    pub(crate) top_k: Option<usize>,
}

/// What a file holds.
pub(crate) struct Loaded {
    pub(crate) layers: Vec<Affine>,
    pub(crate) encoder: usize,
    pub(crate) top_k: Option<usize>,
    pub(crate) notes: BTreeMap<String, String>,
}

impl Layered<'_> {
    /// Whether the layers fit together: at least one encodes and one decodes, each takes what the one before gives, and
    /// each has as many parameters as its sizes ask for.
    pub(crate) fn check(&self) -> Result<()> {
        let whole = self.layers.iter().all(Affine::is_whole);
        let sizes: Vec<[usize; 2]> = self.layers.iter().map(|layer| [layer.inputs, layer.outputs]).collect();
        if whole && fit(&sizes, self.encoder, self.code) {
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
    encoder: Vec<Units>,
    #[serde(default, skip_serializing_if = "Code::is_plain")]
    code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top_k: Option<usize>,
    decoder: Vec<Units>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Units {
    inputs: usize,
    outputs: usize,
    activation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    convolution: Option<Convolution>,
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

pub(crate) fn save(net: Layered<'_>, path: &Path, dtype: Dtype, notes: &BTreeMap<String, String>) -> Result<()> {
    let stored = match dtype {
        Dtype::F32 => tensor::Dtype::F32,
        Dtype::F16 => tensor::Dtype::F16,
    };
    let pack = |values: &[f32]| -> Vec<u8> {
        match dtype {
            Dtype::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        }
    };
    net.check()?;
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let names = names(net.layers.iter().map(|layer| &layer.activation), net.encoder);
    for (name, layer) in names.iter().zip(net.layers) {
        let kept = |x: &f32| dtype == Dtype::F32 && x.is_finite() || f16::from_f32(*x).is_finite();
        if let Some(x) = layer.weight.iter().chain(&layer.bias).find(|x| !kept(x)) {
            let message = format!("the layer `{name}` holds {x}, which {dtype:?} cannot keep; nothing was written");
            return Err(Error::File { path: path.to_owned(), message });
        }
        let Some(shape) = stored_shape(layer.inputs, layer.outputs, layer.convolution) else {
            return Err(Error::File { path: path.to_owned(), message: format!("`{name}` is no layer") });
        };
        tensors.push((format!("{name}.weight"), shape.clone(), pack(&to_file(&layer.weight, &shape))));
        tensors.push((format!("{name}.bias"), vec![layer.bias.len()], pack(&layer.bias)));
    }
    let wrong = |error: safetensors::SafeTensorError| Error::File { path: path.to_owned(), message: error.to_string() };
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        views.push((name, TensorView::new(stored, shape.clone(), bytes).map_err(wrong)?));
    }
    let describe = |layer: &Affine| Units {
        inputs: layer.inputs,
        outputs: layer.outputs,
        activation: layer.activation.name().to_owned(),
        convolution: layer.convolution,
    };
    let (encoder, decoder) = net.layers.split_at(net.encoder);
    let architecture = Architecture {
        encoder: encoder.iter().map(describe).collect(),
        code: net.code,
        top_k: net.top_k,
        decoder: decoder.iter().map(describe).collect(),
    };
    let architecture = serde_json::to_string(&architecture)
        .map_err(|error| Error::File { path: path.to_owned(), message: error.to_string() })?;
    let mut metadata: std::collections::HashMap<String, String> =
        notes.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    metadata.insert("format".to_owned(), "pt".to_owned());
    metadata.insert(ARCHITECTURE.to_owned(), architecture);
    metadata.insert(VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    write_atomically(path, &safetensors::serialize(views, Some(metadata)).map_err(wrong)?)
}

/// Reads a model with such a code.
pub(crate) fn load(path: &Path, code: Code) -> Result<Loaded> {
    let wrong = |message: String| Error::File { path: path.to_owned(), message };
    let io = |source| Error::Io { path: path.to_owned(), source };
    // Asked before it is opened, since opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(wrong("this is not a file".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let not = |error: safetensors::SafeTensorError| wrong(format!("this is no valid safetensors file ({error})"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(not)?;
    let file = SafeTensors::deserialize(&bytes).map_err(not)?;
    unique_names(&bytes).map_err(|error| wrong(format!("its header cannot be trusted ({error})")))?;
    let mut notes: BTreeMap<String, String> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let architecture = notes
        .remove(ARCHITECTURE)
        .ok_or_else(|| wrong(format!("its metadata have no `{ARCHITECTURE}`, so it was not written by strait")))?;
    notes.remove("format");
    let architecture: Architecture = serde_json::from_str(&architecture)
        .map_err(|error| wrong(format!("the architecture in its metadata cannot be read ({error})")))?;
    if architecture.code != code {
        return Err(wrong(format!("it holds {}, not {}", architecture.code.model(), code.model())));
    }
    if code != Code::Plain && architecture.top_k.is_some() {
        return Err(wrong(format!(
            "{} has no numbers of a code that stay, but its architecture names some",
            code.model()
        )));
    }
    let encoder = architecture.encoder.len();
    let top_k = architecture.top_k;
    let all: Vec<Units> = architecture.encoder.into_iter().chain(architecture.decoder).collect();
    let mut activations = Vec::new();
    for units in &all {
        let activation = Activation::from_name(&units.activation);
        activations
            .push(activation.ok_or_else(|| wrong(format!("it names an unknown activation `{}`", units.activation)))?);
    }
    let sizes: Vec<[usize; 2]> = all.iter().map(|units| [units.inputs, units.outputs]).collect();
    if !fit(&sizes, encoder, code) {
        return Err(wrong(format!("the layers of its architecture do not form {}", code.model())));
    }
    let names = names(activations.iter(), encoder);
    let mut layers = Vec::new();
    for ((name, units), activation) in names.iter().zip(&all).zip(activations) {
        let Units { inputs, outputs, convolution, .. } = *units;
        let (Some(shape), Some((_, biases))) =
            (stored_shape(inputs, outputs, convolution), shapes(inputs, outputs, convolution))
        else {
            return Err(wrong(format!(
                "`{name}` of its architecture is no convolution from {inputs} to {outputs} values"
            )));
        };
        let weight = read(&file, &format!("{name}.weight"), &shape).map_err(wrong)?;
        let bias = read(&file, &format!("{name}.bias"), &[biases]).map_err(wrong)?;
        layers.push(Affine { inputs, outputs, activation, weight: from_file(&weight, &shape), bias, convolution });
    }
    if file.len() != 2 * layers.len() {
        return Err(wrong(format!("it holds {} tensors, but its architecture has {}", file.len(), 2 * layers.len())));
    }
    Ok(Loaded { layers, encoder, top_k, notes })
}

/// The shape of a layer's weights in a file, which is PyTorch's: `[outputs, inputs]`, or `[filters, channels, k, k]` of
/// convolutions and of transposed ones.
fn stored_shape(inputs: usize, outputs: usize, convolution: Option<Convolution>) -> Option<Vec<usize>> {
    let ([rows, cols], _) = shapes(inputs, outputs, convolution)?;
    Some(match convolution {
        None => vec![cols, rows],
        Some(Convolution { window: Window { channels, kernel, .. }, .. }) => vec![cols, channels, kernel, kernel],
    })
}

/// Weights in the order of a file. The taps of a convolution are its pixels with all channels of each.
fn to_file(weight: &[f32], shape: &[usize]) -> Vec<f32> {
    let cols = shape[0];
    let turned = transpose(weight, cols);
    match *shape {
        [_, channels, _, _] => {
            turned.chunks_exact(weight.len() / cols).flat_map(|filter| transpose(filter, channels)).collect()
        }
        _ => turned,
    }
}

/// The reverse of [`to_file`].
fn from_file(stored: &[f32], shape: &[usize]) -> Vec<f32> {
    let rows = stored.len() / shape[0];
    match *shape {
        [_, channels, _, _] => {
            let filters = stored.chunks_exact(rows).flat_map(|filter| transpose(filter, rows / channels));
            transpose(&filters.collect::<Vec<_>>(), rows)
        }
        _ => transpose(stored, rows),
    }
}

/// Refuses a header that names a tensor twice, of which the crate would silently take the last.
fn unique_names(bytes: &[u8]) -> std::result::Result<(), serde_json::Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map of tensors")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
            let mut names = HashSet::new();
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                if names.contains(&name) {
                    return Err(A::Error::custom(format!("`{name}` is there twice")));
                }
                names.insert(name);
            }
            Ok(())
        }
    }
    // The crate has checked that the first eight bytes hold the header's length.
    let (length, rest) = bytes.split_at(8.min(bytes.len()));
    let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    serde_json::Deserializer::from_slice(&rest[..length.min(rest.len())]).deserialize_map(Names)
}

/// The values of a tensor, which must have this shape and be finite.
fn read(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> std::result::Result<Vec<f32>, String> {
    let view = file.tensor(name).map_err(|_| format!("it has no tensor `{name}`"))?;
    if view.shape() != shape {
        return Err(format!("tensor `{name}` has the shape {:?}, but the architecture wants {shape:?}", view.shape()));
    }
    let values: Vec<f32> = match view.dtype() {
        tensor::Dtype::F32 => {
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        tensor::Dtype::F16 => view.data().chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
        other => {
            return Err(format!("tensor `{name}` is of type {other:?}; F32 and F16 are read"));
        }
    };
    match values.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(format!("tensor `{name}` holds {} at position {i}", values[i])),
        None => Ok(values),
    }
}

/// Writes a file as a whole: to a temporary file beside it, synced, then renamed over it, so that an interruption or a
/// full disk leaves the earlier file as it was.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut builder = tempfile::Builder::new();
    // What a user's own programs would give a new file: all rights that the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(&folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    // The folder's entry too must survive a power cut; not every system can sync a folder.
    #[cfg(unix)]
    std::fs::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(())
}
