//! Principal components as files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::container::{Container, Contents, Named, Numbers};
use crate::{ModelKind, Pca, Result, SaveOptions};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    inputs: usize,
    components: usize,
}

impl Architecture {
    fn tensors(&self) -> [(String, Vec<usize>); 3] {
        let Self { inputs, components } = *self;
        let shapes =
            [("mean", vec![inputs]), ("components", vec![components, inputs]), ("variances", vec![components])];
        shapes.map(|(name, shape)| (name.to_owned(), shape))
    }
}

impl Pca {
    /// Writes the components as a safetensors file: `mean`, `[inputs]`, `components`, `[components, inputs]`, and `variances`,
    /// `[components]`, all of them 64-bit floats. An existing file is replaced only when the new one is complete.
    ///
    /// # Errors
    /// If the shapes do not fit together, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the components as [`Pca::save`] does, with notes or in another precision.
    ///
    /// # Errors
    /// As [`Pca::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        self.contents()?.write(path.as_ref(), options)
    }

    /// The components as they go into a file.
    pub(crate) fn contents(&self) -> Result<Contents<'_>> {
        self.check()?;
        let architecture = Architecture { inputs: self.mean.len(), components: self.components.len() };
        let values =
            [Cow::Borrowed(&self.mean[..]), Cow::Owned(self.components.concat()), Cow::Borrowed(&self.variances[..])];
        let tensors = architecture.tensors().into_iter().zip(values);
        let named = tensors.map(|((name, shape), values)| Named { name, shape, values: Numbers::Double(values) });
        Contents::new(ModelKind::Pca, named.collect(), &architecture)
    }

    /// Reads components from a file that [`Pca::save`] wrote, with the notes.
    ///
    /// ```
    /// use strait_models::Pca;
    /// let device = strait_compute::Device::cpu()?;
    /// let rows = strait_data::Rows::numbers(&[1.0, 0.0, 2.0, 0.5, 3.0, 0.0], 2)?;
    /// let pca = Pca::fit(&device, rows, 1)?;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("pca.safetensors");
    /// pca.save(&path)?;
    /// assert_eq!(Pca::load(&path)?.0, pca);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, holds another kind of model, or its tensors are not those of its architecture.
    pub fn load(path: impl AsRef<Path>) -> Result<(Self, BTreeMap<String, String>)> {
        Self::read(Container::open(path.as_ref())?.unprepared()?)
    }

    pub(crate) fn read(file: Container) -> Result<(Self, BTreeMap<String, String>)> {
        file.require_kind(ModelKind::Pca)?;
        let architecture: Architecture = file.architecture()?;
        let mut tensors = file.doubles(&architecture.tensors())?.into_iter();
        let mut next = || tensors.next().unwrap_or_default();
        let (mean, components, variances) = (next(), next(), next());
        let components = components.chunks_exact(mean.len().max(1)).map(<[f64]>::to_vec).collect();
        let pca = Self { mean, components, variances };
        pca.check().map_err(|error| file.wrong(error.to_string()))?;
        Ok((pca, file.notes))
    }
}
