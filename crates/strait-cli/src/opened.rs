//! Models as commands open them: a file, or the folder of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use strait::data::{Data, DataArgs, Options, Rows};
use strait::job::Job;
use strait::{Activation, Device, LoadedModel, Model};
use strait_data::{ColumnKind, OutputColumn};

/// The file of a run's folder that holds its model.
const MODEL: &str = "model.safetensors";

/// A model with what its file knows of its data.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) model: Model,
    notes: BTreeMap<String, String>,
}

/// The model and the device of a command.
#[derive(Args)]
pub(crate) struct ModelArgs {
    /// A model's file, or the folder of a run
    pub(crate) model: PathBuf,
    /// auto (a GPU if there is one, else the CPU), cpu, cpu:N, gpu, or the number or a part of the name of an adapter
    #[arg(long, default_value = "auto")]
    device: String,
}

impl ModelArgs {
    pub(crate) fn open(&self) -> Result<(Opened, Device)> {
        Ok((Opened::open(&self.model)?, Device::named(&self.device)?))
    }
}

impl Opened {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join(MODEL) } else { path.to_owned() };
        if !path.exists() && path.ends_with(MODEL) {
            bail!(
                "{}: no such file; a run writes it when it ends, and until then a file in its folder checkpoints is a model",
                path.display()
            );
        }
        let (model, notes) = Model::open_with_notes(&path)?;
        Ok(Self { path, model, notes })
    }

    fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(&format!("strait.{name}")).map(String::as_str)
    }

    /// The job that it was trained by, where it was one.
    pub(crate) fn job(&self) -> Result<Option<Job>> {
        let place = || format!("{}: its job", self.path.display());
        self.note("job").map(|text| text.parse().with_context(place)).transpose()
    }

    /// The score above which rows are anomalies.
    pub(crate) fn threshold(&self) -> Option<f64> {
        self.note("threshold").and_then(|text| text.parse().ok())
    }

    /// The names of the classes.
    pub(crate) fn classes(&self) -> Option<Vec<String>> {
        self.note("classes").and_then(|text| serde_json::from_str(text).ok())
    }

    /// The names of the columns, where they have some.
    pub(crate) fn columns(&self) -> Option<&[String]> {
        self.model.preparation().and_then(|preparation| preparation.columns.as_deref())
    }

    /// The columns of rows in the scale of the data. Scaled columns may have differences that single precision loses.
    pub(crate) fn row_columns(&self) -> Vec<OutputColumn> {
        let scaled = self.model.preparation().is_some_and(|preparation| !preparation.changes_nothing());
        let kind = if scaled { ColumnKind::Double } else { ColumnKind::Single };
        let numbered = || (0..self.model.inputs()).map(|column| format!("x{column}")).collect();
        let names = self.columns().map_or_else(numbered, <[String]>::to_vec);
        names.into_iter().map(|name| OutputColumn::new(name, kind.clone())).collect()
    }

    /// How files are read: as those that it was trained on, but for what the command line says.
    pub(crate) fn options(&self, data: &DataArgs) -> Result<Options> {
        let read = self.job()?.map(|job| job.read).unwrap_or_default();
        // Another file may have another format, and need have no labels; columns are found by their names.
        let named = self.columns().is_some();
        let columns = read.columns.filter(|_| !named);
        let labels = read.labels.filter(|_| !named);
        Ok(data.over(&Options { format: None, labels, columns, ..read }))
    }

    /// Tells of values beyond 0 and 1 where the model was trained on nothing else, such as bytes that were pixels.
    fn warn_of_range(&self, data: &Data) -> Result<()> {
        const LOOKED_AT: usize = 100;
        let scaled = self.model.preparation().is_some_and(|preparation| !preparation.changes_nothing());
        let logistic = self.job()?.is_some_and(|job| job.output == Some(Activation::Logistic));
        if scaled || !logistic || data.is_pixels() {
            return Ok(());
        }
        let largest = data.head(LOOKED_AT)?.into_iter().filter(|x| x.is_finite()).fold(0.0, f64::max);
        if largest > 1.5 {
            strait::warn!(
                "warning: {}: values of {largest}, but the model was trained on values from 0 to 1; --bytes pixels reads bytes as pixels",
                data.name()
            );
        }
        Ok(())
    }

    /// Opens a file of rows for the model, and tells what a user should know of it.
    pub(crate) fn data(&self, path: &Path, data: &DataArgs) -> Result<Data> {
        let options = self.options(data)?;
        let data = Data::open_for(path, &options, self.model.inputs(), self.model.preparation())?;
        for note in &data.notes {
            strait::warn!("{}: {note}", data.name());
        }
        self.warn_of_range(&data)?;
        Ok(data)
    }
}

/// The codes of all rows of a data set.
pub(crate) fn codes(loaded: &mut LoadedModel<'_>, data: &Data) -> Result<Vec<f32>> {
    let mut codes = Vec::new();
    loaded.encode_data(data, |some| {
        codes.extend_from_slice(some);
        Ok(())
    })?;
    Ok(codes)
}

/// Numbers as rows of this width.
pub(crate) fn rows(numbers: &[f32], width: usize) -> Result<Rows<'_>> {
    Ok(Rows::numbers(numbers, width)?)
}
