//! What learns.
//!
//! * [`Pretrain`]: greedy layer-wise pretraining of a stack of RBMs by contrastive divergence;
//! * [`UpDown`]: fine-tuning of deep belief nets;
//! * [`FineTune`]: back-propagation through any [`Trainable`] model, by Adam, by stochastic gradient descent with
//!   momentum, by nonlinear conjugate gradients or by L-BFGS;
//! * [`Stacked`]: stacks of denoising autoencoders;
//! * [`KSparse`]: dictionaries for vectors such as the activations of other nets;
//! * [`PredictiveSparse`]: sparse codes that an encoder foretells;
//! * [`Tape`]: what such a model is recorded on;
//! * [`minimize`]: conjugate gradients and L-BFGS for any differentiable function.

mod classify;
mod error;
mod features;
mod feed;
mod finetune;
mod free_energy_gap;
mod ksparse;
mod machine;
mod method;
mod minibatch;
pub mod minimize;
mod net_problem;
mod objective;
mod optimizer;
mod phases;
mod plan;
mod predictive;
mod pretrain;
mod pretraining;
mod profile;
mod progress;
mod run;
mod sample;
mod schedule;
mod snapshot;
mod stacked;
mod tape;
mod test_set;
mod trainable;
mod tuning;
mod updown;

pub use error::{Error, Result};
pub use finetune::{FineTune, FineTuneEpoch, FineTuned, ImageShift};
pub use ksparse::{KSparse, KSparseTrained, KSparsing};
pub use net_problem::NetProblem;
pub use objective::{Objective, Penalty};
pub use optimizer::Optimizer;
pub use plan::Plan;
pub use predictive::{Inference, PredictiveSparse};
pub use pretrain::{Chain, Pretrain, PretrainEpoch, Pretrained, SparsityTarget};
pub use pretraining::Pretraining;
pub use profile::{OpTime, Profile};
pub use progress::{Event, HostCost};
pub use run::Run;
pub use schedule::Schedule;
pub use snapshot::{Cursor, Snapshot};
pub use stacked::{Stacked, StackedLayers, Stacking};
pub use tape::{Tape, Value};
pub use trainable::Trainable;
pub use tuning::FineTuning;
pub use updown::{UpDown, UpDownEpoch, UpDownTrained, UpDowning};
