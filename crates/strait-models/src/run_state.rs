//! The state of a training run in a file, which opens as a model, too.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Seek, Write};

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use crate::container::{self, Entry, Layout};
use crate::{Error, Model, Result, SaveOptions};

/// The metadata key of what a run says about itself.
pub(crate) const RUN: &str = "strait.run";

/// What the names of a run's tensors begin with, and those of a model's never do.
pub(crate) const PREFIX: &str = "run.";

/// The state of a training run: named tensors, and what is said about them.
///
/// A file of it is a safetensors file with checksums of its header and of each tensor. Where it also holds a model,
/// [`Model::open`] reads that.
///
/// ```
/// use std::io::Cursor;
/// use strait_models::{Autoencoder, Model, RunState};
/// let state = RunState { about: "{\"epoch\":3}".to_owned(), tensors: vec![("velocity".to_owned(), vec![0.5, 0.25])] };
/// let mut file = Cursor::new(Vec::new());
/// let model = Model::from(Autoencoder::glorot(&[4, 2], 1)?);
/// state.write(&mut file, Some(&model))?;
/// assert_eq!(RunState::read(file.get_ref())?, state);
/// file.get_mut()[300] ^= 1;
/// assert!(RunState::read(file.get_ref()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RunState {
    /// Text, such as JSON.
    pub about: String,
    /// The tensors, in the order of their names where they were read.
    pub tensors: Vec<(String, Vec<f32>)>,
}

impl RunState {
    /// Writes the state, with a model where there is one.
    ///
    /// # Errors
    /// [`Error::Stream`] if it cannot be written; if the model is not whole, or not finite.
    pub fn write(&self, out: &mut (impl Write + Seek + ?Sized), model: Option<&Model>) -> Result<()> {
        let lengths: Vec<(&str, usize)> =
            self.tensors.iter().map(|(name, values)| (name.as_str(), values.len())).collect();
        Self::write_streamed(out, model, &self.about, &lengths, |number| Ok(Cow::Borrowed(&self.tensors[number].1)))
    }

    /// Writes a state whose tensors are fetched one by one: `tensors` are their names and lengths.
    ///
    /// # Errors
    /// As [`RunState::write`], and those of `fetch`.
    pub fn write_streamed<'b>(
        out: &mut (impl Write + Seek + ?Sized),
        model: Option<&Model>,
        about: &str,
        tensors: &[(&str, usize)],
        mut fetch: impl FnMut(usize) -> Result<Cow<'b, [f32]>>,
    ) -> Result<()> {
        let (model, preparation) = match model {
            Some(Model::Prepared(prepared)) => (Some(&prepared.model), Some(prepared.preparation.clone())),
            other => (other, None),
        };
        let contents = model.map(Model::contents).transpose()?;
        let options = SaveOptions { preparation, ..SaveOptions::default() };
        let mut metadata = match &contents {
            Some(contents) => contents.metadata(&options)?,
            None => BTreeMap::new(),
        };
        metadata.insert(RUN.to_owned(), about.to_owned());
        let entry = |&(name, length): &(&str, usize)| Entry {
            name: format!("{PREFIX}{name}"),
            dtype: Dtype::F32,
            shape: vec![length],
        };
        let mut entries: Vec<Entry> = tensors.iter().map(entry).collect();
        entries.extend(contents.iter().flat_map(|contents| contents.entries(options.dtype)));
        let layout = Layout::new(metadata, &entries);
        layout.write(out, |number| match number.checked_sub(tensors.len()) {
            None => fetch(number).map(bytes_of),
            Some(number) => {
                let Some(contents) = &contents else { unreachable!("only a model has further tensors") };
                contents.pack(number, options.dtype)
            }
        })
    }

    /// Reads the state from the bytes of a file, all checksums of which must be right.
    ///
    /// # Errors
    /// [`Error::Damaged`] with what is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let damaged = |error: safetensors::SafeTensorError| Error::Damaged(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        container::verify_present(bytes).map_err(Error::Damaged)?;
        let about = header.metadata().as_ref().and_then(|metadata| metadata.get(RUN));
        let about =
            about.ok_or_else(|| Error::Damaged(format!("its metadata have no `{RUN}`: it is not a checkpoint")))?;
        let mut tensors = Vec::new();
        for (name, view) in file.iter() {
            let Some(name) = name.strip_prefix(PREFIX) else { continue };
            if view.dtype() != Dtype::F32 {
                return Err(Error::Damaged(format!("tensor `{name}` is of type {:?}, not F32", view.dtype())));
            }
            let four = view.data().as_chunks::<4>().0;
            tensors.push((name.to_owned(), four.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()));
        }
        tensors.sort_by(|(left, _): &(String, _), (right, _)| left.cmp(right));
        Ok(Self { about: about.clone(), tensors })
    }
}

/// The bytes of numbers as files have them.
fn bytes_of(values: Cow<'_, [f32]>) -> Cow<'_, [u8]> {
    match values {
        Cow::Borrowed(values) if cfg!(target_endian = "little") => Cow::Borrowed(bytemuck::cast_slice(values)),
        values => Cow::Owned(values.iter().flat_map(|x| x.to_le_bytes()).collect()),
    }
}
