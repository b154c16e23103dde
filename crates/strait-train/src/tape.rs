//! One minibatch on its way through a net, recorded so that derivatives find their way back.

use strait_compute::philox::streams;
use strait_compute::{
    Activation, Addend, Factors, FoldTail, Kind, LossKind, Noise, Op, PenaltyKind, Program, Routine, Shrinkage, Tensor,
    Update, Window,
};
use strait_models::{Layer, Outputs};

use crate::{Error, Inference, Objective, Penalty, Result};

/// Values of a minibatch on a [`Tape`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(usize);

/// Records the layers, the noise and the losses of a minibatch; what is recorded while it learns is what is trained.
///
/// A model says in [`Trainable::record`](crate::Trainable::record) how a minibatch goes through it. The way back, from
/// the losses to the gradient of every layer, is recorded here, once for all models:
///
/// * the derivative δ of a value is taken with respect to the total input of its units;
/// * δ of the layer below is (δ Wᵀ) ⊙ act′(y), the gradient of W is Xᵀ δ / rows;
/// * a value that is used twice has the sum of both derivatives, weights that are used twice that of both gradients.
pub struct Tape<'a> {
    program: &'a mut Program,
    routine: &'a mut Routine,
    batch: usize,
    learns: bool,
    steps: Vec<Recorded>,
    /// What follows the updates.
    after: Vec<Op>,
    slopes: Slopes,
    draws: u32,
}

/// A parameter with its gradient.
#[derive(Clone, Copy)]
struct Slope {
    parameter: Tensor,
    gradient: Tensor,
    /// Whether the weight cost acts on it.
    decays: bool,
}

/// The gradients of all parameters that learn, and what follows their updates.
#[derive(Default)]
pub(crate) struct Slopes {
    slopes: Vec<Slope>,
    limits: Vec<Op>,
}

impl Slopes {
    /// The gradient of a parameter.
    pub(crate) fn of(&self, parameter: Tensor) -> Option<Tensor> {
        self.slopes.iter().find(|slope| slope.parameter == parameter).map(|slope| slope.gradient)
    }

    /// Records how each parameter follows its gradient, and what follows then; nothing where there is no rule.
    pub(crate) fn follow(
        &self,
        (program, routine): (&mut Program, &mut Routine),
        rule: impl Fn(&mut Program, Tensor) -> Option<Update>,
    ) -> Result<()> {
        for &Slope { parameter, gradient, decays } in &self.slopes {
            let Some(update) = rule(program, parameter) else {
                return Ok(());
            };
            routine.push(Op::Update { gradient, update, decays })?;
        }
        self.limits.iter().try_for_each(|op| Ok(routine.push(op.clone())?))
    }
}

/// A tensor for the gradient of a parameter.
pub(crate) fn gradient_of(program: &mut Program, parameter: Tensor) -> Tensor {
    let name = format!("{}.gradient", program.name(parameter));
    program.value(name, parameter.rows, parameter.cols)
}

struct Recorded {
    out: Tensor,
    /// The activation that gave it.
    activation: Activation,
    origin: Origin,
    penalties: Vec<PenaltyKind>,
    /// Weight costs for the columns of the layer that gave it.
    costs: Option<Tensor>,
    /// The derivative, as far as it is known.
    delta: Option<Tensor>,
}

#[derive(Clone, Copy)]
enum Origin {
    Data,
    Layer(Use),
    Latent { moments: Value, noise: Tensor, kl_weight: f32 },
}

/// A layer's use on a tape.
#[derive(Clone, Copy)]
struct Use {
    input: Value,
    layer: Layer,
    /// What a convolution's weights were multiplied with.
    seen: Option<Tensor>,
}

impl<'a> Tape<'a> {
    /// An empty tape. One that does not learn leaves noise on inputs and penalties out: it measures.
    pub(crate) fn new(program: &'a mut Program, routine: &'a mut Routine, batch: usize, learns: bool) -> Self {
        Self {
            program,
            routine,
            batch,
            learns,
            steps: Vec::new(),
            after: Vec::new(),
            slopes: Slopes::default(),
            draws: streams::TAPE,
        }
    }

    /// The values of a tensor that is there.
    pub(crate) fn data(&mut self, tensor: Tensor) -> Value {
        self.add(tensor, Activation::Linear, Origin::Data)
    }

    fn add(&mut self, out: Tensor, activation: Activation, origin: Origin) -> Value {
        self.steps.push(Recorded { out, activation, origin, penalties: Vec::new(), costs: None, delta: None });
        Value(self.steps.len() - 1)
    }

    fn tensor(&mut self, name: &str, cols: usize) -> Tensor {
        self.tensor_of(name, self.batch, cols)
    }

    fn tensor_of(&mut self, name: &str, rows: usize, cols: usize) -> Tensor {
        self.program.value(name, rows, cols)
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
    pub(crate) fn tensor_of_value(&self, value: Value) -> Tensor {
        self.steps[value.0].out
    }

    /// The number of values in a row.
    pub fn width(&self, value: Value) -> usize {
        self.steps[value.0].out.cols
    }

    /// The data with noise, while the tape learns.
    ///
    /// # Errors
    /// If the noise makes no sense, or is to go on what a layer gives, since it passes no derivative on.
    pub fn corrupt(&mut self, input: Value, noise: Noise) -> Result<Value> {
        if !matches!(self.steps[input.0].origin, Origin::Data) {
            let (setting, value) = ("noise", "on what a layer gives".to_owned());
            return Err(Error::Setting { setting, value, expected: "it goes on the data" });
        }
        if !self.learns {
            return Ok(input);
        }
        let out = self.tensor("noisy", self.width(input));
        let stream = self.stream();
        self.routine.push(Op::Corrupt { input: self.steps[input.0].out, noise, stream, out })?;
        Ok(self.add(out, Activation::Linear, Origin::Data))
    }

    /// y = act(x W + b), or a convolution. Several layers may have the same weights and biases.
    ///
    /// # Errors
    /// If the layer does not take so many values.
    pub fn layer(&mut self, input: Value, layer: Layer) -> Result<Value> {
        let name = if self.learns { "y" } else { "test.y" };
        let Outputs { out, seen } = layer.record(self.program, self.routine, self.steps[input.0].out, name)?;
        Ok(self.add(out, layer.activation, Origin::Layer(Use { input, layer, seen })))
    }

    /// One layer after the other.
    ///
    /// # Errors
    /// As [`Tape::layer`].
    pub fn chain(&mut self, input: Value, layers: &[Layer]) -> Result<Value> {
        layers.iter().try_fold(input, |value, layer| self.layer(value, *layer))
    }

    /// Keeps the `k` largest outputs of each row; the others become 0, and pass no derivative on.
    ///
    /// # Errors
    /// If there are not so many, or if the units have a slope where their output is 0 (those that have none are
    /// rectified and logistic units).
    pub fn keep_largest(&mut self, value: Value, k: usize) -> Result<()> {
        let Recorded { out: input, activation, .. } = self.steps[value.0];
        if activation.derivative(0.0) != 0.0 {
            let (setting, value) =
                ("the activation of a code whose largest numbers stay", activation.name().to_owned());
            return Err(Error::Setting { setting, value, expected: "it must be relu or logistic" });
        }
        let out = self.tensor("largest", input.cols);
        self.routine.push(Op::TopK { input, k, out })?;
        self.steps[value.0].out = out;
        Ok(())
    }

    /// A code drawn from the normal distribution whose means, and whose logarithms of variances, stand in two halves of
    /// a row; `kl_weight` times its divergence from N(0, I) is a loss.
    ///
    /// # Errors
    /// If the moments are of an odd number, or not those of linear units.
    pub fn reparameterize(&mut self, moments: Value, kl_weight: f32) -> Result<Value> {
        self.linear(moments, "the activation of the moments of a code")?;
        let codes = self.width(moments) / 2;
        let [noise, out] = ["noise", "code"].map(|name| self.tensor(name, codes));
        let stream = self.stream();
        self.routine.push(Op::Reparameterize { moments: self.steps[moments.0].out, kl_weight, stream, noise, out })?;
        Ok(self.add(out, Activation::Linear, Origin::Latent { moments, noise, kl_weight }))
    }

    /// Whether values are those of linear units, as what takes their derivatives for those of total inputs wants them.
    fn linear(&self, value: Value, setting: &'static str) -> Result<()> {
        match self.steps[value.0].activation {
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
        let kind = match penalty {
            Penalty::L1 { weight } => PenaltyKind::L1 { weight },
            Penalty::Sparsity { weight, target } => {
                let means = self.tensor_of("means", 1, self.width(value));
                self.routine.push(Op::ColumnMeans { input: self.steps[value.0].out, times: None, out: means })?;
                PenaltyKind::Sparsity { weight, target, means }
            }
            Penalty::Contractive { weight } => self.contract(value, weight)?,
        };
        self.steps[value.0].penalties.push(kind);
        Ok(())
    }

    /// Prepares the contractive penalty on the outputs of the first layer.
    fn contract(&mut self, value: Value, penalty: f32) -> Result<PenaltyKind> {
        let Recorded { out: output, activation, origin, .. } = self.steps[value.0];
        let Origin::Layer(Use { input, layer, .. }) = origin else {
            return Err(not_contractive());
        };
        if !matches!(self.steps[input.0].origin, Origin::Data) || layer.window.is_some() {
            return Err(not_contractive());
        }
        let [squares, costs] = ["squares", "costs"].map(|name| self.tensor_of(name, 1, output.cols));
        self.routine.push(Op::Contraction { weight: layer.weight, output, activation, penalty, squares, costs })?;
        self.steps[value.0].costs = Some(costs);
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
        if objective != Objective::SquaredError {
            self.linear(value, "the activation of logits")?;
        }
        let kind = match objective {
            Objective::CrossEntropy => LossKind::CrossEntropy,
            Objective::SoftmaxCrossEntropy => LossKind::SoftmaxCrossEntropy,
            Objective::SquaredError => LossKind::SquaredError { activation: self.steps[value.0].activation },
        };
        let delta = self.learns.then(|| self.tensor("delta", self.width(value)));
        let (input, target) = (self.steps[value.0].out, self.steps[target.0].out);
        self.routine.push(Op::Loss { kind, input, target, output: None, delta })?;
        delta.map_or(Ok(()), |delta| self.gather_derivative(value, delta))
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
        let Inference { sparsity, pull, steps, rate, .. } = *inference;
        let shrinkage = Shrinkage { rate, sparsity, pull };
        let (x, prediction) = (self.steps[x.0].out, self.steps[prediction.0].out);
        let weight = dictionary.weight;
        let none = self.program.data("no_bias", 1, weight.rows, Kind::Values);
        let through = |input, transposed, bias, out| {
            let activation = Activation::Linear;
            Op::Linear { input, weight, transposed, bias, activation, out, sample: None }
        };
        let [correlation, overlap] = ["correlation", "overlap"].map(|name| self.tensor(name, weight.rows));
        let codes = ["code", "code.other"].map(|name| self.tensor(name, weight.rows));
        let decoded = self.tensor("decoded", weight.cols);
        self.routine.push(through(x, true, none, correlation))?;
        let mut code = prediction;
        for number in 0..steps {
            let out = codes[number % 2];
            self.routine.push(through(code, false, dictionary.bias, decoded))?;
            self.routine.push(through(decoded, true, none, overlap))?;
            self.routine.push(Op::Shrink { code, overlap, correlation, prediction, shrinkage, out })?;
            code = out;
        }
        Ok(self.add(code, Activation::Linear, Origin::Data))
    }

    /// Keeps what each input of a layer adds to its outputs, the rows of its weights, from growing longer than this while the
    /// tape learns by Adam or momentum.
    pub fn limit_rows(&mut self, layer: Layer, norm: f32) {
        if self.learns {
            self.after.push(Op::MaxNorm { weight: layer.weight, norm, rows: !layer.transposed });
        }
    }

    /// The cross-entropy between classes and the softmax of these logits as a loss.
    ///
    /// # Errors
    /// If there are not as many logits as classes, or they are not those of linear units.
    pub fn classify(&mut self, logits: Value, classes: Value) -> Result<()> {
        self.linear(logits, "the activation of logits")?;
        let delta = self.learns.then(|| self.tensor("delta", self.width(logits)));
        let (input, target) = (self.steps[logits.0].out, self.steps[classes.0].out);
        self.routine.push(Op::Loss { kind: LossKind::SoftmaxCrossEntropy, input, target, output: None, delta })?;
        delta.map_or(Ok(()), |delta| self.gather_derivative(logits, delta))
    }

    /// Records the way back to the gradients of all parameters but those of the first layers, which are `frozen`. `place` gives a
    /// tensor for the gradient of a parameter; those of several uses add up in it.
    pub(crate) fn gradients(
        mut self,
        frozen: &[Layer],
        mut place: impl FnMut(&mut Program, Tensor) -> Tensor,
    ) -> Result<Slopes> {
        for step in &mut self.steps {
            if matches!(step.origin, Origin::Layer(used) if frozen.iter().any(|layer| layer.bias == used.layer.bias)) {
                step.origin = Origin::Data;
            }
        }
        for number in (0..self.steps.len()).rev() {
            let Recorded { out, activation, origin, delta: Some(delta), .. } = self.steps[number] else {
                continue;
            };
            for kind in std::mem::take(&mut self.steps[number].penalties) {
                self.routine.push(Op::Penalty { kind, output: out, activation, delta })?;
            }
            match origin {
                Origin::Data => {}
                Origin::Layer(used) => {
                    let weight = used.layer.weight;
                    let (gradient, earlier) = self.slope(weight, true, &mut place);
                    let uses =
                        |step: &&Recorded| matches!(step.origin, Origin::Layer(other) if other.layer.weight == weight);
                    let plus = match earlier {
                        true => Some(Addend::Gradient(gradient)),
                        false => self
                            .steps
                            .iter()
                            .filter(uses)
                            .find_map(|step| step.costs)
                            .map(|costs| Addend::Decay { weight, costs }),
                    };
                    let (sum, known) = self.slope(used.layer.bias, false, &mut place);
                    let bias = if known { self.tensor_of("bias.gradient", 1, sum.cols) } else { sum };
                    let [gradient, stored] = [gradient, bias].map(|gradient| Update::Store { gradient });
                    self.learn_layer(used, delta, gradient, stored, plus)?;
                    if known {
                        let factors = Factors::Fixed(1.0, 1.0);
                        self.routine.push(Op::Combine { x: sum, y: bias, factors, out: sum })?;
                    }
                }
                Origin::Latent { moments, noise, kl_weight } => {
                    let tensor = self.steps[moments.0].out;
                    let back = |out| Op::ReparameterizeBackward { delta, moments: tensor, noise, kl_weight, out };
                    self.pass(moments, back)?;
                }
            }
        }
        let moves = |op: &Op| !op.tensors().1.iter().any(|tensor| frozen.iter().any(|layer| layer.weight == *tensor));
        self.slopes.limits = self.after.into_iter().filter(moves).collect();
        Ok(self.slopes)
    }

    /// The tensor for the gradient of a parameter, and whether it holds that of another use already.
    fn slope(
        &mut self,
        parameter: Tensor,
        decays: bool,
        place: &mut impl FnMut(&mut Program, Tensor) -> Tensor,
    ) -> (Tensor, bool) {
        if let Some(gradient) = self.slopes.of(parameter) {
            return (gradient, true);
        }
        let gradient = place(self.program, parameter);
        self.slopes.slopes.push(Slope { parameter, gradient, decays });
        (gradient, false)
    }

    /// Passes the derivative of a layer on, then records its gradients.
    fn learn_layer(
        &mut self,
        Use { input, layer, seen }: Use,
        delta: Tensor,
        weight: Update,
        bias: Update,
        plus: Option<Addend>,
    ) -> Result<()> {
        let below = &self.steps[input.0];
        let (output, activation) = (below.out, below.activation);
        let passes = !matches!(below.origin, Origin::Data);
        let (used, transposed) = (layer.weight, layer.transposed);
        let (Some(window), Some(seen)) = (layer.window, seen) else {
            if passes {
                self.pass(input, |out| Op::Backprop { delta, weight: used, transposed, output, activation, out })?;
            }
            let (positive, bias, input_bias) =
                if transposed { ((delta, output), None, Some(bias)) } else { ((output, delta), Some(bias), None) };
            let negative = None;
            self.routine.push(Op::Gradient {
                positive,
                negative,
                weight,
                bias,
                input_bias,
                plus,
                positions: 1,
                scale: 1.0,
            })?;
            return Ok(());
        };
        let pixels = window.pixels(used.cols);
        // δ as the weights see it: by pixels of the filters' map, or by windows on the larger one.
        let turned = self.unfold(delta, if transposed { window } else { pixels })?;
        if passes {
            let back = self.tensor_of("back", seen.rows, seen.cols);
            let (through, next, tail) = if transposed {
                (activation, pixels, FoldTail::Sum)
            } else {
                (Activation::Linear, window, FoldTail::Backprop { output, activation })
            };
            self.routine.push(Op::Backprop {
                delta: turned,
                weight: used,
                transposed,
                output: seen,
                activation: through,
                out: back,
            })?;
            self.pass(input, |out| Op::Fold { input: back, window: next, tail, out })?;
        }
        self.routine.push(Op::Gradient {
            positive: if transposed { (turned, seen) } else { (seen, turned) },
            negative: None,
            weight,
            bias: None,
            input_bias: None,
            plus,
            positions: window.positions(),
            scale: 1.0,
        })?;
        Ok(self.routine.push(Op::SharedBias { delta, bias })?)
    }

    /// The windows on a map.
    fn unfold(&mut self, input: Tensor, window: Window) -> Result<Tensor> {
        let out = self.tensor_of("windows", self.batch * window.positions(), window.taps());
        self.routine.push(Op::Unfold { input, window, out })?;
        Ok(out)
    }

    /// Adds what `op` computes to the derivative of a value.
    fn pass(&mut self, to: Value, op: impl FnOnce(Tensor) -> Op) -> Result<()> {
        let name = format!("{}.delta", self.program.name(self.steps[to.0].out));
        let out = self.tensor(&name, self.width(to));
        self.routine.push(op(out))?;
        self.gather_derivative(to, out)
    }

    /// Adds to the derivative of a value.
    fn gather_derivative(&mut self, of: Value, delta: Tensor) -> Result<()> {
        match self.steps[of.0].delta {
            None => self.steps[of.0].delta = Some(delta),
            Some(known) => {
                let factors = Factors::Fixed(1.0, 1.0);
                self.routine.push(Op::Combine { x: known, y: delta, factors, out: known })?;
            }
        }
        Ok(())
    }
}

fn not_contractive() -> Error {
    let (setting, value) = ("the penalty", "contractive".to_owned());
    Error::Setting {
        setting,
        value,
        expected: "the Jacobian is that of one layer, so the code must be the first layer's, and no convolution's",
    }
}
