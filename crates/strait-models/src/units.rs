//! Layers of stochastic units: what a Boltzmann machine's layers are made of.

use serde::{Deserialize, Serialize};
use strait_compute::{Activation, Draw, Groups, Op, Program, Routine, Sample, Sampling, Tensor};

use crate::{Error, Result};

/// The kind of a layer of stochastic units.
///
/// A unit with the total input x is in state s with a probability proportional to ρ(s) eˣˢ:
///
/// | kind | states, ρ | mean | ln Σ ρ(s) eˣˢ |
/// | --- | --- | --- | --- |
/// | Bernoulli | 0 and 1, 1 | logistic(x) | ln(1 + eˣ) |
/// | Gaussian | all numbers, e^−s²/2 | x | ½ x² + ½ ln 2π |
/// | rectified | copies of a binary unit | about ln(1 + eˣ) | Σᵢ ln(1 + e^(x − i + ½)) |
/// | softmax | one of a group is 1 | softmax(x) | ln Σ eˣ of the group |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// Binary units.
    #[default]
    Bernoulli,
    /// Real-valued units with unit variance, also called linear: x plus standard normal noise.
    Gaussian,
    /// Noisy rectified units (Nair & Hinton 2010): as many copies of a binary unit as there are natural numbers i, with
    /// biases lower by i − ½, of which the sum counts. It is drawn as max(0, x + ε √logistic(x)).
    Rectified,
    /// Groups of units that exclude each other, behind binary ones. A group takes as many draws as its given ones count: one
    /// for a label or a rating, none for a missing one, the words of a document (replicated softmax, Salakhutdinov & Hinton
    /// 2009), for which a bias of the hidden units that counts once for each word is a constant in the weights of all words.
    Softmax(Groups),
}

/// The total input of units, `input` W + bias, on a device.
#[derive(Clone, Copy, Debug)]
pub struct TotalInput {
    /// [B, K]
    pub input: Tensor,
    /// W, [K, N], or [N, K] when transposed.
    pub weight: Tensor,
    /// Whether W is used transposed.
    pub transposed: bool,
    /// [1, N]
    pub bias: Tensor,
}

/// What is wanted of units on a device.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Where their means go, [B, N].
    pub mean: Tensor,
    /// Random states with these means.
    pub states: Option<Draw>,
    /// What their groups are given, [B, N]; one draw each without it.
    pub given: Option<Tensor>,
    /// The inverse temperature, which multiplies the total input of binary units and of groups; then that is kept.
    pub scale: Option<f32>,
    /// Where the total inputs go, where there is a place for them already.
    pub total: Option<Tensor>,
}

impl Wanted {
    /// Means at temperature 1.
    pub fn mean(mean: Tensor) -> Self {
        Self { mean, states: None, given: None, scale: None, total: None }
    }

    /// Also states.
    pub fn drawn(self, out: Tensor, stream: u32) -> Self {
        Self { states: Some(Draw { out, stream }), ..self }
    }

    /// With what is given.
    pub fn given(self, given: Option<Tensor>) -> Self {
        Self { given, ..self }
    }

    /// At another temperature, with a place for the total inputs.
    pub fn tempered(self, scale: f32, total: Tensor) -> Self {
        Self { scale: Some(scale), total: Some(total), ..self }
    }
}

impl Units {
    /// The mean of a unit as a function of its total input; that of a group's units is softmax.
    pub fn activation(self) -> Activation {
        match self {
            Self::Bernoulli => Activation::Logistic,
            Self::Gaussian | Self::Softmax(_) => Activation::Linear,
            Self::Rectified => Activation::Softplus,
        }
    }

    /// Whether that many units can be of this kind.
    ///
    /// # Errors
    /// [`Error::Shape`] if they form no whole groups.
    pub fn check(self, units: usize) -> Result<()> {
        match self {
            Self::Softmax(groups) if groups.count(units).is_none_or(|count| count == 0) => {
                let Groups { first, classes } = groups;
                Err(Error::Shape(format!("{units} units are not {first} binary ones and groups of {classes}")))
            }
            _ => Ok(()),
        }
    }

    /// Records their means, and states where they are wanted, given their total inputs.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn record(
        self,
        program: &mut Program,
        routine: &mut Routine,
        TotalInput { input, weight, transposed, bias }: TotalInput,
        Wanted { mean, states, given, scale, total }: Wanted,
    ) -> Result<()> {
        let (sampling, groups) = match self {
            Self::Bernoulli => (Sampling::Bernoulli, Groups::none(mean.cols)),
            Self::Gaussian => (Sampling::Gaussian, Groups::none(mean.cols)),
            Self::Rectified => (Sampling::Rectified, Groups::none(mean.cols)),
            Self::Softmax(groups) => (Sampling::Bernoulli, groups),
        };
        if scale.is_none() && !matches!(self, Self::Softmax(_)) {
            let sample = states.map(|Draw { out, stream }| Sample { sampling, out, stream });
            let activation = self.activation();
            routine.push(Op::Linear { input, weight, transposed, bias, activation, out: mean, sample })?;
            return Ok(());
        }
        if matches!(self, Self::Gaussian | Self::Rectified) {
            return Err(Error::Shape("chains are tempered for binary units and groups of units only".to_owned()));
        }
        let total =
            total.unwrap_or_else(|| program.value(format!("{}.total_input", program.name(mean)), mean.rows, mean.cols));
        let activation = Activation::Linear;
        routine.push(Op::Linear { input, weight, transposed, bias, activation, out: total, sample: None })?;
        routine.push(Op::Softmax { input: total, groups, scale: scale.unwrap_or(1.0), given, out: mean, states })?;
        Ok(())
    }

    /// Σ ln Σₛ ρ(s) eˣˢ over units with these total inputs: what is left of a layer whose states are summed out. `given` is what
    /// their groups are given; one draw each without it.
    ///
    /// # Panics
    /// If the inputs form no whole groups, or what is given is not one number for each.
    ///
    /// ```
    /// use strait_models::Units;
    /// assert!((Units::Bernoulli.log_normaliser(&[0.0], None) - 2f64.ln()).abs() < 1e-12);
    /// ```
    pub fn log_normaliser(self, inputs: &[f64], given: Option<&[f32]>) -> f64 {
        /// Beyond it, copies of a rectified unit add no more than that share.
        const NEGLIGIBLE: f64 = 1e-16;
        let softplus = |x: f64| Activation::Softplus.apply(x);
        match self {
            Self::Bernoulli => inputs.iter().copied().map(softplus).sum(),
            Self::Gaussian => inputs.iter().map(|x| 0.5 * (x * x + std::f64::consts::TAU.ln())).sum(),
            Self::Rectified => {
                let unit = |&x: &f64| {
                    // Of the first copies ln(1 + eʸ) is y itself.
                    let sure = (x - 40.0).floor().max(0.0);
                    let others = (0..).map(|i: u32| softplus(x - sure - f64::from(i) - 0.5));
                    sure * x - 0.5 * sure * sure
                        + others.take_while(|term| term.is_nan() || *term > NEGLIGIBLE).take(100).sum::<f64>()
                };
                inputs.iter().map(unit).sum()
            }
            Self::Softmax(Groups { first, classes }) => {
                let binary: f64 = inputs[..first].iter().copied().map(softplus).sum();
                let groups = inputs[first..].chunks_exact(classes).enumerate();
                let group = |(number, inputs): (usize, &[f64])| {
                    let own = |given: &[f32]| given[first + number * classes..][..classes].iter().sum::<f32>();
                    f64::from(given.map_or(1.0, own)) * log_sum_exp(inputs)
                };
                binary + groups.map(group).sum::<f64>()
            }
        }
    }

    /// Makes means of what a layer with [`Units::activation`] gives of them, row after row: total inputs of groups become
    /// probabilities.
    pub(crate) fn finish(self, values: &mut [f32], units: usize) {
        let Self::Softmax(Groups { first, classes }) = self else {
            return;
        };
        for row in values.chunks_exact_mut(units) {
            let (binary, grouped) = row.split_at_mut(first);
            binary.iter_mut().for_each(|x| *x = Activation::Logistic.apply(f64::from(*x)) as f32);
            for group in grouped.chunks_exact_mut(classes) {
                let wide: Vec<f64> = group.iter().map(|&x| f64::from(x)).collect();
                let normaliser = log_sum_exp(&wide);
                group.iter_mut().zip(wide).for_each(|(mean, x)| *mean = (x - normaliser).exp() as f32);
            }
        }
    }

    /// The number of joint states of that many units whose groups draw one each; nothing if there are infinitely many, or too
    /// many to count.
    pub(crate) fn states(self, units: usize) -> Option<u64> {
        match self {
            Self::Bernoulli => 2u64.checked_pow(units as u32),
            Self::Gaussian | Self::Rectified => None,
            Self::Softmax(groups) => {
                let of_groups = (groups.classes as u64).checked_pow(groups.count(units)? as u32)?;
                2u64.checked_pow(groups.first as u32)?.checked_mul(of_groups)
            }
        }
    }
}

/// ln Σ eˣ
pub(crate) fn log_sum_exp(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + terms.iter().map(|term| (term - top).exp()).sum::<f64>().ln()
}
