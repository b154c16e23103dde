//! One minibatch on its way through a model, recorded so that derivatives find their way back.

mod auxk;
mod compose;
mod sequence;
mod slopes;
mod sparse;
mod thresholds;
mod way;

pub use compose::Recorder;
pub use sequence::{Recurrent, States};
pub use slopes::Slopes;
use sparse::Listed;
use way::Way;

use std::ops::Range;

use strait_compute::philox::streams;
use strait_compute::{
    Activation, Addend, EveryRow, Factors, FoldTail, Kind, LossKind, Noise, Op, PenaltyKind, Program, Routine,
    Shrinkage, Tensor, Update, Window,
};

use crate::network::LargestOutputs;
use crate::{Error, Inference, Layer, Objective, Outputs, Penalty, Result};

/// Values of a minibatch on a [`Tape`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(usize);

/// Records the layers, the noise and the losses of a minibatch, for training and for evaluation alike.
///
/// A model says in [`Member::record`](crate::Member::record) how a minibatch goes through it. The way back, from
/// the losses to the gradient of every parameter, is recorded here, once for all models:
///
/// * the derivative δ of a value is taken with respect to the total input of its units;
/// * δ of the layer below is (δ Wᵀ) ⊙ act′(y), the gradient of W is Xᵀ δ / rows;
/// * a value that is used several times has the sum of all derivatives, a parameter that of all gradients, which add up in one place.
///
/// Rows are those of the minibatch, or time steps of them: [`Tape::stack`] puts step t of row b into row b T + t, so that a layer takes
/// all steps in one product.
///
/// A model can compose operations of its own from those that are there: see [`Tape::operation`].
pub struct Tape<'a> {
    program: &'a mut Program,
    routine: &'a mut Routine,
    batch: usize,
    learns: bool,
    nodes: Vec<Node>,
    slopes: Slopes,
    /// Weights whose rows are held to length 1.
    held: Vec<Tensor>,
    draws: u32,
}

/// A value with what the way back needs of it.
struct Node {
    out: Tensor,
    /// The activation that gave it.
    activation: Activation,
    /// Where the derivative goes; data have no way back.
    back: Option<Back>,
    /// The layer that gave it, and its input.
    layer: Option<(Layer, Value)>,
    penalties: Vec<PenaltyKind>,
    /// Weight costs for the columns of the layer that gave it.
    costs: Option<Tensor>,
    /// The derivative, as far as it is known.
    delta: Option<Tensor>,
    /// Whose numbers these are, of a code of few.
    listed: Option<Listed>,
}

/// Records how the derivative of a value goes to its parents.
type Back = Box<dyn FnOnce(&mut Way<'_, '_>, Tensor) -> Result<()>>;

impl<'a> Tape<'a> {
    /// A tape for training on minibatches of `batch` rows.
    pub fn training(program: &'a mut Program, routine: &'a mut Routine, batch: usize) -> Self {
        Self::new(program, routine, batch, true, streams::TAPE)
    }

    /// A tape that only measures: it leaves noise on inputs and penalties out.
    pub fn measuring(program: &'a mut Program, routine: &'a mut Routine, batch: usize) -> Self {
        Self::new(program, routine, batch, false, streams::TAPE)
    }

    pub(crate) fn new(
        program: &'a mut Program,
        routine: &'a mut Routine,
        batch: usize,
        learns: bool,
        draws: u32,
    ) -> Self {
        Self { program, routine, batch, learns, nodes: Vec::new(), slopes: Slopes::default(), held: Vec::new(), draws }
    }

    /// The values of a tensor that is there, [batch, n].
    pub fn data(&mut self, tensor: Tensor) -> Value {
        self.add_node(tensor, Activation::Linear, None)
    }

    fn add_node(&mut self, out: Tensor, activation: Activation, back: Option<Back>) -> Value {
        let (penalties, costs, delta, layer, listed) = (Vec::new(), None, None, None, None);
        self.nodes.push(Node { out, activation, back, layer, penalties, costs, delta, listed });
        Value(self.nodes.len() - 1)
    }

    fn tensor_named(&mut self, name: &str, cols: usize) -> Tensor {
        self.program.value(name, self.batch, cols)
    }

    /// Whether there is one row for each of the minibatch, as what counts the active rows of a minibatch wants it.
    fn flat(&self, value: Value) -> Result<()> {
        let (found, batch) = (self.tensor(value).rows, self.batch);
        if found == batch {
            return Ok(());
        }
        Err(Error::Shape(format!(
            "{found} rows are time steps stacked for {batch} rows: take one step of them with Tape::step"
        )))
    }

    fn stream(&mut self) -> u32 {
        self.draws += 1;
        self.draws - 1
    }

    /// Whether the model is being trained; else it is measured.
    pub fn learns(&self) -> bool {
        self.learns
    }

    /// The tensor that holds a value.
    pub fn tensor(&self, value: Value) -> Tensor {
        self.nodes[value.0].out
    }

    /// The number of values in a row.
    pub fn width(&self, value: Value) -> usize {
        self.nodes[value.0].out.cols
    }

    /// Whether derivatives go on behind a value.
    fn passes(&self, value: Value) -> bool {
        self.nodes[value.0].back.is_some()
    }

    /// The data with noise, while the tape learns.
    ///
    /// # Errors
    /// If the noise makes no sense, or is to go on what a layer gives, since it passes no derivative on.
    pub fn corrupt(&mut self, input: Value, noise: Noise) -> Result<Value> {
        self.flat(input)?;
        if self.passes(input) {
            let (setting, value) = ("noise", "on what a layer gives".to_owned());
            return Err(Error::Setting { setting, value, expected: "it goes on the data" });
        }
        if !self.learns {
            return Ok(input);
        }
        let out = self.tensor_named("noisy", self.width(input));
        let stream = self.stream();
        self.routine.push(Op::Corrupt { input: self.tensor(input), noise, stream, out })?;
        Ok(self.data(out))
    }

    /// y = act(x W + b), or a convolution. Layers may share weights and biases.
    ///
    /// # Errors
    /// If the layer takes another number of values.
    pub fn layer(&mut self, input: Value, layer: Layer) -> Result<Value> {
        if layer.window.is_some() {
            self.flat(input)?;
        }
        let name = if self.learns { "y" } else { "measured.y" };
        if let Some(value) = self.listed_layer(input, layer, name)? {
            return Ok(value);
        }
        let Outputs { out, seen } = layer.record(self.program, self.routine, self.tensor(input), name)?;
        let back: Back = Box::new(move |way, delta| way.learn_layer(input, layer, seen, delta));
        let value = self.add_node(out, layer.activation, Some(back));
        self.nodes[value.0].layer = Some((layer, input));
        Ok(value)
    }

    /// One layer after the other.
    ///
    /// # Errors
    /// As [`Tape::layer`].
    pub fn chain(&mut self, input: Value, layers: &[Layer]) -> Result<Value> {
        self.chain_keeping(input, layers, None)
    }

    /// The same, keeping only the largest outputs of one layer.
    pub(crate) fn chain_keeping(
        &mut self,
        input: Value,
        layers: &[Layer],
        largest: Option<LargestOutputs>,
    ) -> Result<Value> {
        let mut value = input;
        for (number, layer) in layers.iter().enumerate() {
            value = self.layer(value, *layer)?;
            if let Some(LargestOutputs { k, .. }) = largest.filter(|largest| largest.layer == number) {
                self.keep_largest_for(value, layers.get(number + 1), k)?;
            }
        }
        Ok(value)
    }

    /// Keeps the `k` largest outputs of each row; the others become 0, and pass no derivative on.
    ///
    /// # Errors
    /// If there are fewer than `k`, or if the units have a slope where their output is 0 (those that have none are
    /// rectified and logistic units).
    pub fn keep_largest(&mut self, value: Value, k: usize) -> Result<()> {
        let Node { out: input, activation, .. } = self.nodes[value.0];
        if activation.derivative(0.0) != 0.0 {
            let (setting, value) =
                ("the activation of a code whose largest numbers stay", activation.name().to_owned());
            return Err(Error::Setting { setting, value, expected: "it must be relu or logistic" });
        }
        let out = self.program.value("largest", input.rows, input.cols);
        self.routine.push(Op::TopK { input, k, out })?;
        self.nodes[value.0].out = out;
        Ok(())
    }

    /// A code drawn from the normal distribution whose means, and whose logarithms of variances, stand in two halves of
    /// a row; `kl_weight` times its divergence from N(0, I) is a loss.
    ///
    /// # Errors
    /// If the moments are of an odd number, or not those of linear units.
    pub fn reparameterize(&mut self, moments: Value, kl_weight: f32) -> Result<Value> {
        Ok(self.reparameterize_with_noise(moments, kl_weight)?.0)
    }

    /// The same, with the tensor of the noise.
    pub(crate) fn reparameterize_with_noise(&mut self, moments: Value, kl_weight: f32) -> Result<(Value, Tensor)> {
        self.flat(moments)?;
        self.linear(moments, "the activation of the moments of a code")?;
        let codes = self.width(moments) / 2;
        let [noise, out] = ["noise", "code"].map(|name| self.tensor_named(name, codes));
        let (stream, tensor) = (self.stream(), self.tensor(moments));
        self.routine.push(Op::Reparameterize { moments: tensor, kl_weight, stream, noise, out })?;
        let back: Back = Box::new(move |way, delta| {
            way.pass_total(moments, |out| Op::ReparameterizeBackward { delta, moments: tensor, noise, kl_weight, out })
        });
        Ok((self.add_node(out, Activation::Linear, Some(back)), noise))
    }

    /// Whether values are those of linear units, as what takes their derivatives for those of total inputs wants them.
    fn linear(&self, value: Value, setting: &'static str) -> Result<()> {
        match self.nodes[value.0].activation {
            Activation::Linear => Ok(()),
            other => Err(Error::Setting { setting, value: other.name().to_owned(), expected: "it must be linear" }),
        }
    }

    /// Puts a penalty on values, while the tape learns.
    ///
    /// # Errors
    /// If it is not made for such units, or, if it is contractive, the values are not those of a layer on the data.
    pub fn penalize(&mut self, value: Value, penalty: Penalty) -> Result<()> {
        if !self.learns {
            return Ok(());
        }
        self.flat(value)?;
        let kind = match penalty {
            Penalty::L1 { weight } => PenaltyKind::L1 { weight },
            Penalty::Sparsity { weight, target } => {
                let means = self.program.value("means", 1, self.width(value));
                self.routine.push(Op::ColumnMeans { input: self.tensor(value), times: None, out: means })?;
                PenaltyKind::Sparsity { weight, target, means }
            }
            Penalty::Contractive { weight } => self.contract(value, weight)?,
        };
        self.nodes[value.0].penalties.push(kind);
        Ok(())
    }

    /// Prepares the contractive penalty on the outputs of the first layer.
    fn contract(&mut self, value: Value, penalty: f32) -> Result<PenaltyKind> {
        let Node { out: output, activation, layer, .. } = &self.nodes[value.0];
        let (output, activation) = (*output, *activation);
        let Some((layer, _)) = layer.filter(|(layer, input)| !self.passes(*input) && layer.window.is_none()) else {
            let (setting, value) = ("the penalty", "contractive".to_owned());
            let expected =
                "the Jacobian is that of one layer, so the code must be the first layer's, and no convolution's";
            return Err(Error::Setting { setting, value, expected });
        };
        let [squares, costs] = ["squares", "costs"].map(|name| self.program.value(name, 1, output.cols));
        self.routine.push(Op::Contraction { weight: layer.weight, output, activation, penalty, squares, costs })?;
        self.nodes[value.0].costs = Some(costs);
        Ok(PenaltyKind::Contractive { weight: penalty, squares })
    }

    /// The last layers, which reconstruct `target`, and the error of the reconstruction as a loss.
    ///
    /// # Errors
    /// If the layers do not give as many values as the target has, or there are none and a cross-entropy is to be computed
    /// from values that are not linear.
    pub fn reconstruct(&mut self, input: Value, layers: &[Layer], target: Value, objective: Objective) -> Result<()> {
        let mut value = input;
        for (i, layer) in layers.iter().enumerate() {
            // The cross-entropy is computed from logits.
            let logits = i + 1 == layers.len() && objective != Objective::SquaredError;
            let activation = if logits { Activation::Linear } else { layer.activation };
            value = self.layer(value, Layer { activation, ..*layer })?;
        }
        self.compare(value, target, objective)
    }

    /// The error of values that reconstruct `target`, or of logits that stand for them, as a loss.
    ///
    /// # Errors
    /// If they are not as many, or a cross-entropy is to be computed from values that are not linear.
    pub fn compare(&mut self, value: Value, target: Value, objective: Objective) -> Result<()> {
        self.flat(value)?;
        if objective != Objective::SquaredError {
            self.linear(value, "the activation of logits")?;
        }
        let kind = match objective {
            Objective::CrossEntropy => LossKind::CrossEntropy,
            Objective::SoftmaxCrossEntropy => LossKind::SoftmaxCrossEntropy,
            Objective::SquaredError => LossKind::SquaredError { activation: self.nodes[value.0].activation },
        };
        let delta = self.learns.then(|| self.tensor_named("delta", self.width(value)));
        let (input, target) = (self.tensor(value), self.tensor(target));
        self.routine.push(Op::Loss { kind, input, target, output: None, delta })?;
        delta.map_or(Ok(()), |delta| self.gather_derivative(value, delta))
    }

    /// The cross-entropy between classes and the softmax of these logits as a loss.
    ///
    /// # Errors
    /// If there are not as many logits as classes, or they are not those of linear units.
    pub fn classify(&mut self, logits: Value, classes: Value) -> Result<()> {
        self.compare(logits, classes, Objective::SoftmaxCrossEntropy)
    }

    /// Sparse codes z of `x` for the atoms in the rows of a linear layer's weights, near a prediction; see
    /// [`PredictiveSparse`](crate::PredictiveSparse). They pass no derivative on.
    ///
    /// # Errors
    /// If the layer does not decode such codes into such rows, or is a convolution or tied to another one.
    pub fn infer(&mut self, x: Value, prediction: Value, dictionary: Layer, inference: &Inference) -> Result<Value> {
        if dictionary.transposed || dictionary.window.is_some() {
            let (setting, value) = ("the dictionary", "tied or a convolution".to_owned());
            return Err(Error::Setting { setting, value, expected: "its atoms are the rows of a layer's own weights" });
        }
        self.flat(x)?;
        let Inference { sparsity, pull, steps, rate, .. } = *inference;
        let shrinkage = Shrinkage { rate, sparsity, pull };
        let (x, prediction) = (self.tensor(x), self.tensor(prediction));
        let weight = dictionary.weight;
        let none = self.program.data("no_bias", 1, weight.rows, Kind::Values);
        let through = |input, transposed, bias, out| {
            let activation = Activation::Linear;
            Op::Linear { input, weight, transposed, bias, activation, out, sample: None }
        };
        let [correlation, overlap] = ["correlation", "overlap"].map(|name| self.tensor_named(name, weight.rows));
        let codes = ["code", "code.other"].map(|name| self.tensor_named(name, weight.rows));
        let decoded = self.tensor_named("decoded", weight.cols);
        self.routine.push(through(x, true, none, correlation))?;
        let mut code = prediction;
        for number in 0..steps {
            let out = codes[number % 2];
            self.routine.push(through(code, false, dictionary.bias, decoded))?;
            self.routine.push(through(decoded, true, none, overlap))?;
            self.routine.push(Op::Shrink { code, overlap, correlation, prediction, shrinkage, out })?;
            code = out;
        }
        Ok(self.data(code))
    }

    /// Keeps what each input of a layer adds to its outputs, the rows of its weights, from growing longer than this while the
    /// tape learns by Adam or momentum.
    pub fn limit_rows(&mut self, layer: Layer, norm: f32) {
        if self.learns {
            self.slopes.limit(Op::MaxNorm { weight: layer.weight, norm, rows: !layer.transposed, exact: false });
        }
    }

    /// Records the way back to the gradients of all parameters but those of the first layers, which are `frozen`. `place` gives a
    /// tensor for the gradient of a parameter; those of several uses add up in it.
    ///
    /// # Errors
    /// If an operation of a model's own does not fit.
    pub fn gradients(
        mut self,
        frozen: &[Layer],
        mut place: impl FnMut(&mut Program, Tensor) -> Tensor,
    ) -> Result<Slopes> {
        for node in &mut self.nodes {
            if node.layer.is_some_and(|(layer, _)| frozen.iter().any(|other| other.bias == layer.bias)) {
                node.back = None;
            }
        }
        for number in (0..self.nodes.len()).rev() {
            let Node { out, activation, delta: Some(delta), .. } = self.nodes[number] else {
                continue;
            };
            for kind in std::mem::take(&mut self.nodes[number].penalties) {
                self.routine.push(Op::Penalty { kind, output: out, activation, delta })?;
            }
            if let Some(back) = self.nodes[number].back.take() {
                back(&mut Way { tape: &mut self, place: &mut place }, delta)?;
            }
        }
        Ok(self.slopes.without(frozen))
    }

    /// Adds to the derivative of a value.
    fn gather_derivative(&mut self, of: Value, delta: Tensor) -> Result<()> {
        match self.nodes[of.0].delta {
            None => self.nodes[of.0].delta = Some(delta),
            Some(known) => {
                let factors = Factors::Fixed(1.0, 1.0);
                self.routine.push(Op::Combine { x: known, y: delta, factors, out: known })?;
            }
        }
        Ok(())
    }
}
