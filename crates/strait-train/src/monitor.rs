//! Ending a run, or lowering its learning rate, when it no longer improves.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::{below, positive};

/// Ends the training of a part of a run (a machine, a round, or all of it) when what is judged has not improved for so many epochs.
///
/// Judged is, after each epoch, the error on rows held out of training: those for validation, else those for testing, whose error is
/// then no longer that of unseen rows; of machines the gap of free energies. The names are those of Keras and PyTorch Lightning.
///
/// ```
/// use strait_models::Autoencoder;
/// use strait_train::{EarlyStopping, FineTune, Optimizer};
/// let device = strait_compute::Device::cpu()?;
/// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(20);
/// let rows = strait_data::Rows::bytes(&pixels, 4)?;
/// let mut net = Autoencoder::glorot(&[4, 8, 1], 1)?;
/// let stopping = EarlyStopping { patience: 2, min_delta: 1.0, restore_best: true };
/// let recipe = FineTune { epochs: 50, early_stopping: Some(stopping), ..FineTune::default() };
/// let tuned = recipe.run(&device, &mut net, rows)?.validation(rows)?.train()?;
/// assert!(tuned.epochs.len() < 50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without an improvement after which training ends.
    pub patience: usize,
    /// What an improvement must be more than; of the gap of free energies, which grows when a machine overfits, how much it may grow.
    pub min_delta: f64,
    /// Whether the parameters of the best epoch are given out, instead of those of the last. Judged by the gap of free energies, which is
    /// lowest before anything was learned, that is the last epoch within `min_delta` of the lowest.
    pub restore_best: bool,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience: 10, min_delta: 0.0, restore_best: false }
    }
}

/// Lowers the learning rate when what is judged, as by [`EarlyStopping`], has not improved for so many epochs.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReduceOnPlateau {
    /// What the rate is multiplied by.
    pub factor: f32,
    /// Epochs without an improvement after which it is.
    pub patience: usize,
    /// As that of [`EarlyStopping`].
    pub min_delta: f64,
    /// The smallest product of the factors.
    pub min_factor: f32,
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        Self { factor: 0.1, patience: 5, min_delta: 0.0, min_factor: 0.0 }
    }
}

/// What a recipe says of both.
#[derive(Clone, Copy, Default)]
pub struct Watching {
    pub(crate) early_stopping: Option<EarlyStopping>,
    pub(crate) plateau: Option<ReduceOnPlateau>,
}

impl Watching {
    pub(crate) fn check(&self) -> Result<()> {
        let delta = |value: f64| below("min-delta", value as f32, f32::INFINITY, "it must be a number of at least 0");
        if let Some(EarlyStopping { patience, min_delta, .. }) = self.early_stopping {
            positive("patience", patience)?;
            delta(min_delta)?;
        }
        if let Some(ReduceOnPlateau { factor, patience, min_delta, min_factor }) = self.plateau {
            positive("patience", patience)?;
            delta(min_delta)?;
            below("the factor of the plateau", factor, 1.0, "it must be at least 0 and less than 1")?;
            below("min-factor", min_factor, 1.0, "it must be at least 0 and less than 1")?;
        }
        Ok(())
    }

    /// Whether anything is judged.
    pub(crate) fn judges(&self) -> bool {
        self.early_stopping.is_some() || self.plateau.is_some()
    }
}

/// What is judged after an epoch.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Judged {
    /// An error on rows held out, which falls as long as training helps.
    Error(f64),
    /// The gap of free energies, which grows when a machine overfits.
    Gap(f64),
}

/// How a part of a run has gone so far.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Monitor {
    /// The best value, and its epoch.
    best: Option<(f64, usize)>,
    /// The value to be improved on before training ends, and the epochs without that.
    stopping: Progress,
    /// The same before the rate is lowered.
    plateau: Progress,
    /// What the learning rate is multiplied by.
    pub(crate) factor: f32,
    /// Whether the part was ended.
    pub(crate) ended: bool,
    /// The first and the lowest mean loss of some steps.
    losses: Option<(f64, f64)>,
    /// How often the part diverged and went back with half the rate.
    pub(crate) halved: usize,
}

/// How many times its best a loss is that explodes.
const EXPLODES: f64 = 10.0;

impl Monitor {
    /// Whether the mean loss of some steps has exploded: it is far above the lowest so far, and above that of the first steps.
    pub(crate) fn explodes(&mut self, loss: f64) -> bool {
        let (first, lowest) = self.losses.unwrap_or((loss, loss));
        self.losses = Some((first, lowest.min(loss)));
        lowest > 0.0 && loss > EXPLODES * lowest && loss > first
    }
}

#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
struct Progress {
    best: Option<f64>,
    waited: usize,
}

impl Progress {
    /// Epochs without an improvement, this one among them.
    fn wait(&mut self, judged: Judged, min_delta: f64) -> usize {
        let improved = match (judged, self.best) {
            (_, None) => true,
            (Judged::Error(value), Some(best)) => value < best - min_delta,
            (Judged::Gap(value), Some(best)) => value <= best + min_delta,
        };
        let value = judged.value();
        if improved {
            // A gap may come back, but does not count as the lowest for being within the tolerance.
            self.best = Some(self.best.map_or(value, |best| best.min(value)));
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        self.waited
    }
}

impl Judged {
    fn value(self) -> f64 {
        match self {
            Self::Error(value) | Self::Gap(value) => value,
        }
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            best: None,
            stopping: Progress::default(),
            plateau: Progress::default(),
            factor: 1.0,
            ended: false,
            losses: None,
            halved: 0,
        }
    }
}

/// What follows from an epoch.
#[derive(Default, PartialEq, Debug)]
pub(crate) struct Verdict {
    /// It is the best so far.
    pub(crate) best: bool,
    /// What to tell of it.
    pub(crate) notes: Vec<String>,
}

impl Monitor {
    /// Judges an epoch, counted from 1.
    pub(crate) fn judge(&mut self, watching: &Watching, judged: Judged, epoch: usize) -> Verdict {
        let value = judged.value();
        let tolerated = watching.early_stopping.map_or(0.0, |stopping| stopping.min_delta);
        let is_best = |(best, _): (f64, usize)| match judged {
            Judged::Error(_) => value < best,
            // It is lowest before anything was learned: the last epoch counts in which it is tolerated.
            Judged::Gap(_) => value <= best + tolerated,
        };
        let mut verdict = Verdict { best: self.best.is_none_or(is_best), notes: Vec::new() };
        if verdict.best {
            self.best = Some((self.best.map_or(value, |(best, _)| best.min(value)), epoch));
        }
        let (best, at) = self.best.unwrap_or((value, epoch));
        if let Some(ReduceOnPlateau { factor, patience, min_delta, min_factor }) = watching.plateau
            && self.plateau.wait(judged, min_delta) >= patience
        {
            self.plateau.waited = 0;
            let lower = (self.factor * factor).max(min_factor);
            if lower < self.factor {
                self.factor = lower;
                verdict.notes.push(format!(
                    "no improvement in {patience} epochs: the learning rate is {lower} of the recipe's now"
                ));
            }
        }
        if let Some(EarlyStopping { patience, min_delta, restore_best }) = watching.early_stopping
            && self.stopping.wait(judged, min_delta) >= patience
        {
            self.ended = true;
            let which =
                if restore_best { format!("the parameters of epoch {at}") } else { "its parameters".to_owned() };
            verdict.notes.push(format!(
                "no improvement in {patience} epochs: training ends after epoch {epoch} with {which}; the best value was {best:.4}, \
                 in epoch {at}"
            ));
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(monitor: &mut Monitor, watching: &Watching, values: &[f64]) -> Vec<(bool, bool, f32)> {
        let one = |(i, &value): (usize, &f64)| {
            let best = monitor.judge(watching, Judged::Error(value), i + 1).best;
            (best, monitor.ended, monitor.factor)
        };
        values.iter().enumerate().map(one).collect()
    }

    /// The epochs that `keras.callbacks.EarlyStopping(patience=2, min_delta=0.1)` of Keras 3 waits on this sequence.
    #[test]
    fn it_ends_where_keras_ends() {
        let watching = Watching {
            early_stopping: Some(EarlyStopping { patience: 2, min_delta: 0.1, restore_best: true }),
            plateau: None,
        };
        let found = judge(&mut Monitor::default(), &watching, &[1.0, 0.8, 0.75, 0.65, 0.6, 0.56]);
        let ended: Vec<bool> = found.iter().map(|(_, ended, _)| *ended).collect();
        assert_eq!(ended, [false, false, false, false, false, true]);
        assert!(found.iter().all(|(best, ..)| *best), "every value is lower than those before");
    }

    #[test]
    fn the_rate_falls_on_a_plateau_to_its_limit() {
        let plateau = Some(ReduceOnPlateau { factor: 0.5, patience: 2, min_delta: 0.0, min_factor: 0.3 });
        let watching = Watching { early_stopping: None, plateau };
        let found = judge(&mut Monitor::default(), &watching, &[1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.6]);
        let factors: Vec<f32> = found.iter().map(|(.., factor)| *factor).collect();
        assert_eq!(factors, [1.0, 1.0, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]);
    }

    #[test]
    fn a_loss_explodes_far_above_its_lowest_and_its_first() {
        let mut monitor = Monitor::default();
        assert_eq!(
            [100.0, 20.0, 5.0, 60.0, 99.0, 101.0].map(|loss| monitor.explodes(loss)),
            [false, false, false, false, false, true]
        );
        let mut small = Monitor::default();
        assert_eq!([1e-3, 1e-6, 1e-4].map(|loss| small.explodes(loss)), [false; 3]);
    }

    #[test]
    fn a_gap_may_grow_by_as_much_as_is_said() {
        let early_stopping = Some(EarlyStopping { patience: 1, min_delta: 0.5, restore_best: false });
        let watching = Watching { early_stopping, plateau: None };
        let mut monitor = Monitor::default();
        let mut ended = |gap| {
            monitor.judge(&watching, Judged::Gap(gap), 1);
            monitor.ended
        };
        assert_eq!([0.1, 0.5, 0.6, 0.61].map(&mut ended), [false, false, false, true]);
        let mut monitor = Monitor::default();
        let best = [0.1, 0.5, 0.7, 0.6, 0.8].map(|gap| monitor.judge(&watching, Judged::Gap(gap), 1).best);
        assert_eq!(best, [true, true, false, true, false], "the last one within the tolerance is given out");
    }
}
