//! Variational autoencoders.

use std::collections::BTreeMap;
use std::path::Path;

use strait_compute::philox::{Stream, streams};
use strait_compute::{
    Activation, Device, Execution, Metrics, Noise, Op, Program, Routine, RoutineId, Step, Tensor, go_on,
};
use strait_data::Rows;

use crate::autoencoder::check_sizes;
use crate::container::Container;
use crate::container::Contents;
use crate::file::{Code, Loaded, NetContents, Settings};
use crate::member::{Member, check_noise, follows_gradients, reconstructs};
use crate::network::{declare_rows, evaluation_batch, minibatches, parts, upload};
use crate::objective::check_number;
use crate::tape::{Tape, Value};
use crate::{Affine, Error, Network, Result, SaveOptions, forward};
use crate::{Goal, Layer, Model, Objective};

/// A variational autoencoder (Kingma & Welling 2013; Rezende, Mohamed & Wierstra 2014).
///
/// The encoder gives the means μ and the logarithms of the variances σ² of a normal distribution q(z|x) over codes; the
/// decoder gives p(x|z): logistic outputs are the probabilities of Bernoulli pixels, others the means of normal ones
/// whose variance is ½, so that −ln p(x|z) is the squared error plus a constant. Codes have the prior N(0, I).
#[derive(Clone, Debug, PartialEq)]
pub struct Vae {
    /// All layers from the input to the reconstruction. The last one of the encoder has two outputs for each number of
    /// the code: first all means, then all logarithms of variances.
    pub layers: Vec<Affine>,
    /// How many of them encode.
    pub encoder: usize,
    /// β, the weight of the divergence in the loss that is minimised; 1 for the bound itself (Higgins et al. 2017).
    pub kl_weight: f32,
    /// Noise on the inputs in training.
    pub corruption: Option<Noise>,
}

/// The evidence lower bound by its terms, means over the rows in nats.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Elbo {
    /// The expectation of ln p(x|z) under q(z|x), from one code for each row.
    pub reconstruction: f64,
    /// The divergence of q(z|x) from the prior.
    pub divergence: f64,
}

impl Elbo {
    /// The bound: what ln p(x) is at least.
    pub fn total(&self) -> f64 {
        self.reconstruction - self.divergence
    }
}

impl Vae {
    /// A variational autoencoder of the given sizes, from the input to the code, with Glorot's random weights: hidden
    /// units of one activation, logistic outputs, decoded by the same sizes in reverse.
    ///
    /// ```
    /// use strait_compute::Activation;
    /// let vae = strait_models::Vae::glorot(&[784, 400, 20], Activation::Relu, 1)?;
    /// assert_eq!((vae.code_size(), vae.layers.len()), (20, 4));
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two sizes, or one is zero.
    pub fn glorot(sizes: &[usize], hidden: Activation, seed: u64) -> Result<Self> {
        check_sizes(sizes)?;
        let mut stream = Stream::new(seed, streams::VARIATIONAL);
        let (encoder, code) = (sizes.len() - 1, sizes[sizes.len() - 1]);
        let mut layers = Vec::new();
        for (i, pair) in sizes.windows(2).enumerate() {
            let last = i + 1 == encoder;
            let outputs = if last { code.saturating_mul(2) } else { pair[1] };
            let activation = if last { Activation::Linear } else { hidden };
            layers.push(Affine::glorot(pair[0], outputs, activation, &mut stream)?);
        }
        let back: Vec<usize> = sizes.iter().rev().copied().collect();
        for (i, pair) in back.windows(2).enumerate() {
            let activation = if i + 1 == encoder { Activation::Logistic } else { hidden };
            layers.push(Affine::glorot(pair[0], pair[1], activation, &mut stream)?);
        }
        Ok(Self { layers, encoder, kl_weight: 1.0, corruption: None })
    }

    /// Whether the layers fit together: the encoder ends in twice as many linear outputs as the decoder has inputs.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        self.contents().check()?;
        match self.layers[self.encoder - 1].activation {
            Activation::Linear => Ok(()),
            other => Err(Error::Shape(format!(
                "the means and variances of codes must be linear outputs, not {} ones",
                other.name()
            ))),
        }
    }

    fn contents(&self) -> NetContents<'_> {
        let kl_weight = (self.kl_weight != 1.0).then_some(self.kl_weight);
        let settings = Settings { kl_weight, corruption: self.corruption, ..Settings::default() };
        NetContents { layers: &self.layers, encoder: self.encoder, code: Code::Gaussian, top_k: None, settings }
    }

    /// The number of values in a code.
    pub fn code_size(&self) -> usize {
        self.layers.get(self.encoder).map_or(0, |layer| layer.inputs)
    }

    /// The codes of these rows, row after row: the means of their distributions.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn encode(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        let moments = forward(device, &self.layers[..self.encoder], None, &rows)?;
        let codes = self.code_size();
        Ok(moments.chunks_exact(2 * codes).flat_map(|row| row[..codes].to_vec()).collect())
    }

    /// The means of p(x|z) for these codes.
    ///
    /// # Errors
    /// If the codes do not fit, or the device fails.
    pub fn decode(&self, device: &Device, codes: Rows<'_>) -> Result<Vec<f32>> {
        self.check()?;
        forward(device, &self.layers[self.encoder..], None, &codes)
    }

    /// Rows that the model makes up: the means of p(x|z) for `count` codes from the prior.
    ///
    /// # Errors
    /// If the device fails.
    pub fn sample(&self, device: &Device, count: usize, seed: u64) -> Result<Vec<f32>> {
        self.check()?;
        let codes = self.prior(count, seed);
        if codes.is_empty() {
            return Ok(codes);
        }
        self.decode(device, Rows::numbers(&codes, self.code_size())?)
    }

    /// So many codes from the prior.
    pub(crate) fn prior(&self, count: usize, seed: u64) -> Vec<f32> {
        let mut stream = Stream::new(seed, streams::PRIOR);
        (0..count * self.code_size()).map(|_| stream.next_normal()).collect()
    }

    /// The evidence lower bound of these rows, from one random code for each.
    ///
    /// # Errors
    /// If the rows do not fit, or the device fails.
    pub fn elbo(&self, device: &Device, rows: Rows<'_>, seed: u64) -> Result<Elbo> {
        let (mut reconstruction, mut divergence) = (0.0, 0.0);
        let mut done = 0;
        for part in parts(device, rows, 0) {
            let mut evaluation = Evaluation::load(self, device, &part)?;
            for (offset, used) in minibatches(part.count, evaluation.batch) {
                let terms = evaluation.run(offset, used, done, seed)?;
                divergence += terms.divergences.iter().map(|&x| f64::from(x)).sum::<f64>();
                reconstruction -= terms.errors.iter().sum::<f64>();
                done += 1;
            }
        }
        let rows = rows.count as f64;
        Ok(Elbo { reconstruction: reconstruction / rows, divergence: divergence / rows })
    }

    /// For each row an estimate of ln p(x) by importance sampling, ln (1/S) Σ p(x|z) p(z) / q(z|x) over S codes from
    /// q(z|x) (Rezende et al. 2014, appendix E): from below, and the closer the more codes.
    ///
    /// # Errors
    /// If there are no samples to be taken, the rows do not fit, or the device fails.
    pub fn log_likelihood(&self, device: &Device, rows: Rows<'_>, samples: usize, seed: u64) -> Result<Vec<f64>> {
        if samples == 0 {
            return Err(Error::Shape("a likelihood cannot be estimated from no samples".to_owned()));
        }
        let mut estimates = Vec::with_capacity(rows.count);
        let mut done = 0;
        for part in parts(device, rows, 0) {
            let mut evaluation = Evaluation::load(self, device, &part)?;
            for (offset, used) in minibatches(part.count, evaluation.batch) {
                let mut sums = vec![LogSum::default(); used as usize];
                for _ in 0..samples {
                    let terms = evaluation.run(offset, used, done, seed)?;
                    done += 1;
                    let priors = evaluation.log_prior_ratios()?;
                    for ((sum, error), prior) in sums.iter_mut().zip(terms.errors).zip(priors) {
                        sum.add(prior - error);
                    }
                }
                estimates.extend(sums.iter().map(|sum| sum.log() - (samples as f64).ln()));
            }
        }
        Ok(estimates)
    }

    /// Writes the model as a safetensors file, as [`Autoencoder::save`](crate::Autoencoder::save) does.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the model as [`Vae::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Vae::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.file_contents()?.write(path.as_ref(), options)
    }

    /// The net as it goes into a file.
    pub(crate) fn file_contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        crate::file::contents(self.contents())
    }

    /// Reads a model from a file that [`Vae::save`] wrote, with the notes.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, holds another kind of model, or its tensors are not those of its
    /// architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        let Loaded { layers, encoder, settings, .. } = crate::file::read(&file, Code::Gaussian)?;
        let Settings { kl_weight, corruption, .. } = settings;
        let vae = Self { layers, encoder, kl_weight: kl_weight.unwrap_or(1.0), corruption };
        vae.check().map_err(|error| file.wrong(error.to_string()))?;
        Ok((vae, file.notes))
    }
}

/// ln Σ eˣ over numbers as they come.
#[derive(Clone, Copy)]
struct LogSum {
    top: f64,
    sum: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self { top: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    fn add(&mut self, x: f64) {
        if x > self.top {
            self.sum *= (self.top - x).exp();
            self.top = x;
        }
        self.sum += (x - self.top).exp();
    }

    fn log(&self) -> f64 {
        self.top + self.sum.ln()
    }
}

/// The tensors of the random codes of a minibatch.
pub(crate) struct Codes {
    moments: Tensor,
    noise: Tensor,
    code: Tensor,
}

/// Records a random code for each row of a minibatch, and two losses: the divergences of q(z|x) from the prior, and −ln p(x|z), as
/// probabilities or as squared errors, which lack a [constant](Vae::constant). `network` has the model's layers.
pub(crate) fn record_bound(
    vae: &Vae,
    network: &Network,
    program: &mut Program,
    routine: &mut Routine,
    input: Tensor,
) -> Result<Codes> {
    let objective = if vae.is_bernoulli() { Objective::CrossEntropy } else { Objective::SquaredError };
    let mut tape = Tape::new(program, routine, input.rows, false, 0);
    let x = tape.data(input);
    vae.pass(&mut tape, &network.layers, (x, x), 1.0, objective)
}

/// What one code for each row of a minibatch tells.
pub(crate) struct Terms {
    /// −ln p(x|z)
    pub(crate) errors: Vec<f64>,
    /// The divergences of q(z|x) from the prior.
    pub(crate) divergences: Vec<f32>,
}

impl Vae {
    /// Records a minibatch on its way to the losses.
    fn pass(
        &self,
        tape: &mut Tape<'_>,
        layers: &[Layer],
        (input, target): (Value, Value),
        kl_weight: f32,
        objective: Objective,
    ) -> Result<Codes> {
        let (encoder, decoder) = layers.split_at(self.encoder);
        let moments = tape.chain(input, encoder)?;
        let (code, noise) = tape.reparameterize_with_noise(moments, kl_weight)?;
        tape.reconstruct(code, decoder, target, objective)?;
        Ok(Codes { moments: tape.tensor(moments), noise, code: tape.tensor(code) })
    }

    /// Whether the outputs are the probabilities of Bernoulli pixels.
    fn is_bernoulli(&self) -> bool {
        self.layers.last().is_some_and(|last| last.activation == Activation::Logistic)
    }

    /// What the squared errors of a row lack to −ln p(x|z); nothing where probabilities are given.
    fn constant(&self) -> f64 {
        let width = self.layers.first().map_or(0, |layer| layer.inputs);
        if self.is_bernoulli() { 0.0 } else { 0.5 * width as f64 * std::f64::consts::PI.ln() }
    }

    /// The terms of the bound from the losses of [`record_bound`].
    pub(crate) fn terms(&self, metrics: Metrics) -> Terms {
        let mut losses = metrics.losses.into_iter();
        let [divergences, errors] = [(); 2].map(|()| losses.next().unwrap_or_default());
        let constant = self.constant();
        Terms { errors: errors.iter().map(|&x| f64::from(x) + constant).collect(), divergences }
    }

    /// Whether these rows have a likelihood.
    pub(crate) fn check_rows(&self, rows: &Rows<'_>) -> Result<()> {
        let expected = self.layers.first().map_or(0, |layer| layer.inputs);
        if rows.width != expected {
            return Err(Error::Width { expected, found: rows.width });
        }
        if let (true, Some(x)) = (self.is_bernoulli(), rows.first_number(|x| !Rows::is_probability(x))) {
            let message = format!("{x} has no likelihood by logistic outputs, which stand for values from 0 to 1");
            return Err(Error::Shape(message));
        }
        Ok(())
    }
}

/// The model on a device with rows to be looked at.
struct Evaluation<'a> {
    vae: &'a Vae,
    execution: Box<dyn Execution>,
    routine: RoutineId,
    codes: Codes,
    batch: usize,
}

impl<'a> Evaluation<'a> {
    fn load(vae: &'a Vae, device: &Device, rows: &Rows<'_>) -> Result<Self> {
        vae.check()?;
        vae.check_rows(rows)?;
        let batch = evaluation_batch(device, &vae.layers, rows.count);
        let mut program = Program::default();
        let data = declare_rows(&mut program, "data", rows);
        let input = program.value("x", batch, rows.width);
        let network = Network::declare(&mut program, "layers", &vae.layers);
        let mut routine = Routine::new("evidence lower bound").with_independent_rows();
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: input })?;
        let codes = record_bound(vae, &network, &mut program, &mut routine, input)?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        network.write(&mut *execution, &vae.layers)?;
        upload(&mut *execution, data, rows)?;
        Ok(Self { vae, execution, routine, codes, batch })
    }

    /// Draws a code for each row of a minibatch. `counter` must never be the same twice.
    fn run(&mut self, offset: u32, rows: u32, counter: u32, seed: u64) -> Result<Terms> {
        let step = Step { offset, rows, counter, ..Step::seeded(seed) };
        Ok(self.vae.terms(self.execution.run(self.routine, &[step], &mut go_on)?))
    }

    /// ln p(z) − ln q(z|x) for the codes drawn last.
    fn log_prior_ratios(&mut self) -> Result<Vec<f64>> {
        let Codes { moments, noise, code } = self.codes;
        let size = code.cols;
        let (moments, noise) = (self.execution.read(moments)?, self.execution.read(noise)?);
        let code = self.execution.read(code)?;
        let rows = code.chunks_exact(size).zip(noise.chunks_exact(size)).zip(moments.chunks_exact(2 * size));
        let ratio = |((z, epsilon), moments): ((&[f32], &[f32]), &[f32])| {
            let terms = z.iter().zip(epsilon).zip(&moments[size..]);
            let square = |x: f32| f64::from(x) * f64::from(x);
            // Both densities have the same constant.
            -0.5 * terms.map(|((&z, &e), &log)| square(z) - square(e) - f64::from(log)).sum::<f64>()
        };
        Ok(rows.map(ratio).collect())
    }
}

/// The loss is the negative evidence lower bound with the model's weight on the divergence (Kingma & Welling 2013; Higgins
/// et al. 2017), up to the constant of a normal likelihood. The cross-entropy stands for Bernoulli pixels, the squared
/// error for normal ones of variance ½.
impl Member for Vae {
    fn to_model(&self) -> Option<Model> {
        Some(self.clone().into())
    }

    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn check(&self, goal: &Goal) -> Result<()> {
        Self::check(self)?;
        follows_gradients(
            goal,
            "conjugate gradients and L-BFGS compare losses, which change with each random code; use Adam or momentum",
        )?;
        check_noise(self.corruption, goal)?;
        check_number("kl-weight", self.kl_weight)?;
        if goal.objective == Objective::SoftmaxCrossEntropy {
            let (setting, value) = ("the objective", "softmax cross-entropy".to_owned());
            let expected = "the likelihoods of a variational autoencoder are Bernoulli's or normal; use the cross-entropy or \
                            the squared error";
            return Err(Error::Setting { setting, value, expected });
        }
        reconstructs(&self.layers, goal)
    }

    fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, goal: &Goal) -> Result<()> {
        let input = self.corruption.map_or(Ok(x), |noise| tape.corrupt(x, noise))?;
        self.pass(tape, layers, (input, target), self.kl_weight, goal.objective)?;
        Ok(())
    }
}
