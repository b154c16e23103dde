//! What the members of the family have in common.

use strait_compute::{Activation, Device, Noise};
use strait_data::Rows;

use crate::network::evaluation_batch;
use crate::{Affine, Error, Goal, Layer, Model, Objective, Result, Tape, Value};

/// A member of the family of autoencoders: layers, and the way of a minibatch through them, which is recorded once for training and for
/// evaluation. `FineTune` of the crate `strait-train` trains every member.
///
/// ```
/// use strait_compute::{Activation, philox::Stream};
/// use strait_models::{Affine, Goal, Layer, Member, Result, Tape, Value};
///
/// /// One code, decoded by two decoders.
/// struct Twice(Vec<Affine>);
///
/// impl Member for Twice {
///     fn layers(&self) -> &[Affine] {
///         &self.0
///     }
///     fn layers_mut(&mut self) -> &mut [Affine] {
///         &mut self.0
///     }
///     fn check(&self, _: &Goal) -> Result<()> {
///         Ok(())
///     }
///     fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, goal: &Goal) -> Result<()> {
///         let code = tape.layer(x, layers[0])?;
///         tape.reconstruct(code, &layers[1..2], target, goal.objective)?;
///         tape.reconstruct(code, &layers[2..], target, goal.objective)
///     }
/// }
///
/// let mut stream = Stream::new(1, 0);
/// let mut layer = |inputs, outputs, activation| Affine::glorot(inputs, outputs, activation, &mut stream);
/// let model = Twice(vec![
///     layer(4, 2, Activation::Tanh)?,
///     layer(2, 4, Activation::Logistic)?,
///     layer(2, 4, Activation::Logistic)?,
/// ]);
/// assert!(model.check(&Goal::default()).is_ok());
/// # Ok::<(), strait_models::Error>(())
/// ```
pub trait Member {
    /// What events call its training.
    fn stage(&self) -> &'static str {
        "training"
    }

    /// All layers, in an order that does not change.
    fn layers(&self) -> &[Affine];

    /// The same, to be replaced by what was learned.
    fn layers_mut(&mut self) -> &mut [Affine];

    /// A copy as a model of any kind, where it is one of those that have files: checkpoints then open as that.
    fn to_model(&self) -> Option<Model> {
        None
    }

    /// Whether the weights of the second half of the layers are those of the first half, transposed, in reverse order.
    fn is_tied(&self) -> bool {
        false
    }

    /// Whether the model is whole, its settings make sense, and it can be trained for this.
    ///
    /// # Errors
    /// With what is wrong.
    fn check(&self, goal: &Goal) -> Result<()>;

    /// How many values behind the inputs of each row are what is to be made of them; 0 where the inputs themselves are.
    fn targets(&self) -> usize {
        0
    }

    /// How many values a row has, without the [`Member::targets`] behind them: as many as the first layer takes, if the model does not say
    /// otherwise.
    fn inputs(&self) -> usize {
        self.layers().first().map_or(0, |layer| layer.inputs)
    }

    /// Whether rows are such as the model takes, beside their width.
    ///
    /// # Errors
    /// With the first row that is not.
    fn check_rows(&self, _rows: &Rows<'_>) -> Result<()> {
        Ok(())
    }

    /// The values of rows that are compared with what is made of them, if these are not all.
    fn compared(&self, _rows: &Rows<'_>) -> Option<Vec<f32>> {
        None
    }

    /// Rows of a minibatch of evaluation, of which a device can hold all that is computed.
    fn evaluation_batch(&self, device: &Device, rows: usize) -> usize {
        evaluation_batch(device, self.layers(), rows)
    }

    /// Records a minibatch `x` on its way through the layers, which are those of [`Member::layers`], to its losses.
    /// `target` holds what is to be made of it: `x` itself, or the [`Member::targets`] behind it.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn record(&self, tape: &mut Tape<'_>, layers: &[Layer], x: Value, target: Value, goal: &Goal) -> Result<()>;
}

/// Whether the layers give as many values as they take, by units that the objective is for.
pub(crate) fn reconstructs(layers: &[Affine], goal: &Goal) -> Result<()> {
    let (first, last) = (&layers[0], &layers[layers.len() - 1]);
    if last.outputs != first.inputs {
        let message =
            format!("the net has {} inputs but {} outputs, so it cannot reconstruct", first.inputs, last.outputs);
        return Err(Error::Shape(message));
    }
    let wanted = match goal.objective {
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

/// Whether noise makes sense, and losses that it changes are not compared.
pub(crate) fn check_noise(noise: Option<Noise>, goal: &Goal) -> Result<()> {
    let Some(noise) = noise else {
        return Ok(());
    };
    let (setting, value) = ("corruption", format!("{noise:?}"));
    if !noise.is_sensible() {
        let expected = "a share must lie between 0 and 1, a deviation must be at least 0";
        return Err(Error::Setting { setting, value, expected });
    }
    if goal.minimises {
        let expected = "conjugate gradients and L-BFGS compare losses, which noise changes; use Adam or momentum";
        return Err(Error::Setting { setting, value, expected });
    }
    Ok(())
}

/// Whether losses that change by chance are not compared.
pub(crate) fn follows_gradients(goal: &Goal, expected: &'static str) -> Result<()> {
    if goal.minimises {
        return Err(Error::Setting { setting: "the optimizer", value: "a minimiser".to_owned(), expected });
    }
    Ok(())
}
