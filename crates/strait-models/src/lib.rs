//! Models: parameters and shapes, what they compute, and their files.
//!
//! * [`Rbm`] and [`Stack`]: restricted Boltzmann machines, and the greedy stack that unrolls into an autoencoder;
//! * [`Dbn`]: the deep belief net, whose upper two layers are a machine;
//! * [`Autoencoder`]: layers of [`Affine`] units with a code in the middle;
//! * [`Vae`]: the same with codes drawn from distributions;
//! * [`Pca`]: the linear baseline;
//! * [`Model`]: any of these, as [`Model::open`] reads it from a file; [`LoadedModel`]: the same, loaded on a device between calls;
//! * [`nearest`], [`BinaryCodes`], [`threshold`]: what codes and reconstructions are good for.

mod affine;
mod anomaly;
mod autoencoder;
mod auxk;
mod classifier;
mod computation;
mod container;
mod dbn;
mod error;
mod file;
mod gibbs;
mod hashing;
mod kind;
mod likelihood;
mod loaded;
mod lsa;
mod machine_file;
mod measures;
mod member;
mod model;
mod neighbours;
mod network;
mod noise;
mod objective;
mod parts;
mod pca;
mod pca_file;
mod predictive;
mod ratings;
mod rbm;
mod resident;
mod retrieval;
mod run_state;
mod sequence;
mod sparse_codes;
mod stack;
mod tape;
mod thresholds;
mod unit_uses;
mod units;
mod vae;

pub use affine::{Affine, Convolution};
pub use anomaly::{area_under_roc, threshold};
pub use autoencoder::{Autoencoder, check_sizes};
pub use auxk::AuxK;
pub use classifier::Classifier;
pub use container::{AtomicFile, Dtype, SaveOptions, sync, write_atomically};
pub use dbn::{Dbn, mistakes};
pub use error::{Error, Result};
pub use hashing::{BinaryCodes, medians};
pub use kind::ModelKind;
pub use likelihood::{Annealing, Partition};
pub use loaded::LoadedModel;
pub use lsa::latent_semantic_analysis;
pub use measures::{mean, squared_error};
pub use member::Member;
pub use model::{Model, Prepared};
pub use neighbours::{knn_accuracy, nearest, retrieval, vote};
pub use network::{
    EVALUATION_BATCH, LargestOutputs, Layer, Network, Outputs, declare_rows, evaluation_batch, fill, forward,
    minibatches, parts, upload,
};
pub use noise::corrupt;
pub use objective::{Goal, Objective, Penalty};
pub use pca::Pca;
pub use predictive::{Inference, PredictiveSparse};
pub use ratings::{RatingMeans, svd_ratings};
pub use rbm::Rbm;
pub use retrieval::{Retrieved, retrieval_curve};
pub use run_state::RunState;
pub use sequence::{Feeding, SequenceAutoencoder, SequenceCode, SequenceShape, StateDict};
pub use sparse_codes::SparseCodes;
pub use stack::{Stack, transpose};
pub use tape::{Recorder, Recurrent, Slopes, States, Tape, Value};
pub use thresholds::{Thresholds, most};
pub use unit_uses::{UnitUse, UnitUses};
pub use units::{TotalInput, Units, Wanted};
pub use vae::{Elbo, Vae};
