//! Training: contrastive divergence, back-propagation, optimisers, schedules.
//!
//! * [`Pretrain`]: greedy layer-wise pretraining of a stack of RBMs by contrastive divergence;
//! * [`UpDown`]: fine-tuning of deep belief nets;
//! * [`Run`]: what all of these give, to be trained to the end or looked into;
//! * [`FineTune`]: back-propagation through any [`Member`] model, by Adam, by stochastic gradient descent with
//!   momentum, by nonlinear conjugate gradients or by L-BFGS;
//! * [`Stacked`]: stacks of denoising autoencoders;
//! * [`KSparse`]: dictionaries for vectors such as the activations of other nets;
//! * [`PredictiveSparse`]: sparse codes that an encoder predicts;
//! * [`Tape`]: what such a model is recorded on;
//! * [`minimize`]: conjugate gradients and L-BFGS for any differentiable function.

mod chain;
mod checkpoint;
mod contrastive_divergence;
mod divergence;
mod error;
mod features;
mod feed;
mod finetune;
mod finetune_plan;
mod free_energy_gap;
mod held_out;
mod ksparse;
mod machine_tensors;
mod member_recipe;
mod method;
mod minibatch;
pub mod minimize;
mod monitor;
mod net_problem;
mod optimizer;
mod plan;
mod pretrain;
mod pretrain_plan;
mod profile;
mod progress;
mod run;
mod sample;
mod schedule;
mod snapshot;
mod stacked;
mod statistics;
mod test_set;
mod updown;

pub use chain::Chain;
pub use checkpoint::{CheckpointOptions, Checkpoints, Disk, OnDivergence, Storage, StoredFile};
pub use error::{Error, Result};
pub use finetune::{FineTune, FineTuneEpoch, FineTuned, ImageShift};
pub use finetune_plan::FineTunePlan;
pub use held_out::hold_out;
pub use ksparse::{KSparse, KSparsePlan, KSparseTrained};
pub use member_recipe::MemberRecipe;
pub use monitor::{EarlyStopping, ReduceOnPlateau};
pub use net_problem::NetProblem;
pub use optimizer::Optimizer;
pub use plan::Plan;
pub use pretrain::{Pretrain, PretrainEpoch, Pretrained, SparsityTarget};
pub use pretrain_plan::PretrainPlan;
pub use profile::{OpTime, Profile};
pub use progress::{Event, HostCost};
pub use run::Run;
pub use schedule::Schedule;
pub use snapshot::{Cursor, Snapshot};
pub use stacked::{Stacked, StackedLayers, StackedPlan};
pub use strait_models::{Goal, Inference, Member, Objective, Penalty, PredictiveSparse, Tape, Value};
pub use updown::{UpDown, UpDownEpoch, UpDownPlan, UpDownTrained};
