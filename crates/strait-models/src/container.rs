//! Named tensors with their architecture, as safetensors files.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use half::f16;
use safetensors::tensor::{self, SafeTensors, TensorView};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use strait_data::Preparation;
use tempfile::NamedTempFile;

use crate::file::Code;
use crate::{Error, ModelKind, Result};

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
    fn pack(&self, dtype: Dtype) -> std::result::Result<Vec<u8>, f64> {
        match self {
            Self::Single(values) => pack(values, self.stored(dtype)),
            Self::Double(values) => pack(values, self.stored(dtype)),
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

/// Writes tensors with what describes them.
pub(crate) fn write(
    path: &Path,
    kind: ModelKind,
    tensors: &[Named<'_>],
    architecture: &impl Serialize,
    SaveOptions { dtype, notes, preparation }: &SaveOptions,
) -> Result<()> {
    let dtype = *dtype;
    let file = |message: String| Error::File { path: path.to_owned(), message };
    let mut packed = Vec::new();
    for Named { name, values, .. } in tensors {
        let bytes = values.pack(dtype);
        packed.push(
            bytes.map_err(|x| file(format!("`{name}` holds {x}, which {dtype:?} cannot keep; nothing was written")))?,
        );
    }
    let wrong = |error: safetensors::SafeTensorError| file(error.to_string());
    let mut views = Vec::new();
    for (Named { name, shape, values }, bytes) in tensors.iter().zip(&packed) {
        views.push((name, TensorView::new(values.stored(dtype), shape.clone(), bytes).map_err(wrong)?));
    }
    let architecture = serde_json::to_string(architecture).map_err(|error| file(error.to_string()))?;
    let mut metadata: std::collections::HashMap<String, String> =
        notes.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Some(preparation) = preparation.as_ref().filter(|preparation| !preparation.is_none()) {
        let text = serde_json::to_string(preparation).map_err(|error| file(error.to_string()))?;
        metadata.insert(PREPARATION.to_owned(), text);
    }
    metadata.insert("format".to_owned(), "pt".to_owned());
    metadata.insert(ARCHITECTURE.to_owned(), architecture);
    metadata.insert(KIND.to_owned(), kind.name().to_owned());
    metadata.insert(FORMAT.to_owned(), LATEST.to_string());
    metadata.insert(VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(wrong)?;
    sort_header(&mut bytes).map_err(|error| file(error.to_string()))?;
    write_atomically(path, &bytes)
}

/// Where the header lies in a file that the crate has written or believed.
fn header(bytes: &[u8]) -> Range<usize> {
    let length = bytes[..8].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    8..8 + length
}

/// Puts a header's entries in the order of their names. The crate writes the metadata as they lie in a hash table,
/// elsewhere in every run, but the same model is the same file.
fn sort_header(bytes: &mut [u8]) -> serde_json::Result<()> {
    let place = header(bytes);
    let place = &mut bytes[place];
    let entries: BTreeMap<String, BTreeMap<String, serde_json::Value>> = serde_json::from_slice(place)?;
    let sorted = serde_json::to_vec(&entries)?;
    // It is as long as before, but for the blanks behind it.
    let Some((text, blanks)) = place.split_at_mut_checked(sorted.len()) else {
        return Err(serde_json::Error::custom("its header would not fit after sorting"));
    };
    text.copy_from_slice(&sorted);
    blanks.fill(b' ');
    Ok(())
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
        let mut notes: BTreeMap<String, String> = header.metadata().clone().unwrap_or_default().into_iter().collect();
        if let Some(format) = notes.remove(FORMAT) {
            check_format(path, &format)?;
        }
        let architecture = notes
            .remove(ARCHITECTURE)
            .ok_or_else(|| wrong(format!("its metadata have no `{ARCHITECTURE}`, so it was not written by strait")))?;
        notes.remove("format");
        let kind = kind(notes.remove(KIND), &architecture).map_err(wrong)?;
        let preparation = notes.remove(PREPARATION).map(|text| serde_json::from_str(&text)).transpose();
        let preparation =
            preparation.map_err(|error| wrong(format!("the preparation in its metadata cannot be read ({error})")))?;
        Ok(Self { path: path.to_owned(), bytes, architecture, kind, notes, preparation })
    }

    /// Refuses a model whose rows are prepared, which would be forgotten.
    pub(crate) fn unprepared(self) -> Result<Self> {
        match &self.preparation {
            Some(preparation) => {
                let message = format!(
                    "its rows are scaled before it sees them ({:?}); open it by Model::open",
                    preparation.scale
                );
                Err(self.wrong(message))
            }
            None => Ok(self),
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
        if file.len() != wanted.len() {
            let (found, wanted) = (file.len(), wanted.len());
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
    }
    let unknown = |reason: String| format!("the architecture in its metadata cannot be read ({reason})");
    let signs: Signs = serde_json::from_str(architecture).map_err(|error| unknown(error.to_string()))?;
    match signs {
        Signs { machines: Some(_), below: Some(_), .. } => Ok(ModelKind::Dbn),
        Signs { machines: Some(machines), .. } if machines.len() == 1 => Ok(ModelKind::Rbm),
        Signs { machines: Some(_), .. } => Ok(ModelKind::Stack),
        Signs { encoder: Some(_), code, .. } => Ok(code.kind()),
        Signs { components: Some(_), .. } => Ok(ModelKind::Pca),
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

/// Writes a file as a whole: to a temporary file beside it, synced, then renamed over it, so that an interruption or a
/// full disk leaves the earlier file as it was. Where that file cannot be replaced, because another program has it open, the new one
/// stays beside it.
///
/// # Errors
/// [`Error::Io`] or [`Error::Kept`] with the path.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = temporary(&folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    sync(file.as_file()).map_err(io)?;
    persist(file, path)?;
    // The folder's entry too should survive a power cut; not every system can sync a folder, and the file is there in any case.
    #[cfg(unix)]
    let _ = std::fs::File::open(&folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Syncs a file, where its file system can: some that lie on other machines cannot.
fn sync(file: &std::fs::File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => Ok(()),
        synced => synced,
    }
}

/// Renames a temporary file.
fn persist(mut file: NamedTempFile, path: &Path) -> Result<()> {
    /// Virus scanners open new files for moments.
    const WAIT: (usize, Duration) = (10, Duration::from_millis(100));
    let mut tries = 0;
    while let Err(error) = file.persist(path) {
        tries += 1;
        if tries < WAIT.0 && is_held(&error.error) {
            std::thread::sleep(WAIT.1);
            file = error.file;
            continue;
        }
        let (path, cause) = (path.to_owned(), error.error);
        if !path.is_file() {
            return Err(Error::Io { path, cause });
        }
        return Err(match error.file.keep() {
            Ok((_, kept)) => Error::Kept { path, kept, cause },
            Err(_) => Error::Io { path, cause },
        });
    }
    Ok(())
}

/// Whether a file cannot be renamed because a program has it or the earlier one open, which only Windows minds.
fn is_held(error: &std::io::Error) -> bool {
    const ACCESS_DENIED: i32 = 5;
    const SHARING_VIOLATION: i32 = 32;
    const USER_MAPPED_FILE: i32 = 1224;
    cfg!(windows) && matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION | USER_MAPPED_FILE))
}

#[cfg(unix)]
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    // What a user's own programs would give a new file: all rights that the umask leaves.
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    tempfile::Builder::new().permissions(rights).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
}
