//! A model that stays loaded on a device.

use std::borrow::Cow;

use strait_compute::{Activation, Device};
use strait_data::{Data, Preparation, Rows};

use crate::computation::{Computation, End};
use crate::dbn::largest;
use crate::parts::{Part, Parts};
use crate::resident::Room;
use crate::units::log_sum_exp;
use crate::{Autoencoder, Dbn, Error, Feeding, Model, ModelKind, Rbm, Result, SequenceAutoencoder, SparseCodes, Units};

/// Rows that are read while others are computed: enough for a few minibatches.
const WINDOW: usize = 8000;

/// The kinds that decode codes, and whose rows have scores.
const GENERATIVE: &[ModelKind] = &[
    ModelKind::Autoencoder,
    ModelKind::Vae,
    ModelKind::Rbm,
    ModelKind::Stack,
    ModelKind::Dbn,
    ModelKind::Pca,
    ModelKind::Sequence,
];

/// The kinds that random rows are drawn from.
const SAMPLED: &[ModelKind] = &[ModelKind::Vae, ModelKind::Rbm, ModelKind::Dbn];

/// Why a loaded model is of no kind that prepares rows.
const WITHOUT: &str = "a loaded model is held without its preparation";

/// The kinds that have classes.
const CLASSIFYING: &[ModelKind] = &[ModelKind::Classifier, ModelKind::Dbn];

/// A [`Model`] on a device, where it stays between calls; made by [`Model::on`].
///
/// It borrows the model, unless you make it [own](LoadedModel::into_owned) it.
pub struct LoadedModel<'a> {
    /// Without its preparation.
    model: Cow<'a, Model>,
    preparation: Option<Preparation>,
    parts: Parts,
}

impl std::fmt::Debug for LoadedModel<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoadedModel({} on {})", self.model.kind(), self.parts.device.describe())
    }
}

impl<'a> LoadedModel<'a> {
    pub(crate) fn new(model: &'a Model, device: &Device, room: Room) -> Result<Self> {
        model.check()?;
        let (preparation, parts) = (model.preparation().cloned(), Parts::new(device.clone(), room));
        Ok(Self { model: Cow::Borrowed(model.inner()), preparation, parts })
    }

    /// The same with a model of its own: a copy, if it was borrowed. Loaded parts stay loaded.
    pub fn into_owned(self) -> LoadedModel<'static> {
        LoadedModel { model: Cow::Owned(self.model.into_owned()), preparation: self.preparation, parts: self.parts }
    }

    /// The model, without its preparation.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The device that it is on.
    pub fn device(&self) -> &Device {
        &self.parts.device
    }

    fn unsupported(&self, task: &'static str, able: &'static [ModelKind]) -> Error {
        Error::Unsupported { kind: self.model.kind(), task, able }
    }

    /// The codes of these rows, `[rows, code_size]`.
    ///
    /// # Errors
    /// If the rows have another width, or the device fails.
    pub fn encode(&mut self, rows: Rows<'_>) -> Result<Vec<f32>> {
        let room = &mut Vec::new();
        let rows = self.prepared(rows, room)?;
        self.encode_prepared(rows)
    }

    /// The codes of these rows as lists of the numbers that stay, of an autoencoder that keeps the largest ones; see
    /// [`Autoencoder::encode_largest`].
    ///
    /// # Errors
    /// If the model keeps all numbers of a code or has none, the rows have another width, or the device fails.
    pub fn encode_largest(&mut self, rows: Rows<'_>) -> Result<SparseCodes> {
        let room = &mut Vec::new();
        let rows = self.prepared(rows, room)?;
        self.list_prepared(rows)
    }

    /// The lists of all rows of a data set, as [`LoadedModel::encode_data`].
    ///
    /// # Errors
    /// As [`LoadedModel::encode_largest`], and if the data cannot be read or `each` fails.
    pub fn encode_largest_data(&mut self, data: &Data, mut each: impl FnMut(&SparseCodes) -> Result<()>) -> Result<()> {
        self.windows(data, |model, rows| each(&model.list_prepared(rows)?))
    }

    fn list_prepared(&mut self, rows: Rows<'_>) -> Result<SparseCodes> {
        let (Model::Autoencoder(net), parts) = (&*self.model, &mut self.parts) else {
            return Err(self.unsupported("list the largest numbers of codes", &[ModelKind::Autoencoder]));
        };
        net.require_few()?;
        let units = net.code_size();
        match net.listing() {
            Some((k, computation)) => {
                let lists = parts.get(Part::Largest, || computation)?.outputs(rows)?;
                Ok(SparseCodes::split(&lists, units, k))
            }
            None => {
                let encoder = parts.get(Part::Encoder, || net.encoding())?;
                SparseCodes::of_rows(rows, units, |rows| encoder.outputs(rows))
            }
        }
    }

    /// The codes of all rows of a data set, which are read and encoded window by window: `each` gets the codes of each. Scaling is
    /// computed in double precision from the values as the file holds them.
    ///
    /// # Errors
    /// As [`LoadedModel::encode`], and if the data cannot be read or `each` fails.
    pub fn encode_data(&mut self, data: &Data, mut each: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        self.windows(data, |model, rows| each(&model.encode_prepared(rows)?))
    }

    /// The scores of all rows of a data set, as [`LoadedModel::encode_data`].
    ///
    /// # Errors
    /// As [`LoadedModel::score`], and if the data cannot be read or `each` fails.
    pub fn score_data(&mut self, data: &Data, mut each: impl FnMut(&[f64]) -> Result<()>) -> Result<()> {
        self.windows(data, |model, rows| each(&model.score_prepared(rows)?))
    }

    /// The reconstructions of all rows of a data set, as [`LoadedModel::encode_data`], in the scale of the data and in double precision.
    ///
    /// # Errors
    /// As [`LoadedModel::reconstruct`], and if the data cannot be read or `each` fails.
    pub fn reconstruct_data(&mut self, data: &Data, mut each: impl FnMut(&[f64]) -> Result<()>) -> Result<()> {
        self.windows(data, |model, rows| {
            let made = model.reconstruct_prepared(rows)?;
            each(&model.undone_wide(&made))
        })
    }

    /// The rows that all codes of a data set stand for, as [`LoadedModel::reconstruct_data`].
    ///
    /// # Errors
    /// As [`LoadedModel::decode`], and if the data cannot be read or `each` fails.
    pub fn decode_data(&mut self, codes: &Data, mut each: impl FnMut(&[f64]) -> Result<()>) -> Result<()> {
        codes.windows(WINDOW, |_, codes| {
            let made = self.decode_prepared(codes)?;
            each(&self.undone_wide(&made))
        })
    }

    /// [`LoadedModel::sample`] in double precision.
    ///
    /// # Errors
    /// As [`LoadedModel::sample`].
    pub fn sample_wide(&mut self, count: usize, seed: u64) -> Result<Vec<f64>> {
        let made = self.sample_prepared(count, seed)?;
        Ok(self.undone_wide(&made))
    }

    /// The classes of all rows of a data set, as [`LoadedModel::encode_data`].
    ///
    /// # Errors
    /// As [`LoadedModel::predict`], and if the data cannot be read or `each` fails.
    pub fn predict_data(&mut self, data: &Data, mut each: impl FnMut(&[usize]) -> Result<()>) -> Result<()> {
        self.windows(data, |model, rows| each(&model.predict_prepared(rows)?))
    }

    /// Calls `each` with windows of the rows as the model sees them.
    fn windows(&mut self, data: &Data, mut each: impl FnMut(&mut Self, Rows<'_>) -> Result<()>) -> Result<()> {
        let prepared = self.preparation.as_ref().map(|preparation| data.prepared(preparation)).transpose()?;
        prepared.as_ref().unwrap_or(data).windows(WINDOW, |_, rows| each(self, rows))
    }

    /// The rows as the model sees them; `room` holds them where they are not the same.
    fn prepared<'r>(&self, rows: Rows<'r>, room: &'r mut Vec<f32>) -> Result<Rows<'r>> {
        let Some(preparation) = &self.preparation else { return Ok(rows) };
        if rows.width != self.model.inputs() {
            return Err(Error::Width { expected: self.model.inputs(), found: rows.width });
        }
        if preparation.changes_nothing() {
            return Ok(rows);
        }
        *room = preparation.applied(rows);
        Ok(Rows::numbers(room, rows.width)?)
    }

    /// Rows that the model has made in the scale of the data, in double precision.
    fn undone_wide(&self, rows: &[f32]) -> Vec<f64> {
        match &self.preparation {
            Some(preparation) => preparation.undone(rows),
            None => rows.iter().map(|&x| f64::from(x)).collect(),
        }
    }

    /// Brings rows that the model has made to the scale of the data.
    fn undone(&self, mut rows: Vec<f32>) -> Vec<f32> {
        if let Some(preparation) = &self.preparation {
            preparation.undo(&mut rows);
        }
        rows
    }

    fn encode_prepared(&mut self, rows: Rows<'_>) -> Result<Vec<f32>> {
        let parts = &mut self.parts;
        match &*self.model {
            Model::Autoencoder(net) => parts.get(Part::Encoder, || net.encoding())?.outputs(rows),
            Model::Vae(vae) => {
                let moments = parts.outputs(Part::Encoder, rows, || (&vae.layers[..vae.encoder]).into())?;
                // The other half of each row are logarithms of variances.
                let size = vae.code_size();
                Ok(moments.chunks_exact(2 * size).flat_map(|row| &row[..size]).copied().collect())
            }
            Model::Classifier(net) => match &net.layers[..net.layers.len() - 1] {
                [] => unchanged(rows, self.model.inputs()),
                layers => parts.outputs(Part::Encoder, rows, || layers.into()),
            },
            Model::Rbm(rbm) => means_up(parts, std::slice::from_ref(rbm), rows),
            Model::Stack(stack) => means_up(parts, &stack.rbms, rows),
            Model::Dbn(net) => features(parts, net, rows),
            Model::Pca(pca) => Ok(pca.encode(rows)?.into_iter().flatten().map(|x| x as f32).collect()),
            Model::Sequence(net) => codes_of(parts, net, rows),
            Model::Prepared(_) => unreachable!("{WITHOUT}"),
        }
    }

    /// The rows that these codes stand for, `[codes, inputs]`. Machines, stacks and belief nets pass means down, layer by layer; of
    /// groups of visible units these are probabilities.
    ///
    /// # Errors
    /// [`Error::Unsupported`] of a classifier; if the codes have another width, or the device fails.
    pub fn decode(&mut self, codes: Rows<'_>) -> Result<Vec<f32>> {
        let rows = self.decode_prepared(codes)?;
        Ok(self.undone(rows))
    }

    fn decode_prepared(&mut self, codes: Rows<'_>) -> Result<Vec<f32>> {
        let parts = &mut self.parts;
        match &*self.model {
            Model::Autoencoder(net) => parts.outputs(Part::Decoder, codes, || (&net.layers[net.encoder..]).into()),
            Model::Vae(vae) => parts.outputs(Part::Decoder, codes, || (&vae.layers[vae.encoder..]).into()),
            Model::Rbm(rbm) => means_down(parts, std::slice::from_ref(rbm), codes),
            Model::Stack(stack) => means_down(parts, &stack.rbms, codes),
            Model::Dbn(net) if net.generative.is_empty() => unchanged(codes, net.features_size()),
            Model::Dbn(net) => parts.outputs(Part::Decoder, codes, || net.generative.iter().rev().cloned().collect()),
            Model::Pca(pca) => {
                let numbers = unchanged(codes, pca.code_size())?;
                let wide: Vec<f64> = numbers.into_iter().map(f64::from).collect();
                Ok(wide.chunks_exact(codes.width).flat_map(|code| pca.decode(code)).collect())
            }
            Model::Sequence(net) => Ok(net.completed(sequences_of(parts, net, codes)?, None)),
            Model::Classifier(_) => Err(self.unsupported("decode codes", GENERATIVE)),
            Model::Prepared(_) => unreachable!("{WITHOUT}"),
        }
    }

    /// The reconstructions of these rows, `[rows, inputs]`: their codes decoded.
    ///
    /// # Errors
    /// [`Error::Unsupported`] of a classifier; if the rows have another width, or the device fails.
    pub fn reconstruct(&mut self, rows: Rows<'_>) -> Result<Vec<f32>> {
        let room = &mut Vec::new();
        let rows = self.prepared(rows, room)?;
        let made = self.reconstruct_prepared(rows)?;
        Ok(self.undone(made))
    }

    fn reconstruct_prepared(&mut self, rows: Rows<'_>) -> Result<Vec<f32>> {
        match &*self.model {
            Model::Autoencoder(net) => self.parts.get(Part::Whole, || whole(net))?.outputs(rows),
            Model::Pca(pca) => Ok(pca.encode(rows)?.iter().flat_map(|code| pca.decode(code)).collect()),
            Model::Sequence(net) => rewritten(&mut self.parts, net, rows),
            Model::Classifier(_) => Err(self.unsupported("reconstruct rows", GENERATIVE)),
            Model::Prepared(_) => unreachable!("{WITHOUT}"),
            Model::Vae(_) | Model::Rbm(_) | Model::Stack(_) | Model::Dbn(_) => {
                let codes = self.encode_prepared(rows)?;
                self.decode_prepared(Rows::numbers(&codes, self.model.code_size())?)
            }
        }
    }

    /// How strange each row is to the model; higher is stranger.
    ///
    /// | kind | score |
    /// | --- | --- |
    /// | `autoencoder`, `stack`, `pca`, `sequence` | the squared error of the reconstruction, summed over the values of the row |
    /// | `vae` | the negative evidence lower bound, in nats |
    /// | `rbm` | the [free energy](Rbm::free_energy): −ln p(row) up to a constant |
    /// | `dbn` | −ln Σ e^−F over the classes, where F is the free energy of the features and a class in the top machine |
    ///
    /// The bound is estimated from one random code for each row. Its seed is fixed, so that the same rows always get the same
    /// scores; but the code, and so the score, depends on the row's position.
    ///
    /// A stack has no free energy of its own: that of its lowest machine would leave out all machines above. The error of its
    /// reconstruction uses all of them.
    ///
    /// For a belief net [without layers below](Dbn::alone) the score is −ln p(row) up to a constant. Otherwise it says how strange
    /// the features are, and nothing of what the features leave out.
    ///
    /// # Errors
    /// [`Error::Unsupported`] of a classifier; if the rows have another width, an autoencoder has not as many outputs as inputs, the
    /// visible units of a machine are rectified, which have no free energy, a value is not in 0..=1 where it stands for a
    /// probability, or the device fails.
    pub fn score(&mut self, rows: Rows<'_>) -> Result<Vec<f64>> {
        let room = &mut Vec::new();
        let rows = self.prepared(rows, room)?;
        self.score_prepared(rows)
    }

    fn score_prepared(&mut self, rows: Rows<'_>) -> Result<Vec<f64>> {
        /// Of the random codes.
        const SEED: u64 = 2013;
        let parts = &mut self.parts;
        match &*self.model {
            Model::Autoencoder(net) => {
                let (inputs, outputs) = (self.model.inputs(), net.sizes()[net.layers.len()]);
                if inputs != outputs {
                    let message = format!("{outputs} outputs cannot be compared with the {inputs} values of a row");
                    return Err(Error::Shape(message));
                }
                let metrics = parts.get(Part::Whole, || whole(net))?.metrics(rows, 0)?;
                Ok(metrics.errors.into_iter().flatten().map(f64::from).collect())
            }
            Model::Vae(vae) => {
                vae.check_rows(&rows)?;
                let bound = || Computation { end: End::Bound(vae), ..Computation::outputs(&vae.layers[..]) };
                let terms = vae.terms(parts.get(Part::Bound, bound)?.metrics(rows, SEED)?);
                Ok(terms.errors.iter().zip(terms.divergences).map(|(x, y)| x + f64::from(y)).collect())
            }
            Model::Rbm(rbm) => {
                let normalisers = hidden_normalisers(parts, rbm, rows)?;
                rbm.energies(rows, normalisers)
            }
            Model::Sequence(net) => {
                let made = rewritten(parts, net, rows)?;
                let errors = net.step_errors(rows, &made)?;
                Ok(errors.chunks_exact(net.shape.steps).map(|steps| steps.iter().sum()).collect())
            }
            Model::Stack(_) => {
                let reconstructions = self.reconstruct_prepared(rows)?;
                let rows = rows.to_numbers().into_iter().zip(reconstructions).collect::<Vec<_>>();
                let square = |(x, y): &(f32, f32)| (f64::from(*x) - f64::from(*y)).powi(2);
                Ok(rows.chunks_exact(self.model.inputs()).map(|row| row.iter().map(square).sum()).collect())
            }
            Model::Dbn(net) => {
                let features = features(parts, net, rows)?;
                let energies = class_energies(parts, net, &features)?;
                let rows = features.chunks_exact(net.features_size()).zip(energies.chunks_exact(net.classes));
                Ok(rows.map(|(features, energies)| free_energy(net, features, energies)).collect())
            }
            Model::Pca(pca) => pca.errors(rows),
            Model::Classifier(_) => Err(self.unsupported("score rows", GENERATIVE)),
            Model::Prepared(_) => unreachable!("{WITHOUT}"),
        }
    }

    /// The class of each row: that of the largest probability, or of the lowest free energy.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the kind has no classes; if the rows have another width, or the device fails.
    pub fn predict(&mut self, rows: Rows<'_>) -> Result<Vec<usize>> {
        let room = &mut Vec::new();
        let rows = self.prepared(rows, room)?;
        self.predict_prepared(rows)
    }

    fn predict_prepared(&mut self, rows: Rows<'_>) -> Result<Vec<usize>> {
        let parts = &mut self.parts;
        let (values, classes) = match &*self.model {
            Model::Classifier(net) => (parts.outputs(Part::Classes, rows, || (&net.layers[..]).into())?, net.classes()),
            Model::Dbn(net) => {
                let features = features(parts, net, rows)?;
                (class_energies(parts, net, &features)?, net.classes)
            }
            _ => return Err(self.unsupported("predict classes", CLASSIFYING)),
        };
        Ok(values.chunks_exact(classes).map(largest).collect())
    }

    /// So many random rows that the model believes in, `[count, inputs]`; the same for the same seed.
    ///
    /// * `vae`: the means of p(x|z) for codes from the prior ([`Vae::sample`](crate::Vae::sample));
    /// * `rbm`: fantasies after [`Model::GIBBS_STEPS`] steps of Gibbs sampling from random starts ([`Rbm::sample`]);
    /// * `dbn`: such fantasies of the top machine, of any class, drawn downwards ([`Dbn::sample`]).
    ///
    /// Chains of Gibbs sampling are loaded anew by each call, which takes little of the time of so many steps.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the kind cannot sample; if the rows do not fit on the device all at once, or it fails.
    pub fn sample(&mut self, count: usize, seed: u64) -> Result<Vec<f32>> {
        let made = self.sample_prepared(count, seed)?;
        Ok(self.undone(made))
    }

    fn sample_prepared(&mut self, count: usize, seed: u64) -> Result<Vec<f32>> {
        match &*self.model {
            Model::Vae(_) if count == 0 => Ok(Vec::new()),
            Model::Vae(vae) => {
                let codes = vae.prior(count, seed);
                self.decode_prepared(Rows::numbers(&codes, self.model.code_size())?)
            }
            Model::Rbm(rbm) => rbm.sample(&self.parts.device, count, Model::GIBBS_STEPS, seed),
            Model::Dbn(net) => net.sample(&self.parts.device, count, Model::GIBBS_STEPS, seed),
            _ => Err(self.unsupported("sample rows", SAMPLED)),
        }
    }
}

/// With errors, unless the outputs are something else than the rows.
fn whole(net: &Autoencoder) -> Computation<'_> {
    let outputs = Computation::outputs(&net.layers[..]);
    let end = if outputs.width() == outputs.inputs() { End::Errors } else { End::Outputs };
    Computation { largest: net.largest(), end, ..outputs }
}

/// The rows themselves, as the codes of nets without layers to encode.
fn unchanged(rows: Rows<'_>, expected: usize) -> Result<Vec<f32>> {
    if rows.width != expected {
        return Err(Error::Width { expected, found: rows.width });
    }
    Ok(rows.to_numbers())
}

/// The codes of sequences, which must have steps.
pub(crate) fn codes_of(parts: &mut Parts, net: &SequenceAutoencoder, rows: Rows<'_>) -> Result<Vec<f32>> {
    net.check_rows(&rows)?;
    parts.get(Part::Encoder, || Computation::codes(net))?.outputs(rows)
}

/// The values of the sequences that codes stand for.
pub(crate) fn sequences_of(parts: &mut Parts, net: &SequenceAutoencoder, codes: Rows<'_>) -> Result<Vec<f32>> {
    match net.shape.feeding {
        Feeding::Code => parts.get(Part::Decoder, || Computation::sequences(net))?.outputs(codes),
        Feeding::Previous => net.run_freely(&parts.device, codes),
    }
}

/// The reconstructions of sequences.
fn rewritten(parts: &mut Parts, net: &SequenceAutoencoder, rows: Rows<'_>) -> Result<Vec<f32>> {
    let codes = codes_of(parts, net, rows)?;
    let made = sequences_of(parts, net, Rows::numbers(&codes, net.code_size())?)?;
    Ok(net.completed(made, Some(&rows)))
}

/// The means of the highest hidden units of some machines.
fn means_up(parts: &mut Parts, rbms: &[Rbm], rows: Rows<'_>) -> Result<Vec<f32>> {
    let mut codes = parts.outputs(Part::Encoder, rows, || rbms.iter().map(Rbm::up).collect())?;
    if let Some(top) = rbms.last() {
        top.hidden.finish(&mut codes, top.hidden_bias.len());
    }
    Ok(codes)
}

/// The means of the lowest visible units of some machines.
fn means_down(parts: &mut Parts, rbms: &[Rbm], codes: Rows<'_>) -> Result<Vec<f32>> {
    let mut rows = parts.outputs(Part::Decoder, codes, || rbms.iter().rev().map(Rbm::down).collect())?;
    if let Some(bottom) = rbms.first() {
        bottom.visible.finish(&mut rows, bottom.visible_bias.len());
    }
    Ok(rows)
}

/// ln Σ e^−E over the hidden states of a machine for each row, but for the energy of the visible units: ln(1 + eˣ), summed on the
/// device, of binary units with the total inputs x.
fn hidden_normalisers(parts: &mut Parts, rbm: &Rbm, rows: Rows<'_>) -> Result<Vec<f64>> {
    if rbm.hidden == Units::Bernoulli {
        let soft = || vec![rbm.totals(Activation::Softplus)];
        let part = parts.get(Part::Hidden, || Computation { end: End::Sums, ..Computation::outputs(soft()) })?;
        return Ok(part.metrics(rows, 0)?.losses.into_iter().flatten().map(f64::from).collect());
    }
    let totals = parts.outputs(Part::Hidden, rows, || vec![rbm.totals(Activation::Linear)].into())?;
    let normaliser = |row: &[f32]| {
        let inputs: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        rbm.hidden.log_normaliser(&inputs, None)
    };
    Ok(totals.chunks_exact(rbm.hidden_bias.len()).map(normaliser).collect())
}

/// What a belief net's top machine sees of rows.
fn features(parts: &mut Parts, net: &Dbn, rows: Rows<'_>) -> Result<Vec<f32>> {
    if net.recognition.is_empty() {
        return unchanged(rows, net.features_size());
    }
    parts.outputs(Part::Encoder, rows, || (&net.recognition[..]).into())
}

/// The negative free energies of features with each class, up to what is the same for all classes.
fn class_energies(parts: &mut Parts, net: &Dbn, features: &[f32]) -> Result<Vec<f32>> {
    let size = net.features_size();
    let part = parts.get(Part::Classes, || Computation::classes(&net.top, size))?;
    part.outputs(Rows::numbers(features, size)?)
}

/// The free energy of features whose label is summed out.
fn free_energy(net: &Dbn, features: &[f32], energies: &[f32]) -> f64 {
    let same = features.iter().zip(&net.top.visible_bias).map(|(&x, &a)| f64::from(x) * f64::from(a)).sum::<f64>();
    let energies: Vec<f64> = energies.iter().map(|&x| f64::from(x)).collect();
    -same - log_sum_exp(&energies)
}
