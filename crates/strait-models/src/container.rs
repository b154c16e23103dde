//! Named tensors with their architecture, as safetensors files.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::{self, SafeTensors, TensorView};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use strait_data::Preparation;

use crate::file::Code;
use crate::run_state::{PREFIX, RUN};
use crate::{Error, ModelKind, Result};

mod atomic;
mod layout;

use atomic::write_atomically_with;
pub use atomic::{AtomicFile, sync, write_atomically};
use layout::{CHECKSUMS, header, verify};
pub(crate) use layout::{Entry, Layout, verify_present};

/// How a file stores numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dtype {
    /// Every number as the model holds it: the 32-bit floats of all models but PCA, whose floats have 64 bits.
    #[default]
    Exact,
    /// 32-bit floats.
    F32,
    /// 16-bit floats (IEEE half precision): half the size, three significant digits.
    F16,
}

/// What is optional when a model is saved.
///
/// ```
/// use strait_models::{Dtype, SaveOptions};
/// let half = SaveOptions { dtype: Dtype::F16, ..SaveOptions::default() };
/// assert!(half.notes.is_empty() && SaveOptions::default().dtype == Dtype::Exact);
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SaveOptions {
    /// How the file stores numbers.
    pub dtype: Dtype,
    /// What goes into the file's metadata beside strait's own entries: keys and values of your choice. Loading gives them back.
    pub notes: BTreeMap<String, String>,
    /// What is done with rows before the model sees them. [`Model::open`](crate::Model::open) gives it back as a part of the model.
    pub preparation: Option<Preparation>,
}

/// The metadata key of the preparation of rows.
const PREPARATION: &str = "strait.preparation";

/// The metadata key of the architecture.
const ARCHITECTURE: &str = "strait.arch";

/// The metadata key of the model's kind.
const KIND: &str = "strait.kind";

/// The metadata key of the format's number. Files of format 1 have neither this nor the kind.
const FORMAT: &str = "strait.format";

/// The format that is written. Earlier ones are read.
const LATEST: u32 = 2;

/// The metadata key of strait's version.
const VERSION: &str = "strait.version";

/// A tensor as it goes into a file.
pub(crate) struct Named<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Numbers<'a>,
}

/// The numbers of a tensor in the precision of the model.
pub(crate) enum Numbers<'a> {
    Single(Cow<'a, [f32]>),
    Double(Cow<'a, [f64]>),
}

impl Numbers<'_> {
    /// The type that a file stores them as.
    fn stored(&self, dtype: Dtype) -> tensor::Dtype {
        match (dtype, self) {
            (Dtype::Exact, Self::Double(_)) => tensor::Dtype::F64,
            (Dtype::Exact | Dtype::F32, _) => tensor::Dtype::F32,
            (Dtype::F16, _) => tensor::Dtype::F16,
        }
    }

    /// The bytes that a file stores, or the first number that is not finite in that precision.
    fn pack(&self, dtype: Dtype) -> std::result::Result<Cow<'_, [u8]>, f64> {
        match (self, self.stored(dtype)) {
            // As they lie in memory.
            (Self::Single(values), tensor::Dtype::F32) if cfg!(target_endian = "little") => {
                match values.iter().find(|x| !x.is_finite()) {
                    Some(&x) => Err(x.into()),
                    None => Ok(Cow::Borrowed(bytemuck::cast_slice(values))),
                }
            }
            (Self::Single(values), stored) => pack(values, stored).map(Cow::Owned),
            (Self::Double(values), stored) => pack(values, stored).map(Cow::Owned),
        }
    }
}

fn pack<T: Copy + Into<f64>>(values: &[T], stored: tensor::Dtype) -> std::result::Result<Vec<u8>, f64> {
    let mut bytes = Vec::with_capacity(size_of_val(values));
    for &value in values {
        let x: f64 = value.into();
        let kept = match stored {
            tensor::Dtype::F64 => {
                bytes.extend(x.to_le_bytes());
                x
            }
            tensor::Dtype::F32 => {
                bytes.extend((x as f32).to_le_bytes());
                f64::from(x as f32)
            }
            _ => {
                bytes.extend(f16::from_f64(x).to_le_bytes());
                f16::from_f64(x).to_f64()
            }
        };
        if !kept.is_finite() {
            return Err(x);
        }
    }
    Ok(bytes)
}

/// A model as it goes into a file.
pub(crate) struct Contents<'a> {
    pub(crate) kind: ModelKind,
    pub(crate) tensors: Vec<Named<'a>>,
    /// As JSON.
    architecture: String,
}

impl<'a> Contents<'a> {
    pub(crate) fn new(kind: ModelKind, tensors: Vec<Named<'a>>, architecture: &impl Serialize) -> Result<Self> {
        let architecture = serde_json::to_string(architecture);
        let architecture = architecture.map_err(|error| Error::Shape(format!("it cannot be described ({error})")))?;
        Ok(Self { kind, tensors, architecture })
    }

    pub(crate) fn into_architecture(self) -> String {
        self.architecture
    }

    /// The metadata of a file with this model.
    pub(crate) fn metadata(
        &self,
        SaveOptions { notes, preparation, .. }: &SaveOptions,
    ) -> Result<BTreeMap<String, String>> {
        let mut metadata = notes.clone();
        if let Some(preparation) = preparation.as_ref().filter(|preparation| !preparation.is_none()) {
            let text = serde_json::to_string(preparation);
            let text = text.map_err(|error| Error::Shape(format!("its preparation cannot be written ({error})")))?;
            metadata.insert(PREPARATION.to_owned(), text);
        }
        metadata.insert("format".to_owned(), "pt".to_owned());
        metadata.insert(ARCHITECTURE.to_owned(), self.architecture.clone());
        metadata.insert(KIND.to_owned(), self.kind.name().to_owned());
        metadata.insert(FORMAT.to_owned(), LATEST.to_string());
        metadata.insert(VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Ok(metadata)
    }

    /// What a header says of the tensors.
    pub(crate) fn entries(&self, dtype: Dtype) -> impl Iterator<Item = Entry> {
        self.tensors.iter().map(move |Named { name, shape, values }| Entry {
            name: name.clone(),
            dtype: values.stored(dtype),
            shape: shape.clone(),
        })
    }

    /// The bytes of a tensor.
    pub(crate) fn pack(&self, number: usize, dtype: Dtype) -> Result<Cow<'_, [u8]>> {
        let Named { name, values, .. } = &self.tensors[number];
        values.pack(dtype).map_err(|x| Error::Shape(format!("`{name}` holds {x}, which {dtype:?} cannot keep")))
    }

    /// Writes the model as a file.
    pub(crate) fn write(&self, path: &Path, options: &SaveOptions) -> Result<()> {
        let mut packed = Vec::new();
        for number in 0..self.tensors.len() {
            let refused =
                |error| Error::File { path: path.to_owned(), message: format!("{error}; nothing was written") };
            packed.push(self.pack(number, options.dtype).map_err(refused)?);
        }
        let layout = Layout::new(self.metadata(options)?, &self.entries(options.dtype).collect::<Vec<_>>());
        write_atomically_with(path, |file| {
            layout.write::<_, std::io::Error>(&mut BufWriter::new(file), |number| Ok(Cow::Borrowed(&packed[number])))
        })?;
        // What was written is what lies there, as far as the system tells.
        let read = std::fs::read(path).map_err(|cause| Error::Io { path: path.to_owned(), cause })?;
        verify(&read).map_err(|message| Error::File { path: path.to_owned(), message })
    }
}

/// A file that was read, of which nothing is believed yet but that it is a safetensors file of strait's.
pub(crate) struct Container {
    pub(crate) path: PathBuf,
    bytes: Vec<u8>,
    architecture: String,
    pub(crate) kind: ModelKind,
    pub(crate) notes: BTreeMap<String, String>,
    /// What is done with rows before the model sees them.
    pub(crate) preparation: Option<Preparation>,
}

impl Container {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let wrong = |message: String| Error::File { path: path.to_owned(), message };
        let io = |cause| Error::Io { path: path.to_owned(), cause };
        // Asked before it is opened, since opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(wrong("this is not a file".to_owned()));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let not = |error: safetensors::SafeTensorError| wrong(format!("this is no valid safetensors file ({error})"));
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(not)?;
        SafeTensors::deserialize(&bytes).map_err(not)?;
        unique_names(&bytes).map_err(|error| wrong(format!("its header cannot be trusted ({error})")))?;
        verify(&bytes).map_err(wrong)?;
        let mut notes: BTreeMap<String, String> = header.metadata().clone().unwrap_or_default().into_iter().collect();
        if let Some(format) = notes.remove(FORMAT) {
            check_format(path, &format)?;
        }
        let run = notes.remove(RUN);
        let architecture = notes.remove(ARCHITECTURE).ok_or_else(|| match run {
            Some(_) => {
                wrong("this is a checkpoint without a model: the model is of a kind that has no file".to_owned())
            }
            None => wrong(format!("its metadata have no `{ARCHITECTURE}`, so it was not written by strait")),
        })?;
        notes.remove("format");
        notes.remove(CHECKSUMS);
        let kind = kind(notes.remove(KIND), &architecture).map_err(wrong)?;
        let preparation = notes.remove(PREPARATION).map(|text| serde_json::from_str(&text)).transpose();
        let preparation =
            preparation.map_err(|error| wrong(format!("the preparation in its metadata cannot be read ({error})")))?;
        Ok(Self { path: path.to_owned(), bytes, architecture, kind, notes, preparation })
    }

    /// Refuses a model whose rows are prepared, which would be forgotten.
    pub(crate) fn unprepared(self) -> Result<Self> {
        match &self.preparation {
            Some(preparation) if !preparation.changes_nothing() => {
                let message = format!(
                    "its rows are scaled before it sees them ({:?}); open it by Model::open",
                    preparation.scale
                );
                Err(self.wrong(message))
            }
            _ => Ok(self),
        }
    }

    /// Refuses any other kind.
    pub(crate) fn require_kind(&self, expected: ModelKind) -> Result<()> {
        if self.kind == expected {
            return Ok(());
        }
        Err(Error::Kind { path: self.path.clone(), found: self.kind, expected })
    }

    pub(crate) fn wrong(&self, message: impl Into<String>) -> Error {
        Error::File { path: self.path.clone(), message: message.into() }
    }

    /// What it says of its tensors.
    pub(crate) fn architecture<A: DeserializeOwned>(&self) -> Result<A> {
        serde_json::from_str(&self.architecture)
            .map_err(|error| self.wrong(format!("the architecture in its metadata cannot be read ({error})")))
    }

    /// The values of tensors of these names and shapes, which must be all that there are.
    pub(crate) fn tensors(&self, wanted: &[(String, Vec<usize>)]) -> Result<Vec<Vec<f32>>> {
        self.all(wanted, values)
    }

    /// The same in double precision, whatever the file stores.
    pub(crate) fn doubles(&self, wanted: &[(String, Vec<usize>)]) -> Result<Vec<Vec<f64>>> {
        self.all(wanted, doubles)
    }

    fn all<T>(
        &self,
        wanted: &[(String, Vec<usize>)],
        values: impl Fn(&SafeTensors<'_>, &str, &[usize]) -> std::result::Result<T, String>,
    ) -> Result<Vec<T>> {
        let not =
            |error: safetensors::SafeTensorError| self.wrong(format!("this is no valid safetensors file ({error})"));
        let file = SafeTensors::deserialize(&self.bytes).map_err(not)?;
        let read =
            |(name, shape): &(String, Vec<usize>)| values(&file, name, shape).map_err(|message| self.wrong(message));
        let found = wanted.iter().map(read).collect::<Result<Vec<_>>>()?;
        let of_model = file.names().into_iter().filter(|name| !name.starts_with(PREFIX)).count();
        if of_model != wanted.len() {
            let (found, wanted) = (of_model, wanted.len());
            return Err(self.wrong(format!("it holds {found} tensors, but its architecture has {wanted}")));
        }
        Ok(found)
    }
}

/// Refuses a format that is later than what is known here, or none at all.
fn check_format(path: &Path, format: &str) -> Result<()> {
    match format.parse() {
        Ok(1..=LATEST) => Ok(()),
        Ok(found) if found > LATEST => Err(Error::Format { path: path.to_owned(), found, latest: LATEST }),
        _ => {
            let message = format!("the format `{format}` in its metadata is not a number from 1 on");
            Err(Error::File { path: path.to_owned(), message })
        }
    }
}

/// The kind that a file names, which must be that of its architecture, or that of the architecture alone.
fn kind(named: Option<String>, architecture: &str) -> std::result::Result<ModelKind, String> {
    let found = kind_of(architecture)?;
    let Some(named) = named else {
        return Ok(found);
    };
    let known = ModelKind::ALL.map(ModelKind::name).join(", ");
    let named = ModelKind::from_name(&named)
        .ok_or_else(|| format!("its metadata name the unknown kind `{named}`; this version of strait reads {known}"))?;
    // One machine may also be a stack.
    if named == found || (named, found) == (ModelKind::Stack, ModelKind::Rbm) {
        return Ok(named);
    }
    Err(format!("its metadata name the kind `{named}`, but its architecture is that of {}", found.described()))
}

/// The kind of model that an architecture describes.
fn kind_of(architecture: &str) -> std::result::Result<ModelKind, String> {
    /// What tells the kinds of architectures apart.
    #[derive(Deserialize)]
    struct Signs {
        encoder: Option<IgnoredAny>,
        #[serde(default)]
        code: Code,
        machines: Option<Vec<IgnoredAny>>,
        below: Option<IgnoredAny>,
        components: Option<IgnoredAny>,
        sequence: Option<IgnoredAny>,
    }
    let unknown = |reason: String| format!("the architecture in its metadata cannot be read ({reason})");
    let signs: Signs = serde_json::from_str(architecture).map_err(|error| unknown(error.to_string()))?;
    match signs {
        Signs { machines: Some(_), below: Some(_), .. } => Ok(ModelKind::Dbn),
        Signs { machines: Some(machines), .. } if machines.len() == 1 => Ok(ModelKind::Rbm),
        Signs { machines: Some(_), .. } => Ok(ModelKind::Stack),
        Signs { encoder: Some(_), code, .. } => Ok(code.kind()),
        Signs { components: Some(_), .. } => Ok(ModelKind::Pca),
        Signs { sequence: Some(_), .. } => Ok(ModelKind::Sequence),
        _ => Err(unknown("it is that of no model".to_owned())),
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
    // The crate has checked that the header is there.
    serde_json::Deserializer::from_slice(&bytes[header(bytes)]).deserialize_map(Names)
}

/// A tensor, which must have this shape.
fn view<'a>(file: &'a SafeTensors<'_>, name: &str, shape: &[usize]) -> std::result::Result<TensorView<'a>, String> {
    let view = file.tensor(name).map_err(|_| format!("it has no tensor `{name}`"))?;
    if view.shape() != shape {
        return Err(format!("tensor `{name}` has the shape {:?}, but the architecture wants {shape:?}", view.shape()));
    }
    Ok(view)
}

/// The values of a tensor, which must have this shape and be finite.
fn values(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> std::result::Result<Vec<f32>, String> {
    let view = view(file, name, shape)?;
    let values: Vec<f32> = match view.dtype() {
        tensor::Dtype::F32 => {
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        tensor::Dtype::F16 => view.data().chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
        other => {
            return Err(format!("tensor `{name}` is of type {other:?}; F32 and F16 are read"));
        }
    };
    finite(values, name)
}

/// The same in double precision.
fn doubles(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> std::result::Result<Vec<f64>, String> {
    let view = view(file, name, shape)?;
    if view.dtype() != tensor::Dtype::F64 {
        return Ok(values(file, name, shape)?.into_iter().map(f64::from).collect());
    }
    let eight = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    finite(view.data().chunks_exact(8).map(eight).collect(), name)
}

/// Values, all of which must be finite.
fn finite<T: Copy + Into<f64>>(values: Vec<T>, name: &str) -> std::result::Result<Vec<T>, String> {
    match values.iter().position(|&x| !x.into().is_finite()) {
        Some(i) => Err(format!("tensor `{name}` holds {} at position {i}", values[i].into())),
        None => Ok(values),
    }
}
