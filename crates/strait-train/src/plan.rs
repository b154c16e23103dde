//! What a run consists of.

use serde::Serialize;
use serde::de::DeserializeOwned;
use strait_compute::Device;

use crate::checkpoint::{Difference, Hashed, Modeller};
use crate::method::{Outcome, Part};
use crate::monitor::Watching;
use crate::progress::HostCost;
use crate::snapshot::Cursor;
use crate::{Error, Result};

/// One epoch of a part of a run, as the run tells it to its plan.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// Counted from 1.
    pub(crate) epoch: usize,
    pub(crate) outcome: Outcome,
    pub(crate) seconds: f64,
    /// What the learning rate was multiplied by beside its schedule.
    pub(crate) rate_factor: f32,
    pub(crate) cost: HostCost,
}

/// The rate as the schedule has it.
pub(crate) fn whole() -> f32 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
pub(crate) fn is_whole(factor: &f32) -> bool {
    *factor == 1.0
}

/// Appends a number to the name of a part if `alike` earlier parts have the same name.
pub(crate) fn numbered(name: String, alike: usize) -> String {
    if alike == 0 { name } else { format!("{name} ({})", alike + 1) }
}

/// A list of parts that are trained one after the other: machines, rounds, or a single one.
///
/// The plans are those of this crate; a [`Run`](crate::Run) does what they say.
pub trait Plan<'a> {
    /// What an epoch leaves in the results.
    type Record: Clone + Serialize + DeserializeOwned;
    /// What the run gives in the end.
    type Output;
    /// What the plan knows of the parts that are finished, beside tensors.
    type Progress: Clone + Default + Serialize + DeserializeOwned;

    /// How many parts there are.
    #[doc(hidden)]
    fn parts(&self) -> usize {
        1
    }

    /// Epochs of a part.
    #[doc(hidden)]
    fn epochs_of(&self, part: usize) -> usize;

    /// Compiles and checks what the run will need, before its first part.
    #[doc(hidden)]
    fn begin(&mut self, _device: &Device) -> Result<()> {
        Ok(())
    }

    /// Loads a part, given what the earlier ones have left.
    #[doc(hidden)]
    fn start(&mut self, device: &Device, part: usize) -> Result<Part<'a>>;

    /// When parts end early, and when their learning rate falls.
    #[doc(hidden)]
    fn watching(&self) -> Watching;

    /// Whether there are rows held out of training that this can be judged on.
    #[doc(hidden)]
    fn has_held_out(&self) -> bool;

    /// Whether there is something to judge where something is to be judged.
    #[doc(hidden)]
    fn check_watching(&self) -> Result<()> {
        if self.watching().judges() && !self.has_held_out() {
            let (setting, value) = ("early-stopping or reduce-on-plateau", "set".to_owned());
            let expected = "they judge rows held out of training: give the run some, by validation, test or, of machines, held_out";
            return Err(Error::Setting { setting, value, expected });
        }
        Ok(())
    }

    /// The record of an epoch.
    #[doc(hidden)]
    fn record(&self, part: usize, epoch: Epoch) -> Self::Record;

    /// Takes over what a part has learned so far.
    #[doc(hidden)]
    fn take(&mut self, part: usize, trained: &mut Part<'a>) -> Result<()>;

    /// Takes back what a part has learned, so that [`Plan::start`] loads it as it began. Tells whether it can.
    #[doc(hidden)]
    fn rewind(&mut self, _part: usize) -> bool {
        true
    }

    /// Whether all rates follow the step's learning rate, so that they can be lowered.
    #[doc(hidden)]
    fn rates_follow(&self) -> bool {
        true
    }

    /// Ends a part: what was learned has been taken over. `goes_on` tells whether another one follows, which may keep the program.
    #[doc(hidden)]
    fn end(&mut self, _device: &Device, _part: usize, _goes_on: bool, trained: Part<'a>) -> Result<()> {
        drop(trained);
        Ok(())
    }

    /// The number that is not finite among what a part has learned, if there is one.
    #[doc(hidden)]
    fn wrong(&self, part: usize) -> Option<f64>;

    /// How events tell of an epoch of a part: its number in the run, and how many there are of its stage.
    #[doc(hidden)]
    fn told(&self, _part: usize, epoch: usize, epochs: usize) -> (usize, usize) {
        (epoch, epochs)
    }

    /// The results, from the records of each part that was begun.
    #[doc(hidden)]
    fn output(self, records: Vec<Vec<Self::Record>>, stopped: bool) -> Result<Self::Output>;

    /// What the run depends on, beside the device: the recipe, what it starts from, and the rows.
    #[doc(hidden)]
    fn identity(&self, hashed: Hashed) -> serde_json::Value;

    /// What it means that a field of [`Plan::identity`] is another one than in the checkpoint that a run goes on from.
    #[doc(hidden)]
    fn difference(&self, _field: &str, _before: &serde_json::Value, _at: Cursor) -> Difference {
        Difference::Change(None)
    }

    /// Makes a model of what a part has learned, on the thread that writes checkpoints; nothing if it is of a kind that has no file.
    #[doc(hidden)]
    fn modeller(&self, part: usize, trained: &mut Part<'a>) -> Result<Option<Modeller>>;

    /// What finished parts have left: named tensors, and the rest.
    #[doc(hidden)]
    fn save(&self) -> (Vec<(String, Vec<f32>)>, Self::Progress) {
        (Vec::new(), Self::Progress::default())
    }

    /// Takes back what [`Plan::save`] gave, when the run is to go on in this part. Tells whether the rows of this part, if it is
    /// loaded, are still the right ones.
    #[doc(hidden)]
    fn restore(
        &mut self,
        _device: &Device,
        _part: usize,
        _tensors: &mut dyn FnMut(&str) -> Result<Vec<f32>>,
        _progress: Self::Progress,
    ) -> Result<bool> {
        Ok(true)
    }
}
