//! Predictive sparse decomposition: sparse codes, the dictionary that they are for, and an encoder that foretells them.

use serde::{Deserialize, Serialize};
use strait_compute::philox::{Stream, streams};
use strait_compute::{Activation, Device, Kind, Op, Program, Routine, Step, go_on};
use strait_data::Rows;

use crate::member::{Member, check_noise, follows_gradients, reconstructs};
use crate::network::{declare_rows, evaluation_batch, minibatches, parts, upload};
use crate::objective::check_number;
use crate::tape::{Tape, Value};
use crate::{Affine, Autoencoder, Error, Goal, Layer, Model, Network, Objective, Result};

/// How sparse codes are found.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inference {
    /// λ, the weight of the codes' absolute values.
    pub sparsity: f32,
    /// α, the weight of their squared distance from what the encoder foretells.
    pub pull: f32,
    /// Steps of iterative shrinkage, which start at what the encoder foretells.
    pub steps: usize,
    /// η, the length of a step. It must be smaller than 1 / (σ² + α), where σ is the largest singular value of the dictionary.
    pub rate: f32,
    /// The length that the dictionary's atoms have at most. The longer they are, the smaller are the codes, which the encoder's
    /// units foretell from −1 to 1.
    pub norm: f32,
}

impl Default for Inference {
    fn default() -> Self {
        Self { sparsity: 1.0, pull: 1.0, steps: 10, rate: 0.02, norm: 1.5 }
    }
}

/// Predictive sparse decomposition (Kavukcuoglu, Ranzato & LeCun 2008): for each minibatch the codes z are found that minimise
///
/// ‖x − (z D + b)‖² + λ Σ |z| + α ‖z − F(x)‖²
///
/// by iterative shrinkage; then the dictionary D, b and the encoder F learn with these codes as they are. What is trained is
/// an autoencoder whose encoder foretells the codes at once: F(x) = tanh(x W + c). (The paper gives each unit a gain and
/// atoms of length 1; here all have the same gain, by the length of the atoms.)
///
/// ```
/// use strait_models::{Inference, PredictiveSparse};
/// let device = strait_compute::Device::cpu()?;
/// let rows = strait_data::Rows::numbers(&[0.0, 1.0, 0.0, 0.5], 4)?;
/// let inference = Inference { sparsity: 0.01, rate: 0.05, ..Inference::default() };
/// let model = PredictiveSparse::new(4, 8, inference, 1)?;
/// assert_eq!(model.infer(&device, rows)?.len(), 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct PredictiveSparse {
    /// F, then D.
    pub net: Autoencoder,
    /// How codes are found.
    pub inference: Inference,
}

impl PredictiveSparse {
    /// A dictionary of `codes` random atoms for rows of `inputs` values, and an encoder for it.
    ///
    /// # Errors
    /// If a size is zero or the settings make no sense.
    pub fn new(inputs: usize, codes: usize, inference: Inference, seed: u64) -> Result<Self> {
        let mut net = Autoencoder::glorot(&[inputs, codes], seed)?;
        let mut stream = Stream::new(seed, streams::ATOMS);
        let [encoder, dictionary] = &mut net.layers[..] else {
            unreachable!("it was made of two layers");
        };
        (encoder.activation, dictionary.activation) = (Activation::Tanh, Activation::Linear);
        for atom in dictionary.weight.chunks_exact_mut(inputs) {
            atom.iter_mut().for_each(|w| *w = stream.next_normal());
            let length = atom.iter().map(|w| w * w).sum::<f32>().sqrt();
            atom.iter_mut().for_each(|w| *w *= inference.norm / length);
        }
        let model = Self { net, inference };
        model.check_settings()?;
        Ok(model)
    }

    /// The codes that minimise the energy as far as the steps go, row after row; the encoder alone gives
    /// [`Autoencoder::encode`].
    ///
    /// # Errors
    /// If the rows do not fit, a setting makes no sense, or the device fails.
    pub fn infer(&self, device: &Device, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.check_settings()?;
        let (expected, codes) = (self.net.layers[0].inputs, self.net.code_size());
        if rows.width != expected {
            return Err(Error::Width { expected, found: rows.width });
        }
        let mut all = Vec::with_capacity(rows.count * codes);
        for part in parts(device, rows, codes) {
            let batch = evaluation_batch(device, &self.net.layers, part.count);
            let mut program = Program::default();
            let data = declare_rows(&mut program, "data", &part);
            let x = program.value("x", batch, part.width);
            let result = program.data("result", part.count, codes, Kind::Rows);
            let network = Network::declare(&mut program, "layers", &self.net.layers);
            let mut routine = Routine::new("inference").with_independent_rows();
            routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: x })?;
            let mut tape = Tape::measuring(&mut program, &mut routine, batch);
            let x = tape.data(x);
            let prediction = tape.layer(x, network.layers[0])?;
            let code = tape.infer(x, prediction, network.layers[1], &self.inference)?;
            let input = tape.tensor(code);
            routine.push(Op::Scatter { input, data: result })?;
            let routine = program.add(routine);
            let mut execution = device.load(program)?;
            network.write(&mut *execution, &self.net.layers)?;
            upload(&mut *execution, data, &part)?;
            let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
            let steps: Vec<Step> = minibatches(part.count, batch).map(step).collect();
            execution.run(routine, &steps, &mut go_on)?;
            all.extend(execution.read(result)?);
        }
        Ok(all)
    }

    fn check_settings(&self) -> Result<()> {
        self.net.check()?;
        let units: Vec<Activation> = self.net.layers.iter().map(|layer| layer.activation).collect();
        let convolved = self.net.layers.iter().any(|layer| layer.convolution.is_some());
        if units != [Activation::Tanh, Activation::Linear] || self.net.top_k.is_some() || convolved {
            let message =
                "predictive sparse decomposition takes an encoder of one layer of tanh units and a linear decoder";
            return Err(Error::Shape(message.to_owned()));
        }
        let Inference { sparsity, pull, steps, rate, norm } = self.inference;
        check_number("the weight of the penalty", sparsity)?;
        check_number("the weight of the penalty", pull)?;
        let above = |setting: &'static str, value: String, is: bool, expected: &'static str| match is {
            true => Ok(()),
            false => Err(Error::Setting { setting, value, expected }),
        };
        above("the steps of inference", steps.to_string(), steps > 0, "it must be at least 1")?;
        let number = |x: f32| x.is_finite() && x > 0.0;
        above("the rate of inference", rate.to_string(), number(rate), "it must be a number above 0")?;
        above("the norm of atoms", norm.to_string(), number(norm), "it must be a number above 0")
    }
}

/// The loss is the squared error of the reconstruction from the codes, plus that of the encoder's prediction; errors on a
/// test set are those of the encoder's codes. The net's noise goes on the encoder's input.
impl Member for PredictiveSparse {
    fn stage(&self) -> &'static str {
        "sparse decomposition"
    }

    /// The encoder with the dictionary.
    fn to_model(&self) -> Option<Model> {
        Some(self.net.clone().into())
    }

    fn layers(&self) -> &[Affine] {
        &self.net.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.net.layers
    }

    fn check(&self, goal: &Goal) -> Result<()> {
        self.check_settings()?;
        let refused = |setting: &'static str, value: &str, expected: &'static str| {
            Err(Error::Setting { setting, value: value.to_owned(), expected })
        };
        if goal.objective != Objective::SquaredError {
            return refused("the objective", "the cross-entropy", "a sparse decomposition minimises the squared error");
        }
        if self.net.penalty.is_some() {
            let expected = "a sparse decomposition has that of its inference; set sparsity there";
            return refused("the penalty", "set", expected);
        }
        if self.net.tied {
            return refused("tied", "true", "the encoder of a sparse decomposition is not its dictionary's transpose");
        }
        follows_gradients(goal, "sparse codes change with the dictionary; use Adam or momentum")?;
        check_noise(self.net.corruption, goal)?;
        reconstructs(&self.net.layers, goal)
    }

    fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, _: &Goal) -> Result<()> {
        let input = self.net.corruption.map_or(Ok(x), |noise| tape.corrupt(x, noise))?;
        let prediction = tape.layer(input, layers[0])?;
        if !tape.learns() {
            return tape.reconstruct(prediction, &layers[1..], target, Objective::SquaredError);
        }
        let code = tape.infer(target, prediction, layers[1], &self.inference)?;
        tape.reconstruct(code, &layers[1..], target, Objective::SquaredError)?;
        tape.compare(prediction, code, Objective::SquaredError)?;
        tape.limit_rows(layers[1], self.inference.norm);
        Ok(())
    }
}
