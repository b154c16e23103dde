//! Autoencoders.

use std::collections::BTreeMap;
use std::path::Path;

use strait_compute::philox::{Stream, streams};
use strait_compute::{Activation, Device, LossKind, Noise, Op, Window};
use strait_data::Rows;

use crate::container::Container;
use crate::container::Contents;
use crate::file::{Code, Loaded, NetContents, Settings};
use crate::member::{Member, check_noise, reconstructs};
use crate::network::{Evaluation, LargestOutputs, parts};
use crate::objective::Penalty;
use crate::tape::{Tape, Value};
use crate::{Affine, AuxK, Convolution, Error, Result, SaveOptions, Thresholds, forward, transpose};
use crate::{Goal, Layer, Model};

/// Layers that encode a row into a code, and layers that decode it.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoencoder {
    /// All layers from the input to the reconstruction.
    pub layers: Vec<Affine>,
    /// How many of them encode.
    pub encoder: usize,
    /// How many numbers of a code stay, the largest ones, while the others become 0 (Makhzani & Frey 2013); all of them
    /// if this is nothing. The code's units must then be rectified or logistic.
    pub top_k: Option<usize>,
    /// Whether the decoder's weights stay those of the encoder, transposed, as [`Autoencoder::tie`] makes them.
    pub tied: bool,
    /// Noise on the inputs in training, drawn anew for each row of each epoch, from which the rows as they were are to be
    /// reconstructed: a denoising autoencoder (Vincent et al. 2008).
    pub corruption: Option<Noise>,
    /// A penalty on the code in training: a sparse or contractive autoencoder.
    pub penalty: Option<Penalty>,
    /// Whether the rows of the weights that decode a code whose largest numbers stay, the directions of its units, have length 1 in training.
    pub unit_rows: bool,
    /// How a code whose units have thresholds, [`Affine::threshold`] of the last layer that encodes, is trained; without it they stay as they are.
    pub thresholds: Option<Thresholds>,
    /// A loss that is to bring back dead units of a code whose largest numbers stay.
    pub aux_k: Option<AuxK>,
}

impl Autoencoder {
    /// These layers, so many of which encode: a plain autoencoder.
    pub fn new(layers: Vec<Affine>, encoder: usize) -> Self {
        Self {
            layers,
            encoder,
            top_k: None,
            tied: false,
            corruption: None,
            penalty: None,
            unit_rows: false,
            thresholds: None,
            aux_k: None,
        }
    }

    /// An autoencoder of the given sizes, from the input to the code, with Glorot's random weights: logistic units,
    /// linear ones in the code, decoded by the same sizes in reverse.
    ///
    /// ```
    /// let net = strait_models::Autoencoder::glorot(&[784, 100, 10], 1)?;
    /// assert_eq!(net.sizes(), [784, 100, 10, 100, 784]);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two sizes, or one is zero.
    pub fn glorot(sizes: &[usize], seed: u64) -> Result<Self> {
        check_sizes(sizes)?;
        let mut stream = Stream::new(seed, streams::AUTOENCODER);
        let down = sizes.iter().rev().skip(1).copied();
        let all: Vec<usize> = sizes.iter().copied().chain(down).collect();
        let encoder = sizes.len() - 1;
        let layer = |(i, pair): (usize, &[usize])| {
            let activation = if i + 1 == encoder { Activation::Linear } else { Activation::Logistic };
            Affine::glorot(pair[0], pair[1], activation, &mut stream)
        };
        let layers = all.windows(2).enumerate().map(layer).collect::<Result<_>>()?;
        Ok(Self::new(layers, encoder))
    }

    /// Logistic PCA as a net to be trained: a linear code of `code` values and logistic reconstructions of `inputs`
    /// values, nothing between.
    ///
    /// # Errors
    /// If one of the sizes is zero.
    pub fn logistic_pca(inputs: usize, code: usize, seed: u64) -> Result<Self> {
        Self::glorot(&[inputs, code], seed)
    }

    /// A linear autoencoder: a linear code of `code` values and linear reconstructions of `inputs` values. Trained on the
    /// squared error it finds the space of the first principal components (Baldi & Hornik 1989).
    ///
    /// # Errors
    /// If one of the sizes is zero.
    pub fn linear(inputs: usize, code: usize, seed: u64) -> Result<Self> {
        let mut net = Self::glorot(&[inputs, code], seed)?;
        net.layers.iter_mut().for_each(|layer| layer.activation = Activation::Linear);
        Ok(net)
    }

    /// A convolutional autoencoder of images, `[height, width, channels]`: each layer of the encoder is a convolution by
    /// windows of `kernel` x `kernel` pixels in steps of two with that many filters, each of the decoder the transpose of
    /// one. Rectified units, logistic ones in the reconstruction; the code is the last map of the encoder.
    ///
    /// ```
    /// let net = strait_models::Autoencoder::convolutional([28, 28, 1], &[16, 8, 8], 3, 1)?;
    /// assert_eq!(net.sizes(), [784, 14 * 14 * 16, 7 * 7 * 8, 4 * 4 * 8, 7 * 7 * 8, 14 * 14 * 16, 784]);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no filters, or a window does not fit its map.
    pub fn convolutional(image: [usize; 3], filters: &[usize], kernel: usize, seed: u64) -> Result<Self> {
        let [height, width, channels] = image;
        let first = Window { height, width, channels, kernel, stride: 2, padding: kernel / 2, over_time: false };
        Self::of_convolutions(first, filters, Activation::Logistic, seed)
    }

    /// A convolutional autoencoder of sequences of `steps` steps with `values` values each: the convolutions slide over the
    /// steps, in windows of `kernel` steps, and each halves their number. Rectified units, linear ones in the reconstruction;
    /// the code is what the last convolution makes of each step that is left.
    ///
    /// ```
    /// let net = strait_models::Autoencoder::convolutional_over_time([100, 3], &[16, 8], 5, 1)?;
    /// assert_eq!(net.sizes(), [100 * 3, 50 * 16, 25 * 8, 50 * 16, 100 * 3]);
    /// assert_eq!(net.layers[0].weight.len(), 5 * 3 * 16);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if `filters` is empty, or a sequence is shorter than a window.
    pub fn convolutional_over_time(
        [steps, values]: [usize; 2],
        filters: &[usize],
        kernel: usize,
        seed: u64,
    ) -> Result<Self> {
        let first = Window {
            height: steps,
            width: 1,
            channels: values,
            kernel,
            stride: 2,
            padding: kernel / 2,
            over_time: true,
        };
        Self::of_convolutions(first, filters, Activation::Linear, seed)
    }

    /// Convolutions of which the first has this window, and their transposes.
    fn of_convolutions(first: Window, filters: &[usize], outputs: Activation, seed: u64) -> Result<Self> {
        check_sizes(&[&[first.channels], filters].concat())?;
        let mut stream = Stream::new(seed, streams::CONVOLUTIONAL);
        let mut window = first;
        let mut windows = Vec::new();
        for &filters in filters {
            if !window.is_sensible() {
                let Window { height, width, channels, .. } = window;
                let [tall, wide] = window.edges();
                let message = format!(
                    "windows of {tall} x {wide} do not fit maps of {height} x {width} with {channels} channels"
                );
                return Err(Error::Shape(message));
            }
            windows.push((window, filters));
            let [height, width] = window.steps();
            window = Window { height, width, channels: filters, ..window };
        }
        let mut layer = |&(window, filters): &(Window, usize), transposed: bool, activation: Activation| {
            Affine::convolution(Convolution { window, transposed }, filters, activation, &mut stream)
        };
        let down = windows.iter().map(|window| layer(window, false, Activation::Relu)).collect::<Result<Vec<_>>>()?;
        let up =
            windows.iter().rev().map(|window| layer(window, true, Activation::Relu)).collect::<Result<Vec<_>>>()?;
        let mut net = Self::new([down, up].concat(), filters.len());
        if let Some(last) = net.layers.last_mut() {
            last.activation = outputs;
        }
        net.check()?;
        Ok(net)
    }

    /// Makes the weights of the decoder those of the encoder, transposed, in reverse order. They stay so in training.
    ///
    /// ```
    /// let mut net = strait_models::Autoencoder::glorot(&[3, 2], 1)?;
    /// net.tie()?;
    /// assert_eq!(net.layers[1].weight, strait_models::transpose(&net.layers[0].weight, 2));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the sizes of the decoder are not those of the encoder in reverse, or a layer is a convolution.
    pub fn tie(&mut self) -> Result<()> {
        self.check()?;
        let (encoder, decoder) = self.layers.split_at_mut(self.encoder);
        let mirrored = encoder.len() == decoder.len()
            && encoder.iter().rev().zip(&*decoder).all(|(up, down)| {
                (up.inputs, up.outputs) == (down.outputs, down.inputs)
                    && up.convolution.is_none()
                    && down.convolution.is_none()
            });
        if !mirrored {
            let message =
                "weights can be tied only if the decoder's sizes are the encoder's in reverse, without convolutions";
            return Err(Error::Shape(message.to_owned()));
        }
        for (up, down) in encoder.iter().rev().zip(decoder) {
            down.weight = transpose(&up.weight, up.outputs);
        }
        self.tied = true;
        Ok(())
    }

    /// Records the code of a minibatch.
    ///
    /// # Errors
    /// If the minibatch does not fit.
    pub fn record_code(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value) -> Result<Value> {
        tape.chain_keeping(x, &layers[..self.encoder], self.largest())
    }

    /// Whether the layers fit together: at least one encodes and one decodes, each takes what the one before gives, and
    /// each has as many parameters as its sizes ask for; and whether the code is one of which some numbers can stay.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        self.contents().check()?;
        let (code, units) = (self.code_size(), self.layers[self.encoder - 1].activation);
        self.check_sparse_training()?;
        match self.top_k {
            Some(k) if k == 0 || k > code => {
                Err(Error::Shape(format!("the {k} largest numbers cannot be taken of a code of {code}")))
            }
            None if self.unit_rows && self.thresholds.is_none() => {
                let message = "rows of length 1 are the directions of a code whose largest numbers stay: choose how many, or let rows be of any length";
                Err(Error::Shape(message.to_owned()))
            }
            _ if self.unit_rows && self.tied => {
                let message = "weights that also encode cannot have rows of length 1: untie them";
                Err(Error::Shape(message.to_owned()))
            }
            Some(_) if !matches!(units, Activation::Relu | Activation::Logistic) => {
                let message =
                    format!("of a code of {} units the largest cannot stay; use rectified units", units.name());
                Err(Error::Shape(message))
            }
            _ => Ok(()),
        }
    }

    /// After which layer how many numbers stay.
    pub(crate) fn largest(&self) -> Option<LargestOutputs> {
        self.top_k.map(|k| LargestOutputs { layer: self.encoder - 1, k })
    }

    fn contents(&self) -> NetContents<'_> {
        let Self { encoder, top_k, tied, corruption, penalty, unit_rows, thresholds, aux_k, .. } = *self;
        let settings = Settings { tied, corruption, penalty, kl_weight: None, unit_rows, thresholds, aux_k };
        NetContents { layers: &self.layers, encoder, code: Code::Plain, top_k, settings }
    }

    /// The sizes from the input over the code to the reconstruction.
    pub fn sizes(&self) -> Vec<usize> {
        self.layers
            .first()
            .map(|layer| layer.inputs)
            .into_iter()
            .chain(self.layers.iter().map(|layer| layer.outputs))
            .collect()
    }

    /// The number of values in a code.
    pub fn code_size(&self) -> usize {
        self.sizes().get(self.encoder).copied().unwrap_or(0)
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weight.len() + layer.bias.len()).sum()
    }

    /// The codes of these rows, row after row.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn encode(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        forward(device, &self.layers[..self.encoder], self.largest(), &rows)
    }

    /// The reconstructions from these codes.
    ///
    /// # Errors
    /// If the codes do not fit, or the device fails.
    pub fn decode(&self, device: &Device, codes: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        forward(device, &self.layers[self.encoder..], None, &codes)
    }

    /// The reconstructions of these rows.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn reconstruct(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        forward(device, &self.layers, self.largest(), &rows)
    }

    /// For each row its squared reconstruction error, summed over the values of the row.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn errors(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        let kind = LossKind::SquaredError { activation: Activation::Linear };
        let measure = |_: &mut _, target, input| Op::Loss { kind, input, target, output: None, delta: None };
        let mut errors = Vec::new();
        for rows in parts(device, rows, 0) {
            let metrics = Evaluation::load(device, &self.layers, self.largest(), &rows, measure)?.run()?;
            errors.extend(metrics.errors.concat());
        }
        Ok(errors)
    }

    /// The mean over the rows of the squared reconstruction error summed over the values of a row: the measure of
    /// Hinton & Salakhutdinov (2006).
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn error(&self, device: &Device, rows: Rows<'_>) -> Result<f64> {
        let errors = self.errors(device, rows)?;
        Ok(errors.iter().map(|&error| f64::from(error)).sum::<f64>() / errors.len() as f64)
    }

    /// The share of these rows' variance that the reconstructions explain: 1 minus the squared error over the variance.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn explained_variance(&self, device: &Device, rows: Rows<'_>) -> Result<f64> {
        Ok(1.0 - self.error(device, rows)? / rows.variance())
    }

    /// Writes the net as a safetensors file that PyTorch loads: `encoder.0.weight`, `encoder.0.bias`, ... numbered as
    /// in a `torch.nn.Sequential` whose activations count as modules. Weights of convolutions lie as PyTorch's, whose maps have
    /// the order channel, row, column: there, codes that are maps come in another order, and a fully connected layer next to
    /// a convolution needs its weights permuted. An existing file is replaced only when the new one is complete.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the net as [`Autoencoder::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Autoencoder::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.file_contents()?.write(path.as_ref(), options)
    }

    /// The net as it goes into a file.
    pub(crate) fn file_contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        crate::file::contents(self.contents())
    }

    /// Reads a net from a file that [`Autoencoder::save`] wrote, with the notes.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, holds another kind of model, or its tensors are not those of its architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        let Loaded { layers, encoder, top_k, settings } = crate::file::read(&file, Code::Plain)?;
        let Settings { tied, corruption, penalty, unit_rows, thresholds, aux_k, .. } = settings;
        let net = Self { layers, encoder, top_k, tied, corruption, penalty, unit_rows, thresholds, aux_k };
        net.check().map_err(|error| file.wrong(error.to_string()))?;
        Ok((net, file.notes))
    }
}

/// Sizes of layers must be at least two, none of them zero.
///
/// # Errors
/// [`Error::Shape`] if they are not.
pub fn check_sizes(sizes: &[usize]) -> Result<()> {
    if sizes.len() < 2 || sizes.contains(&0) {
        return Err(Error::Shape(format!(
            "a net needs at least two layer sizes, none of them 0, but these are {sizes:?}"
        )));
    }
    Ok(())
}

/// The noise goes on the input, the penalty on the code (Vincent et al. 2010; Ng 2011).
impl Member for Autoencoder {
    fn stage(&self) -> &'static str {
        "fine-tuning"
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

    fn is_tied(&self) -> bool {
        self.tied
    }

    fn check(&self, goal: &Goal) -> Result<()> {
        Self::check(self)?;
        check_noise(self.corruption, goal)?;
        self.penalty.map_or(Ok(()), Penalty::check)?;
        reconstructs(&self.layers, goal)
    }

    fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, goal: &Goal) -> Result<()> {
        let input = self.corruption.map_or(Ok(x), |noise| tape.corrupt(x, noise))?;
        let decoder = &layers[self.encoder..];
        if self.unit_rows {
            tape.hold_rows(decoder[0]);
        }
        if tape.learns() && (self.thresholds.is_some() || self.aux_k.is_some()) {
            return self.record_list(tape, [layers[0], layers[1]], [input, target], goal);
        }
        let code = tape.chain(input, &layers[..self.encoder])?;
        if let Some(k) = self.top_k {
            // A penalty is on all units.
            let next = decoder.first().filter(|_| self.penalty.is_none());
            tape.keep_largest_for(code, next, k)?;
        }
        if let Some(penalty) = self.penalty {
            tape.penalize(code, penalty)?;
        }
        tape.reconstruct(code, decoder, target, goal.objective)
    }
}
