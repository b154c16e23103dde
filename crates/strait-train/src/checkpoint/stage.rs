//! The files of one stage of a run: its last checkpoint, the one before, and the best.

use std::borrow::Cow;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use strait_data::Preparation;
use strait_models::{Model, RunState};

use super::storage::Storage;
use crate::snapshot::Cursor;

/// What a checkpoint says about itself, beside its tensors.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct About {
    /// strait's version.
    pub(crate) version: String,
    /// The stage of the run.
    pub(crate) stage: String,
    /// Counts the checkpoints of a stage.
    pub(crate) number: u64,
    /// What trained.
    pub(crate) device: String,
    pub(crate) cursor: Cursor,
    /// What the run depends on, which must be the same when it goes on.
    pub(crate) identity: serde_json::Value,
    /// The rest of a snapshot; see [`Snapshot`](crate::Snapshot).
    pub(crate) state: serde_json::Value,
}

/// The three files of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    Last,
    Previous,
    Best,
}

/// The checkpoints of a stage in a folder.
#[derive(Clone)]
pub(crate) struct StageFiles {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) folder: PathBuf,
    /// As a file name.
    pub(crate) name: String,
    /// Whether the last checkpoint was found to be damaged: it must not take the place of the one before.
    pub(crate) damaged: Arc<AtomicBool>,
    /// What is done with rows of a width before the model sees them.
    pub(crate) preparation: Option<Arc<(Preparation, usize)>>,
}

/// A checkpoint that was read.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) about: About,
    pub(crate) tensors: Vec<(String, Vec<f32>)>,
}

/// Where the tensors of a checkpoint come from: their names and lengths, and a way to fetch each.
pub(crate) struct Tensors<'t> {
    pub(crate) lengths: &'t [(&'t str, usize)],
    pub(crate) fetch: &'t mut dyn FnMut(usize) -> strait_models::Result<Cow<'t, [f32]>>,
}

impl StageFiles {
    /// The model with what is done with its rows.
    pub(crate) fn prepared(&self, model: Model) -> strait_models::Result<Model> {
        match self.preparation.as_deref() {
            Some((preparation, width)) if model.inputs() == *width => model.with(preparation.clone()),
            _ => Ok(model),
        }
    }

    pub(crate) fn path(&self, which: Which) -> PathBuf {
        let suffix = match which {
            Which::Last => "",
            Which::Previous => ".previous",
            Which::Best => ".best",
        };
        self.folder.join(format!("{}{suffix}.safetensors", self.name))
    }

    /// Writes a checkpoint under a temporary name, and renames it when it is whole and on the disk. What was the last one becomes the
    /// one before. At any moment, one of both is whole.
    ///
    /// # Errors
    /// With what failed. The earlier checkpoints are as they were.
    pub(crate) fn write(
        &self,
        about: &About,
        model: Option<&Model>,
        tensors: Tensors<'_>,
        best: bool,
    ) -> strait_models::Result<()> {
        let temporary = self.folder.join(format!("{}.safetensors{TEMPORARY}{}", self.name, std::process::id()));
        // What an earlier try may have left.
        let _ = self.storage.remove(&temporary);
        let written = self.write_to(&temporary, about, model, tensors);
        let written = written.and_then(|()| Ok(self.turn(&temporary, best)?));
        if written.is_err() {
            // It may not be there.
            let _ = self.storage.remove(&temporary);
        }
        written
    }

    fn write_to(
        &self,
        path: &Path,
        about: &About,
        model: Option<&Model>,
        tensors: Tensors<'_>,
    ) -> strait_models::Result<()> {
        let about = serde_json::to_string(about).map_err(io::Error::from)?;
        let mut file = BufWriter::with_capacity(1 << 20, self.storage.create(path)?);
        RunState::write_streamed(&mut file, model, &about, tensors.lengths, |number| {
            let values = (tensors.fetch)(number)?;
            // Resuming from NaN or infinity would be of no use: the earlier checkpoint stays.
            if values.iter().all(|x| x.is_finite()) {
                return Ok(values);
            }
            let name = tensors.lengths[number].0;
            Err(strait_models::Error::Shape(format!("a value of `{name}` is not finite")))
        })?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(file.sync()?)
    }

    fn turn(&self, temporary: &Path, best: bool) -> io::Result<()> {
        let last = self.path(Which::Last);
        let aside = match self.damaged.load(Ordering::Relaxed) {
            true => self.folder.join(format!("{}.damaged.safetensors", self.name)),
            false => self.path(Which::Previous),
        };
        match self.storage.rename(&last, &aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.damaged.store(false, Ordering::Relaxed),
        }
        self.storage.rename(temporary, &last)?;
        if best {
            self.storage.link(&last, &self.path(Which::Best))?;
        }
        self.storage.sync_folder(&self.folder)
    }

    /// The newest checkpoint that is whole, and what is wrong with those that are not.
    pub(crate) fn newest(&self) -> (Option<Found>, Vec<String>) {
        let (mut newest, mut wrong) = (None::<Found>, Vec::new());
        for which in [Which::Last, Which::Previous, Which::Best] {
            let path = self.path(which);
            let bytes = match self.storage.read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    wrong.push(format!("{}: {error}", path.display()));
                    continue;
                }
            };
            match parse(&bytes) {
                Ok((about, tensors)) => {
                    if newest.as_ref().is_none_or(|known| about.number > known.about.number) {
                        newest = Some(Found { path, about, tensors });
                    }
                }
                Err(message) => {
                    wrong.push(format!("{}: {message}", path.display()));
                    if which == Which::Last {
                        self.damaged.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
        (newest, wrong)
    }
}

/// What the names of files that are being written end with, before the number of the process.
pub(crate) const TEMPORARY: &str = ".tmp-";

type Parsed = (About, Vec<(String, Vec<f32>)>);

fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    let state = RunState::read(bytes).map_err(|error| error.to_string())?;
    let about = serde_json::from_str(&state.about)
        .map_err(|error| format!("what it says of its run cannot be read ({error})"))?;
    Ok((about, state.tensors))
}
