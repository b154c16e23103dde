//! A model of any kind.

use std::collections::BTreeMap;
use std::path::Path;

use strait_compute::Device;
use strait_data::{Preparation, Rows};

use crate::container::{Container, Contents};
use crate::resident::Room;
use crate::{
    Affine, Autoencoder, Classifier, Dbn, Error, LoadedModel, ModelKind, Pca, Rbm, Result, SaveOptions,
    SequenceAutoencoder, Stack, Vae,
};

/// A model of any kind: what any file holds that strait has ever written.
///
/// ```
/// use strait_compute::Device;
/// use strait_data::{Preparation, Rows};
/// use strait_models::{Autoencoder, Model};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.safetensors");
/// Autoencoder::glorot(&[4, 3, 2], 1)?.save(&path)?;
///
/// let (device, model) = (Device::cpu()?, Model::open(&path)?);
/// let rows = Rows::numbers(&[0.0, 0.5, 1.0, 0.5, 1.0, 1.0, 0.0, 0.0], 4)?;
/// let codes = model.encode(&device, rows)?;
/// let scores = model.score(&device, rows)?;
/// assert_eq!((codes.len(), scores.len()), (2 * model.code_size(), 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each method loads what it needs on the device and leaves nothing there. For many calls, see [`Model::on`].
///
/// What a kind does not have gives an [`Error::Unsupported`](crate::Error::Unsupported), which names the kinds that have it:
///
/// | kind | a code | score | samples | classes |
/// | --- | --- | --- | --- | --- |
/// | `autoencoder` | the encoder's outputs | squared error | | |
/// | `vae` | means of q(z\|x) | negative evidence lower bound | from the prior | |
/// | `classifier` | outputs of the last hidden layer | | | yes |
/// | `rbm` | means of the hidden units | free energy | Gibbs sampling | |
/// | `stack` | means of the highest hidden units | squared error | | |
/// | `dbn` | features that the top machine sees | free energy of the top machine | Gibbs sampling | yes |
/// | `pca` | coordinates along the components | squared error | | |
/// | `sequence` | the last state, or units on it | squared error | | |
///
/// Rows and codes lie row after row. PCA is computed on the host in double precision, whatever the device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Model {
    /// An autoencoder.
    Autoencoder(Autoencoder),
    /// A variational autoencoder.
    Vae(Vae),
    /// A classifier.
    Classifier(Classifier),
    /// One restricted Boltzmann machine.
    Rbm(Rbm),
    /// A stack of restricted Boltzmann machines.
    Stack(Stack),
    /// A deep belief net.
    Dbn(Dbn),
    /// Principal components.
    Pca(Pca),
    /// An autoencoder of sequences.
    Sequence(SequenceAutoencoder),
    /// A model of another kind whose rows are prepared before it sees them.
    Prepared(Box<Prepared>),
}

/// A model with the preparation of its rows. Rows are prepared by [`Model::encode`] and its kin; what decodes brings rows back to the
/// scale of the data. Scores are those of the prepared rows.
///
/// ```
/// use strait_data::{Preparation, Rows, Scale};
/// use strait_models::{Autoencoder, Model};
/// let device = strait_compute::Device::cpu()?;
/// let (shift, divisor) = (vec![10.0, 20.0], vec![5.0, 2.0]);
/// let preparation = Preparation { scale: Scale::Standard, shift, divisor, ..Preparation::none() };
/// let net = Model::from(Autoencoder::glorot(&[2, 1], 1)?);
/// let model = net.clone().with(preparation)?;
/// let codes = model.encode(&device, Rows::numbers(&[15.0, 18.0], 2)?)?;
/// assert_eq!(codes, net.encode(&device, Rows::numbers(&[1.0, -1.0], 2)?)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Prepared {
    /// What is done with rows.
    pub preparation: Preparation,
    /// What sees them then.
    pub model: Model,
}

impl Model {
    /// Steps of Gibbs sampling between the random start of a chain and the row that [`Model::sample`] gives.
    pub const GIBBS_STEPS: usize = 1000;

    /// Reads a model of any kind from a file of this version of strait or an earlier one.
    ///
    /// Files of format 1 do not name their kind. One that holds a single machine is an [`Rbm`], which is also what a [`Stack`] of one is
    /// read as.
    ///
    /// # Errors
    /// If the file cannot be read, was not written by strait, has a later format, names an unknown kind, is damaged, or its tensors
    /// are not those of its architecture.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::open_with_notes(path)?.0)
    }

    /// Reads a model as [`Model::open`] does, with the notes of its [`SaveOptions`] and strait's version under `strait.version`.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_with_notes(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        let file = Container::open(path.as_ref())?;
        let (preparation, path) = (file.preparation.clone(), path.as_ref());
        let (model, notes) = match file.kind {
            ModelKind::Autoencoder => of(Autoencoder::read(file)?),
            ModelKind::Vae => of(Vae::read(file)?),
            ModelKind::Classifier => of(Classifier::read(file)?),
            ModelKind::Rbm => of(Rbm::read(file)?),
            ModelKind::Stack => of(Stack::read(file)?),
            ModelKind::Dbn => of(Dbn::read(file)?),
            ModelKind::Pca => of(Pca::read(file)?),
            ModelKind::Sequence => of(SequenceAutoencoder::read(file)?),
        };
        let wrong = |error: Error| Error::File { path: path.to_owned(), message: error.to_string() };
        let model = match preparation {
            Some(preparation) => model.with(preparation).map_err(wrong)?,
            None => model,
        };
        Ok((model, notes))
    }

    /// The model with a preparation of its rows, which takes the place of an earlier one.
    ///
    /// # Errors
    /// [`Error::Shape`] if the preparation is one of rows of another width.
    pub fn with(self, preparation: Preparation) -> Result<Self> {
        if !preparation.fits(self.inputs()) {
            let message = format!("the preparation is not one of rows of {} values", self.inputs());
            return Err(Error::Shape(message));
        }
        let model = match self {
            Self::Prepared(prepared) => prepared.model,
            model => model,
        };
        Ok(if preparation.is_none() { model } else { Self::Prepared(Box::new(Prepared { preparation, model })) })
    }

    /// What is done with rows before the model sees them.
    pub fn preparation(&self) -> Option<&Preparation> {
        match self {
            Self::Prepared(prepared) => Some(&prepared.preparation),
            _ => None,
        }
    }

    /// The model without its preparation.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Prepared(prepared) => &prepared.model,
            model => model,
        }
    }

    /// Writes the model as a safetensors file; see [`Autoencoder::save`] and its like. An existing file is replaced only when the
    /// new one is complete.
    ///
    /// # Errors
    /// If the model is not whole, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the model as [`Model::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Model::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        match self {
            Self::Prepared(prepared) => {
                let preparation = Some(prepared.preparation.clone());
                prepared.model.save_with(path, &SaveOptions { preparation, ..options.clone() })
            }
            _ => self.contents()?.write(path.as_ref(), options),
        }
    }

    /// The model as it goes into a file, without its preparation.
    pub(crate) fn contents(&self) -> Result<Contents<'_>> {
        match self {
            Self::Autoencoder(net) => net.file_contents(),
            Self::Vae(vae) => vae.file_contents(),
            Self::Classifier(net) => net.file_contents(),
            Self::Rbm(rbm) => rbm.contents(),
            Self::Stack(stack) => stack.contents(),
            Self::Dbn(net) => net.contents(),
            Self::Pca(pca) => pca.contents(),
            Self::Sequence(net) => net.contents(),
            Self::Prepared(prepared) => prepared.model.contents(),
        }
    }

    /// What it is made of, as files describe it: sizes, activations, and what it is trained with beside a recipe (noise, penalties, ties).
    /// JSON.
    ///
    /// ```
    /// let net = strait_models::Autoencoder::glorot(&[4, 2], 1)?;
    /// assert!(strait_models::Model::from(net).architecture()?.contains("\"encoder\""));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model is not whole.
    pub fn architecture(&self) -> Result<String> {
        Ok(self.contents()?.into_architecture())
    }

    /// The layers that rows pass, from the first one on: all of a net; of machines those that give the means of hidden units; of a PCA and of an
    /// autoencoder of sequences none.
    ///
    /// ```
    /// let net = strait_models::Autoencoder::glorot(&[4, 2], 1)?;
    /// assert_eq!(strait_models::Model::from(net).layers().len(), 2);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    pub fn layers(&self) -> Vec<Affine> {
        match self {
            Self::Autoencoder(Autoencoder { layers, .. })
            | Self::Vae(Vae { layers, .. })
            | Self::Classifier(Classifier { layers, .. }) => layers.clone(),
            Self::Rbm(rbm) => vec![rbm.up()],
            Self::Stack(stack) => stack.rbms.iter().map(Rbm::up).collect(),
            Self::Dbn(net) => net.recognition.iter().cloned().chain([net.top.up()]).collect(),
            Self::Pca(_) | Self::Sequence(_) => Vec::new(),
            Self::Prepared(prepared) => prepared.model.layers(),
        }
    }

    /// The layers of a net, to be replaced by others of the same shapes; nothing for models without layers.
    pub fn layers_mut(&mut self) -> Option<&mut [Affine]> {
        match self {
            Self::Autoencoder(Autoencoder { layers, .. })
            | Self::Vae(Vae { layers, .. })
            | Self::Classifier(Classifier { layers, .. })
            | Self::Sequence(SequenceAutoencoder { layers, .. }) => Some(layers),
            Self::Prepared(prepared) => prepared.model.layers_mut(),
            Self::Rbm(_) | Self::Stack(_) | Self::Dbn(_) | Self::Pca(_) => None,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Autoencoder(_) => ModelKind::Autoencoder,
            Self::Vae(_) => ModelKind::Vae,
            Self::Classifier(_) => ModelKind::Classifier,
            Self::Rbm(_) => ModelKind::Rbm,
            Self::Stack(_) => ModelKind::Stack,
            Self::Dbn(_) => ModelKind::Dbn,
            Self::Pca(_) => ModelKind::Pca,
            Self::Sequence(_) => ModelKind::Sequence,
            Self::Prepared(prepared) => prepared.model.kind(),
        }
    }

    /// The number of values in a row.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Autoencoder(Autoencoder { layers, .. })
            | Self::Vae(Vae { layers, .. })
            | Self::Classifier(Classifier { layers, .. }) => layers.first().map_or(0, |layer| layer.inputs),
            Self::Rbm(rbm) => rbm.visible_bias.len(),
            Self::Stack(stack) => stack.rbms.first().map_or(0, |rbm| rbm.visible_bias.len()),
            Self::Dbn(net) => net.sizes()[0],
            Self::Pca(pca) => pca.mean.len(),
            Self::Sequence(net) => net.inputs(),
            Self::Prepared(prepared) => prepared.model.inputs(),
        }
    }

    /// The number of values in a code.
    pub fn code_size(&self) -> usize {
        match self {
            Self::Autoencoder(net) => net.code_size(),
            Self::Vae(vae) => vae.code_size(),
            Self::Classifier(net) => net.layers.last().map_or(0, |layer| layer.inputs),
            Self::Rbm(rbm) => rbm.hidden_bias.len(),
            Self::Stack(stack) => stack.rbms.last().map_or(0, |rbm| rbm.hidden_bias.len()),
            Self::Dbn(net) => net.features_size(),
            Self::Pca(pca) => pca.code_size(),
            Self::Sequence(net) => net.code_size(),
            Self::Prepared(prepared) => prepared.model.code_size(),
        }
    }

    /// Whether its parameters fit together.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if not.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Autoencoder(net) => net.check(),
            Self::Vae(vae) => vae.check(),
            Self::Classifier(net) => net.check(),
            Self::Rbm(rbm) => rbm.check(),
            Self::Stack(stack) => stack.check(),
            Self::Dbn(net) => net.check(),
            Self::Pca(pca) => pca.check(),
            Self::Sequence(net) => net.check(),
            Self::Prepared(prepared) => prepared.model.check(),
        }
    }

    /// The model on a device, where it stays between calls.
    ///
    /// Each part (the encoder, the decoder, ...) is built, compiled and uploaded by the first call that needs it. Later calls, with
    /// however many rows, upload the rows, run, and read. On the CPU the results are those of [`Model`]'s own methods, bit by bit.
    ///
    /// ```
    /// use strait_compute::Device;
    /// use strait_data::{Preparation, Rows};
    /// use strait_models::{Autoencoder, Model};
    /// let model = Model::from(Autoencoder::glorot(&[4, 3, 2], 1)?);
    /// let mut loaded = model.on(&Device::cpu()?)?;
    /// for row in [[0.0, 0.5, 1.0, 0.5], [1.0, 1.0, 0.0, 0.0]] {
    ///     assert_eq!(loaded.encode(Rows::numbers(&row, 4)?)?.len(), 2);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the parameters do not fit together.
    pub fn on(&self, device: &Device) -> Result<LoadedModel<'_>> {
        LoadedModel::new(self, device, Room::Any)
    }

    /// [`Model::on`] for a single call with this number of rows.
    fn once(&self, device: &Device, rows: usize) -> Result<LoadedModel<'_>> {
        LoadedModel::new(self, device, Room::Once(rows))
    }

    /// The codes of these rows, `[rows, code_size]`.
    ///
    /// # Errors
    /// If the rows have another width, or the device fails.
    pub fn encode(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.once(device, rows.count)?.encode(rows)
    }

    /// The rows that these codes stand for, `[codes, inputs]`; see [`LoadedModel::decode`].
    ///
    /// # Errors
    /// If the kind cannot decode, the codes have another width, or the device fails.
    pub fn decode(&self, device: &Device, codes: Rows<'_>) -> Result<Vec<f32>> {
        self.once(device, codes.count)?.decode(codes)
    }

    /// The reconstructions of these rows, `[rows, inputs]`: their codes decoded.
    ///
    /// # Errors
    /// If the kind cannot decode, the rows have another width, or the device fails.
    pub fn reconstruct(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.once(device, rows.count)?.reconstruct(rows)
    }

    /// How strange each row is to the model, higher being stranger; see [`LoadedModel::score`].
    ///
    /// # Errors
    /// If the kind has no score, the rows have another width, or the device fails.
    pub fn score(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f64>> {
        self.once(device, rows.count)?.score(rows)
    }

    /// The class of each row.
    ///
    /// # Errors
    /// If the kind has no classes, the rows have another width, or the device fails.
    pub fn predict(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<usize>> {
        self.once(device, rows.count)?.predict(rows)
    }

    /// So many random rows that the model believes in, `[count, inputs]`; see [`LoadedModel::sample`].
    ///
    /// # Errors
    /// If the kind cannot sample, or the device fails.
    pub fn sample(&self, device: &Device, count: usize, seed: u64) -> Result<Vec<f32>> {
        self.once(device, count)?.sample(count, seed)
    }
}

/// A model of one kind as one of any kind.
fn of<M: Into<Model>>((model, notes): (M, BTreeMap<String, String>)) -> (Model, BTreeMap<String, String>) {
    (model.into(), notes)
}

impl From<Autoencoder> for Model {
    fn from(net: Autoencoder) -> Self {
        Self::Autoencoder(net)
    }
}

impl From<Vae> for Model {
    fn from(vae: Vae) -> Self {
        Self::Vae(vae)
    }
}

impl From<Classifier> for Model {
    fn from(net: Classifier) -> Self {
        Self::Classifier(net)
    }
}

impl From<Rbm> for Model {
    fn from(rbm: Rbm) -> Self {
        Self::Rbm(rbm)
    }
}

impl From<Stack> for Model {
    fn from(stack: Stack) -> Self {
        Self::Stack(stack)
    }
}

impl From<Dbn> for Model {
    fn from(net: Dbn) -> Self {
        Self::Dbn(net)
    }
}

impl From<Pca> for Model {
    fn from(pca: Pca) -> Self {
        Self::Pca(pca)
    }
}

impl From<SequenceAutoencoder> for Model {
    fn from(net: SequenceAutoencoder) -> Self {
        Self::Sequence(net)
    }
}
