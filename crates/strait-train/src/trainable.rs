//! Models that back-propagation trains.

use strait_compute::Activation;
use strait_models::{Affine, Autoencoder, Layer, Vae};

use crate::tape::{Tape, Value};
use crate::{Error, FineTune, Objective, Result};

/// A model that [`FineTune`] trains: layers, and the way of a minibatch through them.
///
/// ```
/// use strait_compute::{Activation, Device, philox::Stream};
/// use strait_data::Rows;
/// use strait_models::{Affine, Layer};
/// use strait_train::{FineTune, Result, Tape, Trainable, Value};
///
/// /// One code, decoded by two decoders.
/// struct Twice(Vec<Affine>);
///
/// impl Trainable for Twice {
///     fn layers(&self) -> &[Affine] {
///         &self.0
///     }
///     fn layers_mut(&mut self) -> &mut [Affine] {
///         &mut self.0
///     }
///     fn check(&self, _: &FineTune) -> Result<()> {
///         Ok(())
///     }
///     fn record(&self, tape: &mut Tape<'_>, recipe: &FineTune, layers: &[Layer], x: Value, target: Value) -> Result<()> {
///         let code = tape.layer(x, layers[0])?;
///         tape.reconstruct(code, &layers[1..2], target, recipe.objective)?;
///         tape.reconstruct(code, &layers[2..], target, recipe.objective)
///     }
/// }
///
/// let mut stream = Stream::new(1, 0);
/// let mut layer = |inputs, outputs, activation| Affine::glorot(inputs, outputs, activation, &mut stream);
/// let mut model = Twice(vec![
///     layer(4, 2, Activation::Tanh)?,
///     layer(2, 4, Activation::Logistic)?,
///     layer(2, 4, Activation::Logistic)?,
/// ]);
/// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
/// let (device, rows) = (Device::cpu()?, Rows::bytes(&pixels, 4)?);
/// let before = FineTune::default().gradient(&device, &model, rows)?.0;
/// FineTune::default().fit(&device, &mut model, rows)?;
/// assert!(FineTune::default().gradient(&device, &model, rows)?.0 < before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Trainable {
    /// What events call its training.
    fn stage(&self) -> &'static str {
        "training"
    }

    /// All layers, in an order that does not change.
    fn layers(&self) -> &[Affine];

    /// The same, to be replaced by what was learned.
    fn layers_mut(&mut self) -> &mut [Affine];

    /// Whether the model is whole, and is what the recipe asks for.
    ///
    /// # Errors
    /// With what is wrong.
    fn check(&self, recipe: &FineTune) -> Result<()>;

    /// How many values behind the inputs of each row are what is to be made of them; 0 where the inputs themselves are.
    fn targets(&self) -> usize {
        0
    }

    /// Records a minibatch `x` on its way through the layers, which are those of [`Trainable::layers`], to its losses.
    /// `target` holds what is to be made of it: `x` itself, or the [`Trainable::targets`] behind it.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn record(&self, tape: &mut Tape<'_>, recipe: &FineTune, layers: &[Layer], x: Value, target: Value) -> Result<()>;
}

/// The recipe's noise goes on the input, its penalty on the code (Vincent et al. 2010; Ng 2011).
impl Trainable for Autoencoder {
    fn stage(&self) -> &'static str {
        "fine-tuning"
    }

    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn check(&self, recipe: &FineTune) -> Result<()> {
        Self::check(self)?;
        reconstructs(&self.layers, recipe)
    }

    fn record(&self, tape: &mut Tape<'_>, recipe: &FineTune, layers: &[Layer], x: Value, target: Value) -> Result<()> {
        let input = recipe.corruption.map_or(Ok(x), |noise| tape.corrupt(x, noise))?;
        let (encoder, decoder) = layers.split_at(self.encoder);
        let code = tape.chain(input, encoder)?;
        if let Some(k) = self.top_k {
            tape.keep_largest(code, k)?;
        }
        if let Some(penalty) = recipe.penalty {
            tape.penalize(code, penalty)?;
        }
        tape.reconstruct(code, decoder, target, recipe.objective)
    }
}

/// The loss is the negative evidence lower bound with the recipe's weight on the divergence (Kingma & Welling 2013; Higgins
/// et al. 2017), up to the constant of a normal likelihood. The cross-entropy stands for Bernoulli pixels, the squared
/// error for normal ones of variance ½. The recipe's noise goes on the input.
impl Trainable for Vae {
    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn check(&self, recipe: &FineTune) -> Result<()> {
        Self::check(self)?;
        if recipe.optimizer.vectors() > 0 {
            let (setting, value) = ("the optimizer", "a minimiser".to_owned());
            let expected = "conjugate gradients and L-BFGS compare losses, which change with each random code; use Adam \
                            or momentum";
            return Err(Error::Setting { setting, value, expected });
        }
        if recipe.penalty.is_some() {
            let (setting, value) = ("the penalty", "set".to_owned());
            let expected = "a variational autoencoder's code has its divergence in place of one; use kl-weight";
            return Err(Error::Setting { setting, value, expected });
        }
        if recipe.objective == Objective::SoftmaxCrossEntropy {
            let (setting, value) = ("the objective", "softmax cross-entropy".to_owned());
            let expected = "the likelihoods of a variational autoencoder are Bernoulli's or normal; use the cross-entropy or \
                            the squared error";
            return Err(Error::Setting { setting, value, expected });
        }
        reconstructs(&self.layers, recipe)
    }

    fn record(&self, tape: &mut Tape<'_>, recipe: &FineTune, layers: &[Layer], x: Value, target: Value) -> Result<()> {
        let input = recipe.corruption.map_or(Ok(x), |noise| tape.corrupt(x, noise))?;
        let (encoder, decoder) = layers.split_at(self.encoder);
        let moments = tape.chain(input, encoder)?;
        let code = tape.reparameterize(moments, recipe.kl_weight)?;
        tape.reconstruct(code, decoder, target, recipe.objective)
    }
}

/// Whether the layers give as many values as they take, by units that the objective is for.
pub(crate) fn reconstructs(layers: &[Affine], recipe: &FineTune) -> Result<()> {
    let (first, last) = (&layers[0], &layers[layers.len() - 1]);
    if last.outputs != first.inputs {
        let message =
            format!("the net has {} inputs but {} outputs, so it cannot reconstruct", first.inputs, last.outputs);
        return Err(strait_models::Error::Shape(message).into());
    }
    let wanted = match recipe.objective {
        Objective::CrossEntropy => Some(Activation::Logistic),
        Objective::SoftmaxCrossEntropy => Some(Activation::Linear),
        Objective::SquaredError => None,
    };
    if wanted.is_some_and(|wanted| wanted != last.activation) {
        let (setting, value) = ("the activation of the last layer", last.activation.name().to_owned());
        let expected = "the cross-entropy takes logistic outputs, that of softmax linear ones; use the squared error";
        return Err(Error::Setting { setting, value, expected });
    }
    Ok(())
}
