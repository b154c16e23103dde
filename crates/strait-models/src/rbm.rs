//! Restricted Boltzmann machines.

use strait_compute::Activation;
use strait_compute::philox::Stream;
use strait_data::Rows;

use crate::affine::random_weights;
use crate::{Affine, Error, Result, Units};

/// A restricted Boltzmann machine with the energy
///
/// E(v, h) = −aᵀv − bᵀh − vᵀW h,
///
/// where Gaussian units replace their linear term by ½ (v − a)² or ½ (h − b)² (Hinton & Salakhutdinov 2006). Where their
/// deviations σ are not 1, v / σ takes the place of v.
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
    /// σ of Gaussian visible units, where it was learned; else it is 1.
    pub deviation: Option<Vec<f32>>,
}

impl Rbm {
    /// A machine with weights drawn from 0.1 N(0, 1), as in the paper's code, and zero biases.
    ///
    /// # Errors
    /// If a layer has no units or none of its kind, or there is no memory for so many weights.
    pub fn new(visible: (usize, Units), hidden: (usize, Units), stream: &mut Stream) -> Result<Self> {
        crate::check_sizes(&[visible.0, hidden.0])?;
        visible.1.check(visible.0)?;
        hidden.1.check(hidden.0)?;
        Ok(Self {
            visible: visible.1,
            hidden: hidden.1,
            weight: random_weights(visible.0, hidden.0, || 0.1 * stream.next_normal())?,
            visible_bias: vec![0.0; visible.0],
            hidden_bias: vec![0.0; hidden.0],
            deviation: None,
        })
    }

    /// Whether it has the parameters that its layers ask for.
    ///
    /// # Errors
    /// [`Error::Shape`] if not.
    pub fn check(&self) -> Result<()> {
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        self.visible.check(visible)?;
        self.hidden.check(hidden)?;
        let deviates = self.deviation.as_ref();
        let fits = visible.checked_mul(hidden) == Some(self.weight.len())
            && visible * hidden > 0
            && deviates.is_none_or(|deviation| {
                let positive = |x: &f32| *x > 0.0 && x.is_finite();
                self.visible == Units::Gaussian && deviation.len() == visible && deviation.iter().all(positive)
            });
        if fits {
            return Ok(());
        }
        Err(Error::Shape(format!(
            "a machine of {visible} visible and {hidden} hidden units has not the parameters for it"
        )))
    }

    /// A visible vector as the energy takes it: v / σ.
    pub(crate) fn scaled(&self, v: &[f32]) -> Vec<f32> {
        match &self.deviation {
            None => v.to_vec(),
            Some(deviation) => v.iter().zip(deviation).map(|(v, deviation)| v / deviation).collect(),
        }
    }

    /// The total inputs of the hidden units, b + vW.
    fn hidden_inputs(&self, v: &[f32]) -> Vec<f64> {
        let mut inputs: Vec<f64> = self.hidden_bias.iter().map(|&b| f64::from(b)).collect();
        for (row, &v) in self.weight.chunks_exact(inputs.len()).zip(v) {
            inputs.iter_mut().zip(row).for_each(|(input, &w)| *input += f64::from(v) * f64::from(w));
        }
        inputs
    }

    /// The energy of a visible vector alone: −aᵀv, or ½ ‖v − a‖² of Gaussian units.
    pub(crate) fn visible_energy(&self, v: &[f32]) -> f64 {
        let units = v.iter().zip(&self.visible_bias).map(|(&v, &a)| (f64::from(v), f64::from(a)));
        match self.visible {
            Units::Gaussian => units.map(|(v, a)| 0.5 * (v - a).powi(2)).sum(),
            _ => units.map(|(v, a)| -a * v).sum(),
        }
    }

    /// The free energy of a visible vector, −ln Σₕ e^−E(v, h):
    ///
    /// F(v) = −aᵀv − Σⱼ ln(1 + e^(b + vW)ⱼ)
    ///
    /// for binary units; for the terms of other kinds see [`Units`]. Gaussian visible units have ½ ‖v − a‖² in place of −aᵀv.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Rbm, Units};
    /// let mut rbm = Rbm::new((1, Units::Bernoulli), (2, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// (rbm.weight, rbm.visible_bias) = (vec![0.0; 2], vec![3.0]);
    /// let expected = -3.0 - 2.0 * 2f64.ln();
    /// assert!((rbm.free_energy(&[1.0])? - expected).abs() < 1e-12);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the machine is not whole, the vector has not one value for each visible unit, or these are rectified, whose states are no single number.
    pub fn free_energy(&self, v: &[f32]) -> Result<f64> {
        self.check()?;
        if v.len() != self.visible_bias.len() {
            return Err(Error::Width { expected: self.visible_bias.len(), found: v.len() });
        }
        if self.visible == Units::Rectified {
            return Err(Error::Shape("rectified visible units have no free energy".to_owned()));
        }
        let v = self.scaled(v);
        Ok(self.visible_energy(&v) - self.hidden.log_normaliser(&self.hidden_inputs(&v), None) + self.hidden_constant())
    }

    /// The layer that gives the total inputs of the hidden units, with this activation.
    pub(crate) fn totals(&self, activation: Activation) -> Affine {
        Affine { activation, ..self.up() }
    }

    /// The free energies of rows for each of which the logarithm of the hidden units' normaliser is given.
    pub(crate) fn energies(&self, rows: Rows<'_>, normalisers: Vec<f64>) -> Result<Vec<f64>> {
        if self.visible == Units::Rectified {
            return Err(Error::Shape("rectified visible units have no free energy".to_owned()));
        }
        let numbers = rows.to_numbers();
        let energy =
            |(v, normaliser): (&[f32], f64)| self.visible_energy(&self.scaled(v)) - normaliser + self.hidden_constant();
        Ok(numbers.chunks_exact(rows.width).zip(normalisers).map(energy).collect())
    }

    /// What the energy ½ ‖h − b‖² of Gaussian hidden units has over ½ ‖h‖² − bᵀh.
    fn hidden_constant(&self) -> f64 {
        constant(self.hidden, &self.hidden_bias)
    }

    /// The same of the visible units.
    pub(crate) fn visible_constant(&self) -> f64 {
        constant(self.visible, &self.visible_bias)
    }

    /// Its mirror image, with the hidden units as the visible ones.
    pub(crate) fn mirrored(&self) -> Self {
        Self {
            visible: self.hidden,
            hidden: self.visible,
            weight: crate::transpose(&self.weight, self.hidden_bias.len()),
            visible_bias: self.hidden_bias.clone(),
            hidden_bias: self.visible_bias.clone(),
            deviation: None,
        }
    }

    /// The machine that is left when the visible units from `first` on are held at these values: the others, with their part
    /// in the biases of the hidden units.
    ///
    /// ```
    /// use strait_compute::philox::Stream;
    /// use strait_models::{Rbm, Units};
    /// let rbm = Rbm::new((3, Units::Bernoulli), (2, Units::Bernoulli), &mut Stream::new(1, 0))?;
    /// let held = rbm.held(2, &[1.0])?;
    /// assert_eq!(held.hidden_bias, rbm.weight[4..]);
    /// let (whole, part) = (rbm.free_energy(&[1.0, 0.0, 1.0])?, held.free_energy(&[1.0, 0.0])?);
    /// assert!((whole - part).abs() < 1e-6);
    /// # Ok::<(), strait_models::Error>(())
    /// ```
    ///
    /// # Errors
    /// If these are not all units from there on, or cut a group.
    pub fn held(&self, first: usize, values: &[f32]) -> Result<Self> {
        self.check()?;
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        if first == 0 || first + values.len() != visible || values.is_empty() {
            return Err(Error::Shape(format!(
                "{} values do not hold the units from {first} on of {visible}",
                values.len()
            )));
        }
        let units = match self.visible {
            Units::Softmax(groups) if groups.first >= first => Units::Bernoulli,
            units => units,
        };
        units.check(first)?;
        let mut hidden_bias = self.hidden_bias.clone();
        let values = match &self.deviation {
            None => values.to_vec(),
            Some(deviation) => values.iter().zip(&deviation[first..]).map(|(v, deviation)| v / deviation).collect(),
        };
        for (row, value) in self.weight[first * hidden..].chunks_exact(hidden).zip(values) {
            hidden_bias.iter_mut().zip(row).for_each(|(bias, w)| *bias += value * w);
        }
        Ok(Self {
            visible: units,
            hidden: self.hidden,
            weight: self.weight[..first * hidden].to_vec(),
            visible_bias: self.visible_bias[..first].to_vec(),
            hidden_bias,
            deviation: self.deviation.as_ref().map(|deviation| deviation[..first].to_vec()),
        })
    }
}

/// ½ ‖c‖² of Gaussian units with the biases c.
fn constant(units: Units, biases: &[f32]) -> f64 {
    match units {
        Units::Gaussian => biases.iter().map(|&bias| 0.5 * f64::from(bias).powi(2)).sum(),
        _ => 0.0,
    }
}
