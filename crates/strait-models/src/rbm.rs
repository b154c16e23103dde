//! Restricted Boltzmann machines.

use strait_compute::philox::Stream;
use strait_compute::{Activation, Sampling};

use crate::affine::random_weights;
use crate::{Error, Result};

/// The kind of a layer of stochastic units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Units {
    /// Binary units: 1 with probability logistic(x).
    #[default]
    Bernoulli,
    /// Real-valued units with unit variance: x plus standard normal noise.
    Gaussian,
}

impl Units {
    /// The mean of a unit as a function of its total input.
    pub fn activation(self) -> Activation {
        match self {
            Self::Bernoulli => Activation::Logistic,
            Self::Gaussian => Activation::Linear,
        }
    }

    /// How a unit draws its state from its mean.
    pub fn sampling(self) -> Sampling {
        match self {
            Self::Bernoulli => Sampling::Bernoulli,
            Self::Gaussian => Sampling::Gaussian,
        }
    }
}

/// A restricted Boltzmann machine with the energy
///
/// E(v, h) = −aᵀv − bᵀh − vᵀW h,
///
/// where Gaussian units of unit variance replace their linear term by ½ (v − a)² or ½ (h − b)² (Hinton &
/// Salakhutdinov 2006).
#[derive(Clone, Debug, PartialEq)]
pub struct Rbm {
    /// The visible units.
    pub visible: Units,
    /// The hidden units.
    pub hidden: Units,
    /// W, `[visible, hidden]`, row-major.
    pub weight: Vec<f32>,
    /// a
    pub visible_bias: Vec<f32>,
    /// b
    pub hidden_bias: Vec<f32>,
}

impl Rbm {
    /// A machine with weights drawn from 0.1 N(0, 1), as in the paper's code, and zero biases.
    ///
    /// # Errors
    /// If a layer has no units, or there is no memory for so many weights.
    pub fn new(visible: (usize, Units), hidden: (usize, Units), stream: &mut Stream) -> Result<Self> {
        crate::check_sizes(&[visible.0, hidden.0])?;
        Ok(Self {
            visible: visible.1,
            hidden: hidden.1,
            weight: random_weights(visible.0, hidden.0, || 0.1 * stream.next_normal())?,
            visible_bias: vec![0.0; visible.0],
            hidden_bias: vec![0.0; hidden.0],
        })
    }

    /// The total inputs of the hidden units, b + vW.
    fn hidden_inputs(&self, v: &[f32]) -> Vec<f64> {
        let mut inputs: Vec<f64> = self.hidden_bias.iter().map(|&b| f64::from(b)).collect();
        for (row, &v) in self.weight.chunks_exact(inputs.len()).zip(v) {
            inputs.iter_mut().zip(row).for_each(|(input, &w)| *input += f64::from(v) * f64::from(w));
        }
        inputs
    }

    /// The free energy of a visible vector, −ln Σₕ e^−E(v, h) (up to a constant for Gaussian hidden units):
    ///
    /// F(v) = −aᵀv − Σⱼ ln(1 + e^(b + vW)ⱼ)
    ///
    /// Gaussian visible units have ½ ‖v − a‖² in place of −aᵀv, Gaussian hidden units −½ x² − b x in place of
    /// −ln(1 + eˣ), with x = (vW)ⱼ.
    ///
    /// ```
    /// use strait_models::{Rbm, Units};
    /// let rbm = Rbm {
    ///     visible: Units::Bernoulli,
    ///     hidden: Units::Bernoulli,
    ///     weight: vec![0.0; 2],
    ///     visible_bias: vec![3.0],
    ///     hidden_bias: vec![0.0; 2],
    /// };
    /// let expected = -3.0 - 2.0 * 2f64.ln();
    /// assert!((rbm.free_energy(&[1.0])? - expected).abs() < 1e-12);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the vector has not one value for each visible unit.
    pub fn free_energy(&self, v: &[f32]) -> Result<f64> {
        if v.len() != self.visible_bias.len() {
            return Err(Error::Width { expected: self.visible_bias.len(), found: v.len() });
        }
        let units = v.iter().zip(&self.visible_bias).map(|(&v, &a)| (f64::from(v), f64::from(a)));
        let visible: f64 = match self.visible {
            Units::Bernoulli => units.map(|(v, a)| -a * v).sum(),
            Units::Gaussian => units.map(|(v, a)| 0.5 * (v - a).powi(2)).sum(),
        };
        let inputs = self.hidden_inputs(v).into_iter().zip(&self.hidden_bias);
        let hidden: f64 = match self.hidden {
            Units::Bernoulli => inputs.map(|(x, _)| -Activation::Softplus.apply(x)).sum(),
            // x + b = input: −½ x² − b x = −½ (input² − b²).
            Units::Gaussian => inputs.map(|(x, &b)| -0.5 * (x * x - f64::from(b).powi(2))).sum(),
        };
        Ok(visible + hidden)
    }
}
