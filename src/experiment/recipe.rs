//! What a run depends on, beside the data.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::train::Result;
use crate::{FineTune, KSparse, MemberRecipe, Precision, Pretrain, Stacked, UpDown};

/// All that a run depends on, beside the data. It is kept as `recipe.toml` beside the results.
pub trait Recipe: Clone + Default + Serialize + DeserializeOwned {
    /// The recipe of this name, if there is one beside the default.
    fn named(_: &str) -> Option<Self> {
        None
    }

    /// The trainings that `--epochs` is about, at least one. The report names the precision of the first.
    fn trainings(&mut self) -> Vec<&mut dyn Training>;

    /// Further trainings, which take the seed and the precision as well.
    fn others(&mut self) -> Vec<&mut dyn Training> {
        Vec::new()
    }
}

/// Does this with all trainings of a recipe.
pub(super) fn each<R: Recipe, E>(
    recipe: &mut R,
    mut change: impl FnMut(&mut dyn Training) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    recipe.trainings().into_iter().try_for_each(&mut change)?;
    recipe.others().into_iter().try_for_each(&mut change)
}

/// The settings that every kind of training has.
pub trait Training {
    /// Epochs, seed and precision.
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision);

    /// Whether all settings make sense.
    ///
    /// # Errors
    /// With the one that does not.
    fn check(&self) -> Result<()>;
}

macro_rules! training {
    ($($recipe:ty, $($field:ident).*;)*) => {$(
        impl Training for $recipe {
            fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
                let training = &mut (*self)$(.$field)*;
                (&mut training.epochs, &mut training.seed, &mut training.precision)
            }

            fn check(&self) -> Result<()> {
                self$(.$field)*.check()
            }
        }
    )*};
}

training! {
    FineTune,;
    Pretrain,;
    UpDown,;
    KSparse, training;
    MemberRecipe, tuning;
    Stacked, training.tuning;
}

impl Recipe for KSparse {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![self]
    }
}
