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

mod error;
mod features;
mod feed;
mod finetune;
mod free_energy_gap;
mod ksparse;
mod machine;
mod member_recipe;
mod method;
mod minibatch;
pub mod minimize;
mod net_problem;
mod optimizer;
mod phases;
mod plan;
mod pretrain;
mod pretraining;
mod profile;
mod progress;
mod run;
mod sample;
mod schedule;
mod snapshot;
mod stacked;
mod test_set;
mod tuning;
mod updown;

pub use error::{Error, Result};
pub use finetune::{FineTune, FineTuneEpoch, FineTuned, ImageShift};
pub use ksparse::{KSparse, KSparseTrained, KSparsing};
pub use member_recipe::MemberRecipe;
pub use net_problem::NetProblem;
pub use optimizer::Optimizer;
pub use plan::Plan;
pub use pretrain::{Chain, Pretrain, PretrainEpoch, Pretrained, SparsityTarget};
pub use pretraining::Pretraining;
pub use profile::{OpTime, Profile};
pub use progress::{Event, HostCost};
pub use run::Run;
pub use schedule::Schedule;
pub use snapshot::{Cursor, Snapshot};
pub use stacked::{Stacked, StackedLayers, Stacking};
pub use strait_models::{Goal, Inference, Member, Objective, Penalty, PredictiveSparse, Tape, Value};
pub use tuning::FineTuning;
pub use updown::{UpDown, UpDownEpoch, UpDownTrained, UpDowning};
