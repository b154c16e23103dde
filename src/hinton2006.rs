//! The experiment of Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks",
//! Science 313:504 (2006): its hyper-parameters, and its results to compare with.

use serde::{Deserialize, Serialize};

use crate::Precision;
use crate::train::{FineTune, ImageShift, Objective, Optimizer, Pretrain, Schedule};

/// The sizes of the paper's MNIST autoencoder, from the image to the code.
pub const SIZES: [usize; 5] = [784, 1000, 500, 250, 30];

/// The paper's squared errors on the MNIST test set: the autoencoder's, and those of logistic PCA and PCA with 30
/// components.
pub const PUBLISHED: [(&str, f64); 3] = [("autoencoder", 3.00), ("logistic PCA", 8.01), ("PCA", 13.87)];

/// All that a run of the experiment depends on, beside the data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// The sizes of the hidden layers, the code last; the data give the first size.
    pub hidden: Vec<usize>,
    /// Pretraining of the stack of RBMs.
    pub pretrain: Pretrain,
    /// Fine-tuning of the unrolled net.
    pub finetune: FineTune,
    /// Training of the logistic PCA to compare with.
    pub logistic_pca: FineTune,
}

impl Recipe {
    /// For a laptop without a GPU: a short pretraining, then Adam with a large learning rate that falls to zero.
    pub fn quick() -> Self {
        Self {
            hidden: SIZES[1..].to_vec(),
            pretrain: Pretrain { epochs: 5, initial_epochs: 2, ..Pretrain::default() },
            finetune: FineTune {
                epochs: 20,
                optimizer: Optimizer::Adam { rate: 3e-3, beta1: 0.9, beta2: 0.99 },
                schedule: Schedule::Cosine { warmup: 0.5 },
                ..FineTune::default()
            },
            logistic_pca: logistic_pca(),
        }
    }

    /// The published schedule: 50 epochs of CD-1 for each layer, then 200 epochs of conjugate gradients with 3 line
    /// searches for each minibatch of 1000.
    pub fn paper() -> Self {
        Self {
            hidden: SIZES[1..].to_vec(),
            pretrain: Pretrain { epochs: 50, ..Pretrain::default() },
            finetune: FineTune {
                epochs: 200,
                batch: 1000,
                optimizer: Optimizer::ConjugateGradients { searches: 3 },
                schedule: Schedule::Constant,
                ..FineTune::default()
            },
            logistic_pca: logistic_pca(),
        }
    }

    /// For the lowest error: 150 epochs of fine-tuning on images shifted by up to one pixel, which are more data than
    /// the paper used; without the shifts the net would overfit after 30.
    pub fn long() -> Self {
        let quick = Self::quick();
        let finetune = FineTune {
            epochs: 150,
            optimizer: Optimizer::Adam { rate: 2e-3, beta1: 0.9, beta2: 0.99 },
            shift: Some(ImageShift { width: 28, pixels: 1 }),
            ..quick.finetune
        };
        Self { finetune, ..quick }
    }

    /// Trains the deep net in this precision; the logistic PCA stays f32.
    pub fn in_precision(mut self, precision: Precision) -> Self {
        self.pretrain.precision = precision;
        self.finetune.precision = precision;
        self
    }

    /// Takes this seed for everything.
    pub fn seeded(mut self, seed: u64) -> Self {
        self.pretrain.seed = seed;
        self.finetune.seed = seed;
        self.logistic_pca.seed = seed;
        self
    }
}

/// Logistic PCA: a net with a linear code and logistic outputs, and no other hidden layer.
fn logistic_pca() -> FineTune {
    FineTune { epochs: 10, optimizer: Optimizer::adam(2e-3), objective: Objective::CrossEntropy, ..FineTune::default() }
}
