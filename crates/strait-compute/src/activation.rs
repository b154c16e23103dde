//! Activation functions and kinds of stochastic units.

/// The function that a layer applies to its total input.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// y = x
    #[default]
    Linear,
    /// y = 1 / (1 + e⁻ˣ)
    Logistic,
    /// y = tanh x
    Tanh,
    /// y = max(0, x)
    Relu,
    /// y = ln(1 + eˣ)
    Softplus,
}

impl Activation {
    /// All of them, for tables and tests.
    pub const ALL: [Self; 5] = [Self::Linear, Self::Logistic, Self::Tanh, Self::Relu, Self::Softplus];

    /// The name under which it is stored in files and printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Logistic => "logistic",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Softplus => "softplus",
        }
    }

    /// The activation of that name, if there is one.
    ///
    /// ```
    /// use strait_compute::Activation;
    /// assert_eq!(Activation::from_name("logistic"), Some(Activation::Logistic));
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|activation| activation.name() == name)
    }

    /// The function in double precision: what every back end is measured against.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Linear => x,
            Self::Logistic => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Relu => x.max(0.0),
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        }
    }

    /// The derivative with respect to the total input, written in terms of the output `y`.
    pub fn derivative(self, y: f64) -> f64 {
        match self {
            Self::Linear => 1.0,
            Self::Logistic => y * (1.0 - y),
            Self::Tanh => 1.0 - y * y,
            Self::Relu => f64::from(u8::from(y > 0.0)),
            Self::Softplus => 1.0 - (-y).exp(),
        }
    }
}

impl Activation {
    /// The second derivative with respect to the total input, written in terms of the output `y`; 0 at a kink.
    pub fn second_derivative(self, y: f64) -> f64 {
        match self {
            Self::Linear | Self::Relu => 0.0,
            Self::Logistic => y * (1.0 - y) * (1.0 - 2.0 * y),
            Self::Tanh => -2.0 * y * (1.0 - y * y),
            Self::Softplus => (-y).exp() * (1.0 - (-y).exp()),
        }
    }
}

/// How a stochastic unit draws its state from its mean.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sampling {
    /// 1 with the mean as its probability, else 0.
    Bernoulli,
    /// The mean plus standard normal noise.
    Gaussian,
    /// max(0, x + ε √logistic(x)) with standard normal noise ε, where the mean is softplus(x): a noisy rectified unit (Nair &
    /// Hinton 2010).
    Rectified,
}
