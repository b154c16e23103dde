//! Classifiers.

use std::collections::BTreeMap;
use std::path::Path;

use strait_compute::philox::{Stream, streams};
use strait_compute::{Activation, Device, Noise};
use strait_data::Rows;

use crate::autoencoder::check_sizes;
use crate::container::Container;
use crate::container::Contents;
use crate::dbn::{largest, mistakes};
use crate::file::{Code, Loaded, NetContents, Settings};
use crate::member::{Member, check_noise};
use crate::tape::{Tape, Value};
use crate::{Affine, Error, Result, SaveOptions, forward};
use crate::{Goal, Layer, Model};

/// Layers whose last outputs are logits: p(class | x) = softmax(logits).
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// All layers from the input to the logits, which are linear.
    pub layers: Vec<Affine>,
    /// Noise on the inputs in training.
    pub corruption: Option<Noise>,
}

impl Classifier {
    /// A classifier of the given sizes, from the input to the classes, with Glorot's random weights and hidden units of one
    /// activation.
    ///
    /// ```
    /// use strait_compute::Activation;
    /// let net = strait_models::Classifier::glorot(&[784, 500, 500, 2000, 10], Activation::Logistic, 1)?;
    /// assert_eq!((net.layers.len(), net.classes()), (4, 10));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two sizes, or one is zero.
    pub fn glorot(sizes: &[usize], hidden: Activation, seed: u64) -> Result<Self> {
        check_sizes(sizes)?;
        let mut stream = Stream::new(seed, streams::CLASSIFIER);
        let (last, below) = (sizes.len() - 1, &sizes[..sizes.len() - 1]);
        let layers = below.windows(2).map(|pair| Affine::glorot(pair[0], pair[1], hidden, &mut stream));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let logits = Affine::glorot(sizes[last - 1], sizes[last], Activation::Linear, &mut stream)?;
        Ok(Self { layers: [layers, vec![logits]].concat(), corruption: None })
    }

    /// A classifier on the outputs of these layers, such as the encoder of an autoencoder, with Glorot's random weights for
    /// the logits.
    ///
    /// ```
    /// use strait_models::{Autoencoder, Classifier};
    /// let net = Autoencoder::glorot(&[784, 500, 250], 1)?;
    /// let classifier = Classifier::on(&net.layers[..net.encoder], 10, 1)?;
    /// assert_eq!((classifier.layers[2].inputs, classifier.classes()), (250, 10));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no layers or no classes, or the layers do not fit together.
    pub fn on(layers: &[Affine], classes: usize, seed: u64) -> Result<Self> {
        check_sizes(&[layers.last().map_or(0, |layer| layer.outputs), classes])?;
        let mut stream = Stream::new(seed, streams::LOGITS);
        let logits = Affine::glorot(layers[layers.len() - 1].outputs, classes, Activation::Linear, &mut stream)?;
        let net = Self { layers: [layers, &[logits]].concat(), corruption: None };
        net.check()?;
        Ok(net)
    }

    /// Whether the layers fit together and end in linear units.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        self.contents().check()?;
        match self.layers.last() {
            Some(last) if last.activation != Activation::Linear => {
                let name = last.activation.name();
                Err(Error::Shape(format!("a classifier's last units are linear, since softmax follows, not {name}")))
            }
            _ => Ok(()),
        }
    }

    fn contents(&self) -> NetContents<'_> {
        let encoder = self.layers.len().saturating_sub(1);
        let settings = Settings { corruption: self.corruption, ..Settings::default() };
        NetContents { layers: &self.layers, encoder, code: Code::Features, top_k: None, settings }
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    /// For each row the logits of the classes.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn logits(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        forward(device, &self.layers, None, &rows)
    }

    /// For each row the class of the largest probability.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn predict(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<usize>> {
        let logits = self.logits(device, rows)?;
        Ok(logits.chunks_exact(self.classes()).map(largest).collect())
    }

    /// The share of rows that are given another class than their label.
    ///
    /// # Errors
    /// If the rows do not fit, there is not a label for each, or the device fails.
    pub fn error_rate(&self, device: &Device, rows: Rows<'_>, labels: &[u32]) -> Result<f64> {
        mistakes(&self.predict(device, rows)?, labels)
    }

    /// Writes the net as a safetensors file that PyTorch loads, as [`Autoencoder::save`](crate::Autoencoder::save) does:
    /// `encoder` names all layers but the last one, `decoder` the last one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the net as [`Classifier::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Classifier::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.file_contents()?.write(path.as_ref(), options)
    }

    /// The net as it goes into a file.
    pub(crate) fn file_contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        crate::file::contents(self.contents())
    }

    /// Reads a net from a file that [`Classifier::save`] wrote, with the notes.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, holds another kind of model, or its tensors are not those of its architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        let Loaded { layers, settings, .. } = crate::file::read(&file, Code::Features)?;
        let net = Self { layers, corruption: settings.corruption };
        net.check().map_err(|error| file.wrong(error.to_string()))?;
        Ok((net, file.notes))
    }
}

/// The loss is the cross-entropy between the classes behind each row, as [`Labelled`](strait_data::Labelled) puts them, and
/// the softmax of the logits; the objective has no say.
impl Member for Classifier {
    fn stage(&self) -> &'static str {
        "classifier"
    }

    fn to_model(&self) -> Option<Model> {
        Some(self.clone().into())
    }

    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn targets(&self) -> usize {
        self.classes()
    }

    fn check(&self, goal: &Goal) -> Result<()> {
        Self::check(self)?;
        check_noise(self.corruption, goal)
    }

    fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, _: &Goal) -> Result<()> {
        let input = self.corruption.map_or(Ok(x), |noise| tape.corrupt(x, noise))?;
        let logits = tape.chain(input, layers)?;
        tape.classify(logits, target)
    }
}
