//! The kinds of models.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a [`Model`](crate::Model), as its file names it.
///
/// ```
/// use strait_models::ModelKind;
/// assert_eq!(ModelKind::Autoencoder.to_string(), "autoencoder");
/// assert_eq!(ModelKind::from_name("pca"), Some(ModelKind::Pca));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ModelKind {
    /// [`Autoencoder`](crate::Autoencoder): `autoencoder`.
    Autoencoder,
    /// [`Vae`](crate::Vae): `vae`.
    Vae,
    /// [`Classifier`](crate::Classifier): `classifier`.
    Classifier,
    /// [`Rbm`](crate::Rbm): `rbm`.
    Rbm,
    /// [`Stack`](crate::Stack): `stack`.
    Stack,
    /// [`Dbn`](crate::Dbn): `dbn`.
    Dbn,
    /// [`Pca`](crate::Pca): `pca`.
    Pca,
    /// [`SequenceAutoencoder`](crate::SequenceAutoencoder): `sequence`.
    Sequence,
}

impl ModelKind {
    /// Every kind.
    pub const ALL: [Self; 8] =
        [Self::Autoencoder, Self::Vae, Self::Classifier, Self::Rbm, Self::Stack, Self::Dbn, Self::Pca, Self::Sequence];

    /// Its name in files, in kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Autoencoder => "autoencoder",
            Self::Vae => "vae",
            Self::Classifier => "classifier",
            Self::Rbm => "rbm",
            Self::Stack => "stack",
            Self::Dbn => "dbn",
            Self::Pca => "pca",
            Self::Sequence => "sequence",
        }
    }

    /// The kind of that name; nothing for any other name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in a sentence, with the article.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Autoencoder => "an autoencoder",
            Self::Vae => "a variational autoencoder",
            Self::Classifier => "a classifier",
            Self::Rbm => "a restricted Boltzmann machine",
            Self::Stack => "a stack of restricted Boltzmann machines",
            Self::Dbn => "a deep belief net",
            Self::Pca => "a PCA",
            Self::Sequence => "an autoencoder of sequences",
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
