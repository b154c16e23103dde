//! What a job can train.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The members of the family that a job can train.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// An autoencoder; pretrained as a stack of RBMs where the job has a table `pretrain`, denoising where its training has a
    /// `corruption`, sparse or contractive where it has a `penalty`.
    Autoencoder,
    /// A variational autoencoder.
    Vae,
    /// An autoencoder of convolutions, for pictures.
    Convolutional,
    /// An autoencoder of sequences: LSTMs or GRUs.
    Sequence,
    /// A k-sparse autoencoder with more units than inputs: a dictionary of directions.
    Dictionary,
    /// Predictive sparse decomposition: a dictionary whose sparse codes are found by inference, and an encoder that predicts them.
    PredictiveSparse,
    /// Principal components.
    Pca,
    /// A restricted Boltzmann machine.
    Rbm,
    /// A stack of restricted Boltzmann machines.
    Stack,
    /// A deep belief net with labels.
    Dbn,
    /// A classifier; pretrained where the job has a table `pretrain` or `denoising`.
    Classifier,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Autoencoder,
        Self::Vae,
        Self::Convolutional,
        Self::Sequence,
        Self::Dictionary,
        Self::PredictiveSparse,
        Self::Pca,
        Self::Rbm,
        Self::Stack,
        Self::Dbn,
        Self::Classifier,
    ];

    /// Its name in jobs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Autoencoder => "autoencoder",
            Self::Vae => "vae",
            Self::Convolutional => "convolutional",
            Self::Sequence => "sequence",
            Self::Dictionary => "dictionary",
            Self::PredictiveSparse => "predictive-sparse",
            Self::Pca => "pca",
            Self::Rbm => "rbm",
            Self::Stack => "stack",
            Self::Dbn => "dbn",
            Self::Classifier => "classifier",
        }
    }

    /// Whether it learns from labels.
    pub fn needs_labels(self) -> bool {
        matches!(self, Self::Dbn | Self::Classifier)
    }

    /// The settings that a job of this kind can have, beside those of every job.
    pub(super) fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Autoencoder => &["activation", "code-activation", "output", "top-k", "pretrain", "training"],
            Self::Vae => &["activation", "output", "training"],
            Self::Convolutional => &["output", "kernel", "steps", "training"],
            Self::Sequence => &["output", "sequence", "training"],
            Self::Dictionary => &[
                "top-k",
                "sparsity",
                "bandwidth",
                "l0-weight",
                "aux-k",
                "aux-weight",
                "dead-after",
                "rounds",
                "centre",
                "unit-rows",
                "outlier",
                "leave-out",
                "training",
            ],
            Self::PredictiveSparse => &["inference", "training"],
            Self::Pca => &[],
            Self::Rbm | Self::Stack => &["pretrain"],
            Self::Dbn => &["pretrain", "up-down"],
            Self::Classifier => &["activation", "pretrain", "denoising", "training"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no such kind of model; it is one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}
