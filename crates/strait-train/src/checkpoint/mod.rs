//! Checkpoints: a run that is killed goes on from the last one, to the same bits.

mod identity;
mod keeping;
mod stage;
mod storage;
mod writer;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use identity::Hashed;
pub(crate) use identity::{differing, of_layers, of_machines, of_rows};
pub(crate) use keeping::{Difference, Keeping, Notes};
pub(crate) use stage::Tensors;
use stage::{StageFiles, TEMPORARY};
pub use storage::{Disk, Storage, StoredFile};
use strait_data::Preparation;
pub(crate) use writer::{Job, Modeller};

use crate::{Error, Result};

/// When checkpoints are written, and what happens to those that are there. With the feature `args`, options of a command line.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "args", derive(clap::Args))]
pub struct CheckpointOptions {
    /// Minutes between two checkpoints
    #[cfg_attr(feature = "args", arg(
        id = "checkpoint-minutes", long, value_name = "MINUTES", default_value = "10", value_parser = args::minutes
    ))]
    pub every: Duration,
    /// Also write a checkpoint after every N epochs
    #[cfg_attr(feature = "args", arg(
        id = "checkpoint-epochs", long, value_name = "EPOCHS", value_parser = args::epochs
    ))]
    pub epochs: Option<usize>,
    /// Go on from the newest checkpoint, if there is one; without it, checkpoints of an earlier run are moved away
    #[cfg_attr(feature = "args", arg(long))]
    pub resume: bool,
    /// Go on although the recipe or the data differ from the checkpoint's
    #[cfg_attr(feature = "args", arg(long, requires = "resume"))]
    pub allow_changes: bool,
    /// What to do if training diverges
    #[cfg_attr(feature = "args", arg(long, value_enum, default_value_t))]
    pub on_divergence: OnDivergence,
}

/// What a run does if it diverges.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "args", derive(clap::ValueEnum))]
pub enum OnDivergence {
    /// Stop with an error
    #[default]
    Stop,
    /// Go back to the last checkpoint and on with half the learning rate, at most three times
    HalveRate,
}

/// Values of options.
#[cfg(feature = "args")]
mod args {
    use std::time::Duration;

    pub(super) fn minutes(text: &str) -> Result<Duration, String> {
        let time = text.parse().ok().and_then(|minutes: f64| Duration::try_from_secs_f64(60.0 * minutes).ok());
        time.ok_or_else(|| "expected a number of minutes from 0 on".to_owned())
    }

    pub(super) fn epochs(text: &str) -> Result<usize, String> {
        text.parse().ok().filter(|epochs| *epochs > 0).ok_or_else(|| "expected a whole number from 1 on".to_owned())
    }
}

impl Default for CheckpointOptions {
    /// A checkpoint every 10 minutes, from the beginning.
    fn default() -> Self {
        Self {
            every: Duration::from_secs(600),
            epochs: None,
            resume: false,
            allow_changes: false,
            on_divergence: OnDivergence::Stop,
        }
    }
}

/// A folder in which training runs keep checkpoints of themselves.
///
/// A run is named, and each has three files there: `NAME.safetensors` is its last checkpoint, `NAME.previous.safetensors` the one
/// before, and `NAME.best.safetensors` that with the lowest test error, or training error where there is no test set. A checkpoint is
/// written at a fixed interval of minutes or epochs, at the end of each part of a run (a machine, a round), and when the observer ends the
/// run. It holds everything: parameters, the optimiser's state, place, records, recipe, the hash of the data. Each is complete or not
/// there at all, whatever happens to the process or the power, and has checksums. [`Model::open`](strait_models::Model::open) reads
/// what was learned so far.
///
/// Up to 256 MB of state are copied, and written by a background thread. Larger states are written tensor by tensor while
/// training waits.
///
/// The folder is locked: a second run that wants to keep itself there is refused. The lock goes with the process, however it ends.
///
/// ```
/// use std::ops::ControlFlow;
/// use strait_models::Autoencoder;
/// use strait_train::{CheckpointOptions, Checkpoints, Event, FineTune};
/// let device = strait_compute::Device::cpu()?;
/// let pixels = [0u8, 255, 255, 0, 255, 0, 0, 255].repeat(50);
/// let rows = strait_data::Rows::bytes(&pixels, 4)?;
/// let recipe = FineTune { epochs: 4, ..FineTune::default() };
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let train = |options, epochs| -> Result<Autoencoder, Box<dyn std::error::Error>> {
///     let kept = Checkpoints::open(folder, options)?;
///     let mut net = Autoencoder::glorot(&[4, 8, 1], 1)?;
///     let stop = |event: &Event| match event {
///         Event::Epoch { epoch, .. } if *epoch == epochs => ControlFlow::Break(()),
///         _ => ControlFlow::Continue(()),
///     };
///     recipe.run(&device, &mut net, rows)?.observe(stop).checkpoints(&kept, "net").train()?;
///     Ok(net)
/// };
/// train(CheckpointOptions::default(), 2)?;
/// // Another process, later:
/// let resumed = train(CheckpointOptions { resume: true, ..CheckpointOptions::default() }, 4)?;
/// let whole = train(CheckpointOptions::default(), 4)?;
/// assert_eq!(resumed, whole);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Checkpoints {
    shared: Arc<Shared>,
    /// What is done with rows before the model sees them, and their width.
    preparation: Option<Arc<(Preparation, usize)>>,
}

struct Shared {
    folder: PathBuf,
    options: CheckpointOptions,
    storage: Arc<dyn Storage>,
    /// Held as long as this lives.
    _lock: File,
    /// Why the last checkpoint of a run could not be written, by the run's name.
    failed: Mutex<BTreeMap<String, String>>,
    /// The folder to which checkpoints of an earlier run were moved.
    moved: Option<PathBuf>,
}

/// Where a run keeps its checkpoints, inside its folder.
const FOLDER: &str = "checkpoints";

impl Checkpoints {
    /// Opens the folder `checkpoints` inside `folder`, makes it where it is not there, and locks it.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if another run has locked it, or no file can be written there.
    pub fn open(folder: impl AsRef<Path>, options: CheckpointOptions) -> Result<Self> {
        Self::open_in(folder, options, Arc::new(Disk))
    }

    /// The same with other file operations, for tests that let them fail.
    ///
    /// # Errors
    /// As [`Checkpoints::open`].
    pub fn open_in(folder: impl AsRef<Path>, options: CheckpointOptions, storage: Arc<dyn Storage>) -> Result<Self> {
        let parent = folder.as_ref();
        let folder = parent.join(FOLDER);
        let wrong = |path: &Path, cause: std::io::Error| Error::Checkpoint {
            path: path.to_owned(),
            message: format!("no checkpoint can be kept there: {cause}"),
        };
        std::fs::create_dir_all(&folder).map_err(|cause| wrong(&folder, cause))?;
        let path = parent.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|cause| wrong(&path, cause))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let message =
                    "another run keeps its checkpoints there; wait until it has ended, or choose another folder";
                return Err(Error::Checkpoint { path: parent.to_owned(), message: message.to_owned() });
            }
            // Some file systems on other machines know no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let files = storage.list(&folder).map_err(|cause| wrong(&folder, cause))?;
        let is_temporary =
            |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains(TEMPORARY));
        let (left, kept): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| is_temporary(path));
        for path in left {
            // What a process left that died while it wrote.
            storage.remove(&path).map_err(|cause| wrong(&path, cause))?;
        }
        let mut moved = None;
        if !options.resume && !kept.is_empty() {
            moved = Some(move_away(&folder).map_err(|cause| wrong(&folder, cause))?);
        }
        // Found before training rather than hours later.
        let probe = folder.join(format!("probe{TEMPORARY}{}", std::process::id()));
        drop(storage.create(&probe).map_err(|cause| wrong(&folder, cause))?);
        storage.remove(&probe).map_err(|cause| wrong(&probe, cause))?;
        let failed = Mutex::default();
        let shared = Arc::new(Shared { folder, options, storage, _lock: lock, failed, moved });
        Ok(Self { shared, preparation: None })
    }

    /// Lets checkpoints open as models that do this with rows first, as the model that is saved in the end does. `width` is that of the rows:
    /// models of other rows, such as the codes of layers below, are without it.
    pub fn with_preparation(self, preparation: Preparation, width: usize) -> Self {
        Self { preparation: Some(Arc::new((preparation, width))), ..self }
    }

    /// Where the checkpoints of an earlier run were moved to, if some were there that this one does not go on from.
    pub fn moved(&self) -> Option<&Path> {
        self.shared.moved.as_deref()
    }

    /// Why the last checkpoint of some run could not be written, if it could not. Training went on, but what it learned after the
    /// checkpoint before that is in memory alone.
    pub fn failed(&self) -> Option<String> {
        self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).values().next().cloned()
    }

    fn set_failed(&self, run: &str, failed: Option<String>) {
        let mut all = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            Some(failed) => all.insert(run.to_owned(), failed),
            None => all.remove(run),
        };
    }

    fn files(&self, stage: &str) -> StageFiles {
        let name: String =
            stage.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let (storage, folder) = (self.shared.storage.clone(), self.shared.folder.clone());
        StageFiles { storage, folder, name, damaged: Arc::default(), preparation: self.preparation.clone() }
    }
}

/// Moves the checkpoints of an earlier run aside, in place of those that were moved before.
fn move_away(folder: &Path) -> std::io::Result<PathBuf> {
    let aside = folder.with_file_name(format!("{FOLDER}.earlier"));
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(folder, &aside)?;
    std::fs::create_dir_all(folder)?;
    Ok(aside)
}
