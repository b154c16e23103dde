//! Ending a run, or lowering its learning rate, when it no longer improves.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::{below, positive};

/// Stops training a part of a run (a machine, a round, or the whole net) once the monitored value has not improved for `patience` epochs.
///
/// The monitored value is the validation error, or the test error if there are no validation rows; the test error is then no longer an
/// estimate for unseen rows. For machines it is the free-energy gap. The names are those of Keras and PyTorch Lightning.
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
    /// The smallest change that counts as an improvement. For the free-energy gap, which grows when a machine overfits: how much it may grow.
    pub min_delta: f64,
    /// Whether to return the parameters of the best epoch instead of the last. By the free-energy gap, which is lowest before anything was
    /// learned, the best epoch is the last one within `min_delta` of the lowest gap.
    pub restore_best: bool,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience: 10, min_delta: 0.0, restore_best: false }
    }
}

/// Lowers the learning rate once the value that [`EarlyStopping`] monitors has not improved for `patience` epochs.
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

#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
struct Progress {
    best: Option<f64>,
    waited: usize,
}

impl Progress {
    /// Epochs without an improvement, this one among them.
    fn wait(&mut self, judged: Judged, min_delta: f64) -> usize {
        let value = judged.value();
        if self.best.is_none_or(|best| judged.improves(best, min_delta)) {
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
    /// Whether it is better than the best so far: an error that is lower by more than `min_delta`, or a gap that is no more than that above
    /// the lowest.
    fn improves(self, best: f64, min_delta: f64) -> bool {
        match self {
            Self::Error(value) => value < best - min_delta,
            Self::Gap(value) => value <= best + min_delta,
        }
    }

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
    /// Whether the mean loss of some steps has exploded: it is far above the lowest so far, and above that of the first steps.
    pub(crate) fn explodes(&mut self, loss: f64) -> bool {
        let (first, lowest) = self.losses.unwrap_or((loss, loss));
        self.losses = Some((first, lowest.min(loss)));
        lowest > 0.0 && loss > EXPLODES * lowest && loss > first
    }

    /// Judges an epoch, counted from 1.
    pub(crate) fn judge(&mut self, watching: &Watching, judged: Judged, epoch: usize) -> Verdict {
        let value = judged.value();
        let tolerated = match (judged, watching.early_stopping) {
            // A gap is lowest before anything was learned: the last epoch in which it is tolerated is the best.
            (Judged::Gap(_), Some(stopping)) => stopping.min_delta,
            _ => 0.0,
        };
        let best = self.best.is_none_or(|(best, _)| judged.improves(best, tolerated));
        let mut verdict = Verdict { best, notes: Vec::new() };
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
