//! Training of classifiers.

use strait_models::{Affine, Classifier, Layer};

use crate::tape::{Tape, Value};
use crate::{Error, FineTune, Result, Trainable};

/// The loss is the cross-entropy between the classes behind each row, as [`Labelled`](strait_data::Labelled) puts them, and
/// the softmax of the logits; [`FineTune::objective`] has no say. The recipe's noise goes on the input.
///
/// ```
/// use strait_compute::{Activation, Device};
/// use strait_data::{Labelled, Rows};
/// use strait_models::Classifier;
/// use strait_train::{FineTune, Optimizer};
/// let (device, pixels, labels) = (Device::cpu()?, [0u8, 255, 255, 0].repeat(50), [0, 1].repeat(50));
/// let rows = Rows::bytes(&pixels, 2)?;
/// let labelled = Labelled::new(rows, &labels, 2)?;
/// let mut net = Classifier::glorot(&[2, 8, 2], Activation::Tanh, 1)?;
/// let recipe = FineTune { batch: 10, optimizer: Optimizer::adam(0.01), ..FineTune::default() };
/// recipe.run(&device, &mut net, labelled.rows())?.test(labelled.rows())?.train()?;
/// assert_eq!(net.error_rate(&device, rows, &labels)?, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Trainable for Classifier {
    fn stage(&self) -> &'static str {
        "classifier"
    }

    fn layers(&self) -> &[Affine] {
        &self.layers
    }

    fn layers_mut(&mut self) -> &mut [Affine] {
        &mut self.layers
    }

    fn targets(&self) -> usize {
        self.classes()
    }

    fn check(&self, recipe: &FineTune) -> Result<()> {
        Self::check(self)?;
        if recipe.penalty.is_some() {
            let (setting, value) = ("the penalty", "set".to_owned());
            let expected = "a classifier has no code to put one on; use weight-cost";
            return Err(Error::Setting { setting, value, expected });
        }
        Ok(())
    }

    fn record(&self, tape: &mut Tape<'_>, recipe: &FineTune, layers: &[Layer], x: Value, target: Value) -> Result<()> {
        let input = recipe.corruption.map_or(Ok(x), |noise| tape.corrupt(x, noise))?;
        let logits = tape.chain(input, layers)?;
        tape.classify(logits, target)
    }
}
