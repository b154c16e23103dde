//! Models that come from other programs, and that go there: linear and recurrent layers of PyTorch and Keras, convolutions of PyTorch, top-k dictionaries of SAELens and
//! sparsify, scikit-learn's machines.
//!
//! What cannot be said in the other's terms is refused with the reason.
//!
//! ```
//! use strait::{Model, Rbm, Units, exchange};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("rbm.npz");
//! let stream = &mut strait::compute::philox::Stream::new(1, 0);
//! let rbm = Rbm::new((6, Units::Bernoulli), (4, Units::Bernoulli), stream)?;
//! exchange::to_scikit_learn(&rbm, &path)?; // components_, intercept_hidden_, intercept_visible_
//! assert_eq!(exchange::from_scikit_learn(&path)?, rbm);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dictionary;
mod keras;
mod sequences;
mod torch;

use std::path::{Path, PathBuf};

use crate::data::{Data, NamedArray, Options, survey, write_arrays};
use crate::experiment::{Error, Result};
use crate::models::{AtomicFile, transpose};
use crate::{Affine, Autoencoder, Rbm, Units};

pub use dictionary::{from_saelens, from_sparsify, to_saelens, to_sparsify};
pub use keras::from_keras;
pub use sequences::{is_keras_sequence, is_torch_sequence, sequence_from_keras, sequence_from_torch};
pub use torch::{TorchConvolutions, from_torch, from_torch_convolutions};

/// The arrays of a file by name.
struct Arrays {
    path: PathBuf,
    entries: Vec<(String, Vec<usize>)>,
}

impl Arrays {
    fn open(path: &Path) -> Result<Self> {
        let data = survey(path, &Options::default())?;
        let entries = data.entries.iter().map(|entry| (entry.name.clone(), entry.shape.clone())).collect();
        Ok(Self { path: path.to_owned(), entries })
    }

    fn wrong(&self, message: impl std::fmt::Display) -> Error {
        Error::Job(format!("{}: {message}", self.path.display()))
    }

    fn shape(&self, name: &str) -> Result<&[usize]> {
        let found = self.entries.iter().find(|(other, _)| other == name);
        let all = || self.entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        found.map(|(_, shape)| &shape[..]).ok_or_else(|| self.wrong(format!("it has no `{name}`, but {}", all())))
    }

    /// The numbers of an array of this shape.
    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let found = self.shape(name)?;
        if found != shape {
            return Err(self.wrong(format!("`{name}` has the shape {found:?}, where {shape:?} fits the others")));
        }
        let options = Options { array: Some(name.to_owned()), ..Options::default() };
        let data: Data = survey(&self.path, &options)?;
        let numbers = data.head(data.count())?;
        if let Some(place) = numbers.iter().position(|x| !(*x as f32).is_finite()) {
            return Err(self.wrong(format!("`{name}` holds {} at {place}", numbers[place])));
        }
        Ok(numbers.into_iter().map(|x| x as f32).collect())
    }
}

/// The net of these layers of a file, of which so many encode.
fn net(arrays: &Arrays, layers: Vec<Affine>, encoder: usize) -> Result<Autoencoder> {
    if !(1..layers.len()).contains(&encoder) {
        return Err(
            arrays.wrong(format!("{encoder} of {} layers cannot encode: at least one must decode", layers.len()))
        );
    }
    let (inputs, outputs) = (layers[0].inputs, layers[layers.len() - 1].outputs);
    if inputs != outputs {
        return Err(arrays.wrong(format!(
            "it gives {outputs} values for {inputs}, where an autoencoder gives as many as it takes; of convolutions look at the size of the images, strides, paddings and output paddings"
        )));
    }
    let net = Autoencoder::new(layers, encoder);
    net.check().map_err(|error| arrays.wrong(error))?;
    Ok(net)
}

/// Writes arrays into a file, atomically.
fn write(path: &Path, arrays: &[NamedArray<'_>]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let io = |cause| crate::models::Error::Io { path: path.to_owned(), cause };
    write_arrays(std::io::BufWriter::new(file.file_mut()), path, arrays).map_err(io)?;
    Ok(file.commit()?)
}

/// A machine of scikit-learn's `BernoulliRBM`, from its arrays `components_`, `intercept_hidden_` and `intercept_visible_` as
/// `numpy.savez` writes them.
///
/// # Errors
/// If the file cannot be read, or the arrays do not fit each other.
pub fn from_scikit_learn(path: impl AsRef<Path>) -> Result<Rbm> {
    let arrays = Arrays::open(path.as_ref())?;
    let &[hidden, visible] = arrays.shape("components_")? else {
        return Err(arrays.wrong("`components_` is no matrix"));
    };
    let components = arrays.read("components_", &[hidden, visible])?;
    let rbm = Rbm {
        visible: Units::Bernoulli,
        hidden: Units::Bernoulli,
        weight: transpose(&components, visible),
        visible_bias: arrays.read("intercept_visible_", &[visible])?,
        hidden_bias: arrays.read("intercept_hidden_", &[hidden])?,
        deviation: None,
    };
    rbm.check()?;
    Ok(rbm)
}

/// Writes the arrays of scikit-learn's `BernoulliRBM` into an npz file.
///
/// # Errors
/// If the machine's units are not binary, or the file cannot be written.
pub fn to_scikit_learn(rbm: &Rbm, path: impl AsRef<Path>) -> Result<()> {
    rbm.check()?;
    if rbm.visible != Units::Bernoulli || rbm.hidden != Units::Bernoulli {
        return Err(Error::Job("scikit-learn's machines have binary units alone".to_owned()));
    }
    let (visible, hidden) = (rbm.visible_bias.len(), rbm.hidden_bias.len());
    let components = transpose(&rbm.weight, hidden);
    let arrays = [
        NamedArray { name: "components_", shape: &[hidden, visible], values: &components },
        NamedArray { name: "intercept_hidden_", shape: &[hidden], values: &rbm.hidden_bias },
        NamedArray { name: "intercept_visible_", shape: &[visible], values: &rbm.visible_bias },
    ];
    write(path.as_ref(), &arrays)
}
