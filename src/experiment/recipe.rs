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

impl Training for FineTune {
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
        (&mut self.epochs, &mut self.seed, &mut self.precision)
    }

    fn check(&self) -> Result<()> {
        self.check()
    }
}

impl Training for Pretrain {
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
        (&mut self.epochs, &mut self.seed, &mut self.precision)
    }

    fn check(&self) -> Result<()> {
        self.check()
    }
}

impl Training for UpDown {
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
        (&mut self.epochs, &mut self.seed, &mut self.precision)
    }

    fn check(&self) -> Result<()> {
        self.check()
    }
}

impl Training for MemberRecipe {
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
        self.tuning.settings()
    }

    fn check(&self) -> Result<()> {
        self.tuning.check()
    }
}

impl Training for Stacked {
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
        self.training.settings()
    }

    fn check(&self) -> Result<()> {
        self.training.tuning.check()
    }
}

impl Training for KSparse {
    fn settings(&mut self) -> (&mut usize, &mut u64, &mut Precision) {
        self.training.settings()
    }

    fn check(&self) -> Result<()> {
        self.check()
    }
}

impl Recipe for KSparse {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![self]
    }
}
